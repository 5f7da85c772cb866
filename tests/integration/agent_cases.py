"""Operations and what the agent must see of each: the catalogue's claims, confirmed on each server and driver."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.integration.agent_stage import Event, Stage, Told

AX, SRX, S, SUX, RX = (
    "AccessExclusiveLock",
    "ShareRowExclusiveLock",
    "ShareLock",
    "ShareUpdateExclusiveLock",
    "RowExclusiveLock",
)
STRONG = [SUX, S, SRX, AX]  # in rising order


@dataclass(frozen=True)
class Case:
    """One operation, the strong locks it takes on tables that existed, what it rewrites and what it reads whole."""

    name: str
    operation: str
    locks: set[tuple[str, str]]
    rewrites: set[str] = frozenset()  # type: ignore[assignment]
    scans: set[str] = frozenset()  # type: ignore[assignment]


def runs(statement: str) -> str:
    return f'migrations.RunSQL("{statement}")'


# Measured before on PostgreSQL 18.6; here each claim is confirmed or refuted.
CASES = [
    Case("add_nullable", 'migrations.AddField("big", "a", models.TextField(null=True))', {("big", AX)}),
    Case("add_with_default", 'migrations.AddField("big", "b", models.IntegerField(default=7))', {("big", AX)}),
    Case(
        "add_checked",
        'migrations.AddField("big", "c", models.PositiveIntegerField(default=7))',
        {("big", AX)},
        scans={"big"},
    ),
    Case(
        "add_volatile",
        runs("ALTER TABLE shop_big ADD u uuid DEFAULT gen_random_uuid()"),
        {("big", AX)},
        rewrites={"big"},
        scans={"big"},
    ),
    Case(
        "add_foreign_key",
        'migrations.AddField("big", "boss", models.ForeignKey("shop.Cust", models.CASCADE, null=True))',
        {("big", AX), ("cust", SRX)},
        scans={"big"},
    ),
    Case(
        "add_index",
        'migrations.AddIndex("big", models.Index(fields=["code"], name="big_code"))',
        {("big", S)},
        scans={"big"},
    ),
    Case("remove_index", 'migrations.RemoveIndex("big", "big_code")', {("big", AX)}),
    Case(
        "widen_type",
        'migrations.AlterField("big", "n", models.BigIntegerField(null=True, db_index=True))',
        {("big", AX)},
        rewrites={"big"},
        scans={"big"},
    ),
    Case("widen_varchar", 'migrations.AlterField("big", "code", models.CharField(max_length=90))', {("big", AX)}),
    Case("set_not_null", runs("ALTER TABLE shop_big ALTER n SET NOT NULL"), {("big", AX)}, scans={"big"}),
    Case(
        "add_check",
        'migrations.AddConstraint("big", models.CheckConstraint(**{CHECK: models.Q(n__gte=0)}, name="n_positive"))',
        {("big", AX)},
        scans={"big"},
    ),
    Case(
        "add_check_not_valid",
        'postgres.AddConstraintNotValid("big", models.CheckConstraint(**{CHECK: models.Q(n__lt=9999)}, name="small"))',
        {("big", AX)},
    ),
    Case("validate_check", 'postgres.ValidateConstraint("big", "small")', {("big", SUX)}, scans={"big"}),
    Case(
        "add_unique",
        'migrations.AddConstraint("big", models.UniqueConstraint(fields=["n"], name="n_once"))',
        {("big", AX)},
        scans={"big"},
    ),
    Case(
        "add_foreign_key_to_old_column",
        runs("ALTER TABLE shop_big ADD CONSTRAINT to_cust FOREIGN KEY (cust_id) REFERENCES shop_cust"),
        {("big", SRX), ("cust", SRX)},
        scans={"big", "cust"},
    ),
    Case("drop_foreign_key", runs("ALTER TABLE shop_big DROP CONSTRAINT to_cust"), {("big", AX), ("cust", AX)}),
    Case("reindex", runs("REINDEX INDEX shop_big_n"), {("big", S)}, rewrites={"big (indexes)"}, scans={"big"}),
    Case(
        "cluster",
        runs("CLUSTER shop_big USING shop_big_pkey"),
        {("big", AX)},
        rewrites={"big"},
        scans={"big"},
    ),
    Case(
        "backfill",
        'migrations.RunPython(lambda apps, editor: apps.get_model("shop", "Big").objects.update(code="x"))',
        set(),
        scans={"big"},
    ),
    Case("remove_field", 'migrations.RemoveField("big", "a")', {("big", AX)}),
    Case("truncate", runs("TRUNCATE shop_child"), {("child", AX)}, rewrites={"child"}, scans={"child"}),
    Case("delete_model", 'migrations.DeleteModel("Child")', {("child", AX), ("big", AX)}),
]


# Django 5.1 renamed the argument; Django 6 has forgotten the old name.
_CHECK = 'import django\nCHECK = "condition" if django.VERSION >= (5, 1) else "check"\n'


def rehearse_all(stage: Stage) -> Told:
    """All cases in one run, a migration each, numbered from 2."""
    for number, case in enumerate(CASES, 2):
        stage.migration(f"{number:04}_{case.name}", case.operation, before=_CHECK)
    return stage.rehearse()


def check(told: Told, number: int) -> None:
    """Hold one case against what was told of its migration."""
    case = CASES[number - 2]
    assert told.code == 0, told.events[-1]
    statements = told.statements(f"{number:04}_{case.name}")
    assert strongest(lock for one in statements for lock in one["locks"]) == case.locks
    assert {rewritten(found) for one in statements for found in one["rewrites"]} == case.rewrites
    assert {short(scan) for one in statements for scan in one["scans"]} == case.scans
    assert [one["sql"] for one in statements if one["operation"] != 0] == []


def strongest(locks: Iterable[Event]) -> set[tuple[str, str]]:
    """The strongest lock on each table, where it stops writers or other changes of the table."""
    held: dict[str, str] = {}
    for lock in locks:
        if lock["mode"] in STRONG:
            held[short(lock)] = max(held.get(short(lock), SUX), lock["mode"], key=STRONG.index)
    return set(held.items())


def short(found: Event) -> str:
    return str(found["table"]).removeprefix("public.shop_")


def rewritten(found: Event) -> str:
    return short(found) + (" (indexes)" if found["only_indexes"] else "")
