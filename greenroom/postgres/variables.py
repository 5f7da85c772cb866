"""libpq's environment variables. They hold for every connection of a process: those to a server of our own too.

So they are put aside before a task begins. Each connection says itself where it leads, and as whom; how it is secured
is taken over for servers that are not ours (`securing`); the app and a person's commands get back what they had there
(`for_others`).
"""

from __future__ import annotations

from greenroom import shell

# where a password or a service of a URL is looked up, and what every connection says itself; an app may read these
HARMLESS = ("PGDATABASE", "PGHOST", "PGPASSFILE", "PGPASSWORD", "PGPORT", "PGSERVICEFILE", "PGSYSCONFDIR", "PGUSER")
SECURING = {
    "PGCHANNELBINDING": "channel_binding",
    "PGGSSDELEGATION": "gssdelegation",
    "PGGSSENCMODE": "gssencmode",
    "PGGSSLIB": "gsslib",
    "PGKRBSRVNAME": "krbsrvname",
    "PGREQUIREAUTH": "require_auth",
    "PGREQUIREPEER": "requirepeer",
    "PGSSLCERT": "sslcert",
    "PGSSLCERTMODE": "sslcertmode",
    "PGSSLCOMPRESSION": "sslcompression",
    "PGSSLCRL": "sslcrl",
    "PGSSLCRLDIR": "sslcrldir",
    "PGSSLKEY": "sslkey",
    "PGSSLMAXPROTOCOLVERSION": "ssl_max_protocol_version",
    "PGSSLMINPROTOCOLVERSION": "ssl_min_protocol_version",
    "PGSSLMODE": "sslmode",
    "PGSSLNEGOTIATION": "sslnegotiation",
    "PGSSLROOTCERT": "sslrootcert",
    "PGSSLSNI": "sslsni",
}
PUT_ASIDE = (
    *SECURING,
    "PGAPPNAME",
    "PGCLIENTENCODING",
    "PGCONNECT_TIMEOUT",
    "PGDATESTYLE",
    "PGGEQO",
    "PGHOSTADDR",
    "PGLOADBALANCEHOSTS",
    "PGMAXPROTOCOLVERSION",
    "PGMINPROTOCOLVERSION",
    "PGOPTIONS",
    "PGREQUIRESSL",
    "PGSERVICE",
    "PGTARGETSESSIONATTRS",
    "PGTZ",
)
_aside: dict[str, str] = {}


def put_aside() -> None:
    """Out of the environment of this process, and so of all that it starts."""
    _aside.update(shell.without(PUT_ASIDE))


def securing() -> dict[str, str]:
    """Parameters for a server that is not ours: how the person's environment secures connections."""
    found = {parameter: _aside[name] for name, parameter in SECURING.items() if _aside.get(name)}
    return {"sslmode": "require", **found} if _aside.get("PGREQUIRESSL", "").startswith("1") else found


def for_others(*, own_server: bool = False) -> dict[str, str]:
    """What of it the app and a person's commands are started with: none where that would reach a server of our own."""
    return {} if own_server else dict(_aside)
