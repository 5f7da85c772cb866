"""Invents releases, rehearsals and their migrations: the same ones for the same seed and number of statements.

Rows are dictionaries by column, and hold what the newest schema knows; `load` takes what the migration state has.
The statements themselves are too many for Python: each migration says how many it has, and SQL makes them.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

Row = dict[str, Any]

STATEMENTS_PER_MIGRATION = 80
MIGRATIONS_PER_REHEARSAL = 5
REHEARSALS_PER_RELEASE = 80
COUNTS_CALLS_AFTER = 0.005  # the share of rehearsals that are older than the documents' key `calls`
BEGINNING = datetime(2024, 6, 3, 8, 0, tzinfo=UTC)
END = datetime(2026, 6, 1, 17, 0, tzinfo=UTC)


class Text(NamedTuple):
    """SQL with `{t}` for the table. `seconds` is the shortest duration: few statements take a hundred times as long."""

    sql: str
    seconds: float
    rows: int | None


class Work(NamedTuple):
    """A kind of migration: its first statement, and the hazard that its finding names."""

    slug: str
    text: Text
    hazard: str
    name: str
    advice: str


TABLES = {
    "billing": ("billing_invoice", "billing_payment", "billing_refund"),
    "catalogue": ("catalogue_product", "catalogue_price", "catalogue_category"),
    "customers": ("customers_customer", "customers_address", "customers_consent"),
    "orders": ("orders_order", "orders_line", "orders_shipment", "orders_event"),
    "stock": ("stock_item", "stock_movement", "stock_warehouse"),
}

WORKS = (
    Work(
        "index_created_at",
        Text('CREATE INDEX "{t}_created_at_idx" ON "{t}" ("created_at" DESC)', 0.08, None),
        "H01",
        "index-blocking",
        "Build the index with AddIndexConcurrently in a migration of its own that is not atomic.",
    ),
    Work(
        "unique_reference",
        Text('ALTER TABLE "{t}" ADD CONSTRAINT "{t}_reference_uniq" UNIQUE ("reference")', 0.1, None),
        "H08",
        "unique-constraint",
        "Build a unique index concurrently, then add the constraint with USING INDEX.",
    ),
    Work(
        "check_amount",
        Text('ALTER TABLE "{t}" ADD CONSTRAINT "{t}_amount_check" CHECK ("amount" >= $1)', 0.02, None),
        "H10",
        "check-validating",
        "Add the constraint with AddConstraintNotValid, and validate it in the next migration.",
    ),
    Work(
        "state_required",
        Text('ALTER TABLE "{t}" ALTER COLUMN "state" SET NOT NULL', 0.02, None),
        "H17",
        "set-not-null",
        "Fill the column in batches, then add and validate a check before SET NOT NULL.",
    ),
    Work(
        "wider_total",
        Text('ALTER TABLE "{t}" ALTER COLUMN "total" TYPE bigint USING "total"::bigint', 0.3, None),
        "H24",
        "type-rewrite",
        "Add a second column, keep both in step, and change over in a later release.",
    ),
    Work(
        "add_note",
        Text('ALTER TABLE "{t}" ADD COLUMN "note" text NULL', 0.0004, None),
        "H44",
        "lock-queue",
        "Set a lock_timeout of two seconds for migrations, and try again.",
    ),
)

FURTHER_TEXTS = (
    Text('UPDATE "{t}" SET "state" = $1 WHERE "{t}"."id" = $2', 0.0002, 1),
    Text('UPDATE "{t}" SET "total" = ("{t}"."net" + "{t}"."tax") WHERE "{t}"."id" = $1', 0.0002, 1),
    Text('UPDATE "{t}" SET "reference" = $1, "updated_at" = $2 WHERE "{t}"."id" = $3', 0.0003, 1),
    Text(
        'SELECT "{t}"."id", "{t}"."state" FROM "{t}" WHERE "{t}"."state" IS NULL ORDER BY "{t}"."id" LIMIT $1',
        0.002,
        500,
    ),
    Text('UPDATE "{t}" SET "state" = $1 WHERE ("{t}"."id" >= $2 AND "{t}"."id" < $3)', 0.004, 1000),
    Text('SELECT COUNT(*) AS "__count" FROM "{t}" WHERE "{t}"."created_at" < $1', 0.01, 1),
    Text('DELETE FROM "{t}" WHERE "{t}"."id" IN ($1, $2, $3, $4, $5)', 0.0006, 5),
    Text('INSERT INTO "{t}" ("state", "created_at", "note") VALUES ($1, $2, $3) RETURNING "{t}"."id"', 0.0003, 1),
    Text('ALTER TABLE "{t}" ALTER COLUMN "state" SET DEFAULT $1', 0.0004, None),
    Text('INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ($1, $2, $3)', 0.0002, 1),
)


@dataclass
class Story:
    """`works` and `statements` go along with `migrations`: what each did first, and how many statements it has."""

    releases: list[Row] = field(default_factory=list)
    rehearsals: list[Row] = field(default_factory=list)
    migrations: list[Row] = field(default_factory=list)
    stalls: list[Row] = field(default_factory=list)
    findings: list[Row] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    works: list[int] = field(default_factory=list)
    statements: list[int] = field(default_factory=list)


def tell(statements: int, seed: int) -> Story:
    """A story with exactly so many statements, at least one."""
    chance = random.Random(seed)
    migrations = max(1, statements // STATEMENTS_PER_MIGRATION)
    story = Story(statements=shares(statements, migrations, chance))
    count = max(1, migrations // MIGRATIONS_PER_REHEARSAL)
    story.releases = list(releases(1 + count // REHEARSALS_PER_RELEASE))
    for number, length in enumerate(shares(migrations, count, chance)):
        add_rehearsal(
            story, number, when=BEGINNING + (END - BEGINNING) * (number / count), length=length, chance=chance
        )
    return story


def shares(total: int, parts: int, chance: random.Random) -> list[int]:
    """`total` cut into `parts` of at least one each: many small, a few large."""
    weights = [chance.lognormvariate(0, 1) for _ in range(parts)]
    scale = (total - parts) / sum(weights)
    ends = [0, *(round(reached * scale) for reached in accumulate(weights))]
    return [1 + end - start for start, end in pairwise(ends)]


def releases(count: int) -> Iterator[Row]:
    for number in range(count):
        built = BEGINNING + (END - BEGINNING) * ((number + 1) / count)
        yield {
            "id": number + 1,
            "version": f"{1 + number // 20}.{number % 20}.0",
            "git_commit": digest("release", number)[:40],
            "image_digest": f"sha256:{digest('image', number)}",
            "status": "rolled back" if number % 17 == 11 else "deployed",
            "created_at": built,
            "deployed_at": built + timedelta(minutes=25),
        }


def add_rehearsal(story: Story, number: int, when: datetime, length: int, chance: random.Random) -> None:
    identifier = f"{when:%Y%m%dT%H%M%S}-{digest('rehearsal', number)[:6]}"
    added = [add_migration(story, number + 1, position, chance) for position in range(length)]
    stalls = {table: stall(work, chance) for table, work in added}
    story.stalls += [
        {"rehearsal_id": number + 1, "table": table, "read_ms": read, "write_ms": write, "derived": number % 3 == 0}
        | {"rows": chance.randrange(10_000, 5_000_000), "size_bytes": chance.randrange(10**6, 10**9)}
        for table, (read, write) in stalls.items()
    ]
    read_ms, write_ms = (max(stall[which] for stall in stalls.values()) for which in (0, 1))
    verdict = judge(read_ms, write_ms)
    add_findings(story, number + 1, added, stalls)
    totals = {"seconds": round(chance.lognormvariate(0, 1), 3), "read_stall_ms": read_ms, "write_stall_ms": write_ms}
    document = {"schema_version": 1, "id": identifier, "created_at": when.isoformat(), "verdict": verdict}
    story.rehearsals.append(
        {
            "id": number + 1,
            "identifier": identifier,
            "created_at": when,
            "ingested_at": when + timedelta(minutes=1),
            "release_id": 1 + number // REHEARSALS_PER_RELEASE,
            "project": "shop",
            "git_commit": digest("commit", number)[:40],
            "git_branch": chance.choice(("main", "feature/refunds", "feature/stock-levels", "fix/slow-orders")),
            "plan_fingerprint": digest("plan", number),
            "source_kind": chance.choice(("dump", "dump", "url")),
            "server_version": "15.8" if number % 2 else "17.2",
            "verdict": verdict,
            "document": json.dumps({**document, "totals": totals}),
            **totals,
        }
    )


def add_migration(story: Story, rehearsal: int, position: int, chance: random.Random) -> tuple[str, Work]:
    app = chance.choice(list(TABLES))
    table = chance.choice(TABLES[app])
    which = chance.choices(range(len(WORKS)), weights=(4, 2, 2, 3, 1, 8))[0]
    story.migrations.append(
        {
            "id": len(story.migrations) + 1,
            "rehearsal_id": rehearsal,
            "position": position,
            "app_label": app,
            "name": f"{chance.randrange(2, 120):04}_{table.partition('_')[2]}_{WORKS[which].slug}",
            "atomic": chance.random() < 0.95,
            "status": "applied",
            "started_s": round(position * 1.7, 3),
            "seconds": round(chance.lognormvariate(-1, 1), 4),
        }
    )
    story.tables.append(table)
    story.works.append(which)
    return table, WORKS[which]


def stall(work: Work, chance: random.Random) -> tuple[float, float]:
    """Milliseconds that readers and writers waited."""
    felt = round(work.text.seconds * 1000 * chance.lognormvariate(1, 1), 1)
    return (0.0 if work.hazard == "H01" else felt), felt


def judge(read_ms: float, write_ms: float) -> str:
    if read_ms > 1000 or write_ms > 2000:
        return "fail"
    return "warn" if read_ms > 200 or write_ms > 400 else "pass"


def add_findings(
    story: Story, rehearsal: int, added: list[tuple[str, Work]], stalls: dict[str, tuple[float, float]]
) -> None:
    for position, (table, work) in enumerate(added):
        read_ms, write_ms = stalls[table]
        story.findings.append(
            {
                "rehearsal_id": rehearsal,
                "position": position,
                "hazard": work.hazard,
                "name": work.name,
                "severity": {"pass": "note", "warn": "warning", "fail": "failure"}[judge(read_ms, write_ms)],
                "table": table,
                "migration": f"{table.partition('_')[0]}.{work.slug}",
                "summary": f"Readers of {table} waited {read_ms:.0f} ms and writers {write_ms:.0f} ms.",
                "advice": work.advice,
                "advice_django": "",
            }
        )


def digest(*words: object) -> str:
    return hashlib.sha256(repr(words).encode()).hexdigest()
