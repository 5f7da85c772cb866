"""What pg_dump says when it ends, told apart. The words are those of pg_dump 15 to 18 and their servers."""

from __future__ import annotations

import pytest

from greenroom.postgres.address import Address
from greenroom.postgres.dump_failure import failure
from greenroom.secret import Secret

SHOP = Address("db.internal", 5432, "shop", "reader")
AT = 'pg_dump: error: connection to server at "db.internal" (10.0.0.7), port 5432 failed: '
QUERY = "pg_dump: error: query failed: ERROR:  canceling statement due to "


@pytest.mark.parametrize(
    ("said", "sentence", "hint"),
    [
        (
            'pg_dump: error: could not translate host name "db.internal" to address: Name or service not known',
            "me@vpn does not know the name db.internal.",
            "Correct host in the target's table: it is the name that the server's own network knows.",
        ),
        (
            AT + "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?",
            "no PostgreSQL server listens at db.internal:5432, as me@vpn sees it.",
            "Check host and port, and that the server runs and listens there.",
        ),
        (
            AT + "timeout expired",
            "db.internal:5432 does not answer me@vpn.",
            "Is a firewall between them, or a VPN off?",
        ),
        (
            AT + 'root certificate file "~/.postgresql/root.crt" does not exist',
            "the certificate of db.internal:5432 cannot be verified on me@vpn.",
            "Name the file with its authority's certificate in the target's table: sslrootcert = ... "
            "(or sslmode = ...).",
        ),
        (
            AT + 'server certificate for "other" does not match host name "db.internal"',
            "the certificate of db.internal:5432 cannot be verified on me@vpn.",
            "Name the file with its authority's certificate in the target's table: sslrootcert = ... "
            "(or sslmode = ...).",
        ),
        (
            AT + "server does not support SSL, but SSL was required",
            "db.internal:5432 and the pg_dump of me@vpn have no TLS in common, and sslmode demands it.",
            "Install a pg_dump that can talk TLS, or correct sslmode in the target's table.",
        ),
        (
            AT + 'FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "reader", database "shop", no encryption',
            "db.internal:5432 does not let reader in from me@vpn.",
            "Its pg_hba.conf has no row for that (some rows demand TLS: sslmode in the target's table).",
        ),
        (
            AT + 'FATAL:  password authentication failed for user "reader"',
            "db.internal:5432 refuses reader: the password is wrong.",
            "Set it where the target says (password_variable, password_parameter), else PGPASSWORD or ~/.pgpass.",
        ),
        (
            AT + "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
            "db.internal:5432 has no connection left for reader.",
            "Wait until others have disconnected, or raise max_connections.",
        ),
        (
            AT + "something that is new",
            "pg_dump on me@vpn cannot connect to db.internal:5432: something that is new.",
            "Is the VPN still on, and does the server run?",
        ),
        (
            QUERY + "conflict with recovery\nDETAIL:  User query might have needed to see row versions",
            "db.internal:5432 is a standby, and ended the dump of shop: its primary removed rows that were still read.",
            "Have hot_standby_feedback = on (or a longer max_standby_streaming_delay) there, or name the primary as "
            "host.",
        ),
        (
            QUERY + "statement timeout\npg_dump: detail: Query was: LOCK TABLE public.goods IN ACCESS SHARE MODE",
            "a table of shop on db.internal:5432 stayed locked for 60 s: an ALTER TABLE, VACUUM FULL or the like runs "
            "there, or waits itself.",
            "Run again when it is over; who it is: SELECT pid, state, query FROM pg_stat_activity JOIN pg_locks USING "
            "(pid) WHERE mode = 'AccessExclusiveLock'",
        ),
        (
            "pg_dump: error: Dumping the contents of table failed: PQgetResult() failed.\n"
            "pg_dump: detail: Error message from server: FATAL:  terminating connection due to administrator command",
            "the server db.internal:5432 went away while shop was dumped.",
            "Is the VPN still on, and does the server run? Then run again.",
        ),
        (
            AT + "server closed the connection unexpectedly",
            "the server db.internal:5432 went away while shop was dumped.",
            "Is the VPN still on, and does the server run? Then run again.",
        ),
        (
            "pg_dump: error: query failed: ERROR:  permission denied for table goods",
            "pg_dump of shop on db.internal:5432 failed: permission denied for table goods.",
            "Use a role that may read everything (GRANT pg_read_all_data), or look with: "
            "pg_dump --schema-only DATABASE",
        ),
        (
            "pg_dump: error: aborting because of server version mismatch",
            "the pg_dump of me@vpn is older than the server db.internal:5432, and refuses it.",
            "Install the client programs of the server's major version there.",
        ),
        (
            "pg_dump: error: a row of the data: pl4nted",
            "pg_dump of shop on db.internal:5432 failed on me@vpn, for a reason that may quote rows and is not "
            "repeated.",
            "It says why when run by hand there: pg_dump --schema-only DATABASE",
        ),
    ],
)
def test_failure_is_told_by_its_cause(said: str, sentence: str, hint: str) -> None:
    error = failure(f"{said}\n", SHOP, place="me@vpn")
    assert (error.sentence, error.hint) == (sentence, hint)


def test_password_with_a_line_break_is_told_by_its_shape() -> None:
    said = AT + 'FATAL:  password authentication failed for user "reader"\n'
    error = failure(said, SHOP.as_role("reader", Secret("pl4nted\n")), place="me@vpn")
    assert error.sentence == (
        "db.internal:5432 refuses reader: the password is wrong (it begins or ends with a blank, or has a line break)."
    )
