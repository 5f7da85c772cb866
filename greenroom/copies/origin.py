"""What is read of a live source, in sessions that cannot write, before anything is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import psycopg

from greenroom.console import Progress
from greenroom.copies.reach import Reached
from greenroom.postgres import branch, dumping, masking, outside, role_settings, roles, room, workers
from greenroom.postgres.address import Address
from greenroom.postgres.lock_wait import patiently
from greenroom.postgres.masking import Rule
from greenroom.postgres.role_settings import RoleSetting
from greenroom.postgres.server import ServerFacts, asking, connect, facts

# what the copy's server takes over, so that what is measured there is true: no size of memory that it may not have
TAKEN_OVER = (
    "TimeZone",
    "cpu_tuple_cost",
    "default_statistics_target",
    "effective_cache_size",
    "hash_mem_multiplier",
    "idle_in_transaction_session_timeout",
    "jit",
    "lock_timeout",
    "maintenance_work_mem",
    "max_parallel_maintenance_workers",
    "max_parallel_workers",
    "max_parallel_workers_per_gather",
    "random_page_cost",
    "search_path",
    "seq_page_cost",
    "statement_timeout",
    "transaction_timeout",
    "work_mem",
)


@dataclass(frozen=True)
class Origin:
    """`address` is how it is connected to from here, `real` how its own network knows it.

    The settings of `facts` hold for the role that its migrations run as; `role_settings` are those of ALTER ROLE, of
    every role.

    `needed_to_own` are the statements after which the role could act for every owner there, as a branch needs it;
    `excluded` are the tables whose rows stay there, as SQL names them, and `left_out` the same by schema and name;
    `large_objects`: these are copied;
    `sizes` are bytes of each table's rows, by `schema.table`; `mapped_servers` are the foreign servers that somebody
    has a user mapping for.
    """

    address: Address
    real: Address
    via: str | None
    facts: ServerFacts
    locale: str
    settings: list[tuple[str | None, str, str]]
    privileges: list[str]
    needed_to_own: list[str]
    excluded: list[str]
    left_out: list[tuple[str, str]]
    large_objects: bool
    sizes: dict[str, int]
    subscriptions: list[str]
    mapped_servers: list[str]
    role_settings: list[RoleSetting]

    @property
    def ownership(self) -> bool:
        """Whether the role can make things belong to every role that owns something there."""
        return not self.needed_to_own

    @property
    def exact_names(self) -> list[str]:
        """Of the tables whose rows stay there: `schema.table`, without quotes."""
        return [f"{schema}.{table}" for schema, table in self.left_out]

    @property
    def dump_options(self) -> list[str]:
        """For pg_dump, beside these."""
        return dumping.leaving(large_objects=not self.large_objects, cron=self.has_cron)

    @property
    def has_cron(self) -> bool:
        """Whether pg_cron is there, which no copy by rows gets."""
        return workers.CRON in self.facts.extensions

    @property
    def left_out_notes(self) -> list[str]:
        """What stays there as the target wants it, for the report."""
        return [
            *([f"not copied: the rows of {', '.join(self.excluded)}"] if self.excluded else []),
            *([] if self.large_objects else ["not copied: the large objects"]),
        ]

    @property
    def unknown_notes(self) -> list[str]:
        """Settings of the server's, for the report, of which nobody tells the role that reads."""
        lost = [name for name in TAKEN_OVER if name in self.facts.unknown]
        who = f"{self.real.user} has its own, and the server's are not known to it"
        return [f"not as on the source: {', '.join(lost)} ({who})"] if lost else []

    @property
    def sizes_to_come(self) -> dict[str, int]:
        """`sizes` without the tables whose rows stay."""
        stay = set(self.exact_names)
        return {name: size for name, size in self.sizes.items() if name not in stay}

    @property
    def taken_over(self) -> dict[str, str]:
        """Settings of the source's that a server of our own gets."""
        return {name: value for name, value in self.facts.settings.items() if name in TAKEN_OVER}


def read(source: Reached, name: str, exclude_data: list[str], rules: list[Rule], progress: Progress) -> Origin:
    """Look at the source, and hold the target's rules against it: `name` is the target's. Raises GreenroomError."""
    progress.step(f"reading {source.real.database} on {source.real.server}")
    with asking(source.real), connect(source.address, read_only=True) as connection:
        return patiently(
            connection, source.real, progress, lambda: _read(connection, source, name, exclude_data, rules)
        )


def sizes(connection: psycopg.Connection, excluded: Sequence[str], rules: Sequence[Rule]) -> tuple[int, int]:
    """Bytes of all that is copied, and of the largest table that is masked: each part of it is written anew."""
    masked = {(rule.schema, rule.table) for rule in rules if rule.changes}
    return room.size_to_copy(connection, excluded), room.size_to_mask(connection, masked, excluded)


def _read(
    connection: psycopg.Connection, source: Reached, name: str, exclude_data: list[str], rules: list[Rule]
) -> Origin:
    excluded = masking.excluded(connection, exclude_data, name)
    masking.check(connection, rules, name, excluded)
    return Origin(
        address=source.address,
        real=source.real,
        via=source.via,
        facts=facts_for(connection, roles.owner_of_tables(connection)),
        locale=branch.locale_of(connection),
        settings=branch.settings_of(connection),
        privileges=branch.privileges_of(connection),
        needed_to_own=roles.needed_to_own(connection, roles.owners_of(connection)),
        excluded=excluded,
        left_out=_parts(connection, excluded),
        large_objects=masking.LARGE_OBJECTS not in exclude_data,
        sizes=_sizes(connection),
        subscriptions=_subscriptions(connection),
        mapped_servers=outside.mapped_servers(connection),
        role_settings=role_settings.of_roles(connection),
    )


def facts_for(connection: psycopg.Connection, role: str) -> ServerFacts:
    """The server's, with the settings as they hold for `role`."""
    found = facts(connection)
    settings = role_settings.as_for(connection, role, found.settings)
    unknown = sorted(found.settings.keys() - settings.keys())
    return replace(found, settings=settings, timezone=settings.get("TimeZone", found.timezone), unknown=unknown)


def _parts(connection: psycopg.Connection, names: list[str]) -> list[tuple[str, str]]:
    """Schema and table of each, as they are."""
    return connection.execute(
        """
        SELECT n.nspname, c.relname FROM unnest(%s::text[]) AS given
        JOIN pg_class c ON c.oid = given::regclass JOIN pg_namespace n ON n.oid = c.relnamespace
        """,
        [names],
    ).fetchall()


def _subscriptions(connection: psycopg.Connection) -> list[str]:
    rows = connection.execute(
        """
        SELECT subname FROM pg_subscription
        WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1
        """
    )
    return [name for (name,) in rows]


def _sizes(connection: psycopg.Connection) -> dict[str, int]:
    rows = connection.execute(
        """
        SELECT n.nspname || '.' || c.relname, pg_table_size(c.oid) FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        """
    ).fetchall()
    return dict(rows)
