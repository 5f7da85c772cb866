"""Where a database is. Printed without its password, parsed from a URL, handed to libpq's programs by environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from greenroom.errors import GreenroomError
from greenroom.postgres import variables
from greenroom.secret import Secret, oddity

# all of libpq's that hold one, but the password: for these it has no variable, and a command line can be read by others
SECRETS = ("oauth_client_secret", "scram_client_key", "scram_server_key", "sslpassword")
# Whoever is gone without a word is given up within a minute or so, and not after libpq's two hours; what is silent for
# as long as a copy takes is not forgotten on the way. A URL may have others.
KEPT_ALIVE = {
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
_VARIABLES = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE"}


@dataclass(frozen=True)
class Address:
    """One database on one server, as one role. `options` are further libpq parameters (`sslmode`, `options`, ...).

    `host` may be a directory: libpq's way to name a Unix socket. `shown` is the `host:port` that people are told, where
    the connection goes through a port of this machine.
    """

    host: str
    port: int
    database: str
    user: str
    password: Secret | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    shown: str | None = None

    @classmethod
    def parse(cls, url: str) -> Address:
        """From `postgresql://USER@HOST:PORT/DATABASE?sslmode=...`, also with a password. Raises GreenroomError."""
        try:
            parts = urlsplit(url)
            _refuse_cut_off(parts)
            options = dict(parse_qsl(parts.query))
            port = parts.port or int(options.pop("port", 5432))
        except ValueError as error:
            raise GreenroomError("the database URL cannot be read: its host or port is malformed.", _EXAMPLE) from error
        if parts.scheme not in ("postgresql", "postgres"):
            raise GreenroomError(
                f"a database URL begins with postgresql://, not {parts.scheme or 'nothing'}://", _EXAMPLE
            )
        _refuse_secrets(options)
        host = unquote(parts.hostname or "") or options.pop("host", "localhost")
        user = unquote(parts.username or "") or options.pop("user", "postgres")
        database = unquote(parts.path.lstrip("/")) or options.pop("dbname", user)
        asked = options.pop("password", None)
        password = unquote(parts.password) if parts.password else asked
        given = {**variables.securing(), **options}
        return cls(host, port, database, user, Secret(password) if password else None, given)

    def at(self, database: str) -> Address:
        """Another database on the same server, as the same role."""
        return replace(self, database=database)

    def as_role(self, user: str, password: Secret | None) -> Address:
        """The same database as another role."""
        return replace(self, user=user, password=password)

    @property
    def parameters(self) -> dict[str, str]:
        """Keyword arguments for `psycopg.connect`: with the password, so never to be printed.

        libpq has no variables for KEPT_ALIVE: its programs get them by `conninfo`.
        """
        where = {"host": self.host, "port": str(self.port), "dbname": self.database, "user": self.user}
        given = {**KEPT_ALIVE, **where, **self.options}
        return {**given, "password": self.password.reveal()} if self.password else given

    @property
    def conninfo(self) -> str:
        """For an argv of libpq's programs: everything but the password, which goes by `password_environment`."""
        pairs = ((key, str(value)) for key, value in self.parameters.items() if key != "password")
        return " ".join(f"{key}={_quoted(value)}" for key, value in pairs)

    @property
    def password_environment(self) -> dict[str, str]:
        """PGPASSWORD, where there is a password."""
        return {"PGPASSWORD": self.password.reveal()} if self.password else {}

    @property
    def environment(self) -> dict[str, str]:
        """libpq's variables, for pg_dump and the like: the password never stands in an argv."""
        given = {_VARIABLES[k]: v for k, v in self.parameters.items() if k in _VARIABLES}
        securing = {parameter: name for name, parameter in variables.SECURING.items()}
        given |= {securing.get(k, f"PG{k.upper()}"): v for k, v in self.options.items() if k != "options"}
        if "options" in self.options:
            given["PGOPTIONS"] = self.options["options"]
        return {**given, "PGPASSWORD": self.password.reveal()} if self.password else given

    @property
    def server(self) -> str:
        """`host:port`, for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.shown or f"{host}:{self.port}"

    @property
    def refused_password(self) -> str:
        """What people are told of a password that the server refuses: its shape, where that is odd."""
        odd = oddity(self.password.reveal()) if self.password else ""
        return f"the password is wrong (it {odd})" if odd else "the password is wrong"

    def __str__(self) -> str:
        user, database = (quote(name, safe="") for name in (self.user, self.database))
        if self.host.startswith("/") and not self.shown:
            return f"postgresql://{user}@/{database}?host={quote(self.host)}&port={self.port}"
        return f"postgresql://{user}@{self.server}/{database}"


def _refuse_cut_off(parts: SplitResult) -> None:
    """A / ? or # in a password ends it, and the rest would be printed as host and database: nothing is quoted."""
    behind = (parts.path, parts.fragment, parts.query.partition("=")[0])
    if any("@" in part for part in behind):
        raise GreenroomError(
            "the database URL has an @ behind the first /, ? or #: its user or password holds one of these as it is.",
            "Write %2F for a /, %3F for a ? and %23 for a # in it, and %40 for an @ in the database's name.",
        )


def _refuse_secrets(options: Mapping[str, str]) -> None:
    if given := [name for name in SECRETS if name in options]:
        raise GreenroomError(
            f"{' and '.join(given)} in a database URL would stand in the command line of pg_dump, for others to read.",
            "Write it into a service of ~/.pg_service.conf, and ?service=NAME into the URL; the password may stay.",
        )


def _quoted(value: str) -> str:
    """As libpq reads it in a connection string."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


_EXAMPLE = "Write it as postgresql://USER@HOST:5432/DATABASE, with the password in PGPASSWORD or ~/.pgpass."
