"""A migration's operations, said again as steps in which nobody has to wait; each becomes a migration of its own."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence

from .operations import flatten, model_of, name_of, nested_in
from .session import raw_cursor
from .twin_bounds import Held, Setting, held, in_force
from .twin_frames import framed
from .twin_joining import Step, joined
from .twin_sql import (
    BRIEF,
    CONCURRENT,
    FILL,
    VALIDATE,
    Column,
    Piece,
    Unwritable,
    dropped_indexes,
    foreign_keys,
    pieces_of,
)

APART = frozenset(("H12", "H41", "H46"))  # what mends them is that every operation has a migration of its own
PARTITIONED = (
    "its table is partitioned, where the server refuses CONCURRENTLY (build the index CONCURRENTLY on each"
    " partition, then ON ONLY the table, and ATTACH them to that)"
)
CONSTANTS = (bool, bytes, dict, float, int, list, set, str, tuple)  # called without arguments, always the same


class Ran(NamedTuple):
    """What was seen of a migration: by operation what the schema editor ran, and what outlasts it; the limits."""

    performed: Dict[int, List[str]]
    bound: Dict[int, List[str]]
    limits: Dict[str, str]


class Unwritten(NamedTuple):
    """An operation that stays as it is, and why."""

    operation: int
    why: str


class Rewriting:
    """One migration: `steps` when it has been said again, `left` what could not be."""

    def __init__(
        self,
        wrapper: Any,
        migration: Any,
        before: Any,
        wanted: Dict[int, List[str]],
        ran: Ran,
        advised: str,
    ) -> None:
        self._wrapper, self._migration, self._wanted, self._ran = wrapper, migration, wanted, ran
        self._advised = advised
        self.state = before.clone()
        self.left: List[Unwritten] = []
        self.written: List[int] = []
        self.apart = any(APART & set(hazards) for hazards in wanted.values())
        self.steps = [self._framed(step) for step in joined(self._steps())]

    def _steps(self) -> Iterable[Step]:
        index = 0
        settings: List[Setting] = []
        for operation in self._migration.operations:
            inner = list(flatten([operation]))
            count = len(inner)
            hazards = [hazard for at in range(index, index + count) for hazard in self._wanted.get(at, [])]
            operation.state_forwards(self._migration.app_label, self.state)
            steps = self._said_again(operation, index) if set(hazards) - APART else None
            texts = [text for at in range(index, index + count) for text in self._ran.bound.get(at, [])]
            after = held(inner, texts, bool(self._migration.atomic)) if steps is None and texts else Held()
            if steps is None:
                steps = [Step([operation], self._is_atomic(operation), "" if self.apart else "kept", held=after)]
            yield from (step._replace(settings=tuple(settings), model=model_of(operation)) for step in steps)
            settings = in_force(settings, after.settings)
            index += count

    def _framed(self, step: Step) -> Step:
        """With its settings; a twin of one step has them all as they were."""
        operations = framed(
            step.operations, step.kind, step.atomic, step.settings, self._ran.limits, _hints(step.model), self._advised
        )
        return step._replace(operations=operations)

    def _is_atomic(self, operation: Any) -> bool:
        """As it was; what Django refuses in a transaction has a migration that is none."""
        return bool(self._migration.atomic) and not type(operation).__name__.endswith("Concurrently")

    def _said_again(self, operation: Any, index: int) -> Optional[List[Step]]:
        try:
            if nested_in(operation) is not None:
                raise Unwritable("it is written by hand already, with operations for the database of its own")
            steps = self._rewritten(operation, self._ran.performed.get(index, []))
            self._refuse_partitioned(operation, steps)
            _hint(operation, steps)
        except Unwritable as error:
            self.left.append(Unwritten(index, "%s: %s" % (operation.describe(), error)))
            return None
        self.written.append(index)
        return steps

    def _rewritten(self, operation: Any, statements: Sequence[str]) -> List[Step]:
        from django.db import migrations

        kind = type(operation)
        if kind is migrations.AddIndex:
            return [_concurrent("AddIndexConcurrently", operation, _dropped_first(statements))]
        if kind is migrations.RemoveIndex:
            return [_concurrent("RemoveIndexConcurrently", operation)]
        if kind is migrations.AddConstraint and type(operation.constraint).__name__ == "CheckConstraint":
            return _check(operation)
        if kind is migrations.CreateModel or (kind is migrations.AddField and operation.field.many_to_many):
            return _without_keys(operation, statements)
        if kind in (migrations.AddField, migrations.AlterField):
            if any(text.startswith("UPDATE") or " DEFAULT " in text for text in statements):
                _refuse_moving_default(operation.field)
            column = self._column(operation) if kind is migrations.AddField else Column()
            return _from_sql(operation, pieces_of(statements, column), first=kind is migrations.AddField)
        if kind in (migrations.AddConstraint, migrations.AlterUniqueTogether):
            return _from_sql(operation, pieces_of(statements, Column()))
        raise Unwritable("an operation of this kind has no twin that could be written without thinking")

    def _refuse_partitioned(self, operation: Any, steps: Sequence[Step]) -> None:
        if all(step.kind != CONCURRENT for step in steps):
            return
        table = self.state.apps.get_model(self._migration.app_label, model_of(operation))._meta.db_table
        with raw_cursor(self._wrapper.connection) as cursor:
            query = "SELECT relkind = 'p' FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass(%s)"
            cursor.execute(query, [self._wrapper.ops.quote_name(table)])
            if cursor.fetchone() == (True,):
                raise Unwritable(PARTITIONED)

    def _column(self, operation: Any) -> Column:
        """What the server has called the constraints that came with the column."""
        model = self.state.apps.get_model(self._migration.app_label, operation.model_name)
        field = model._meta.get_field(operation.name)
        if not field.column:
            return Column()
        check = field.db_parameters(connection=self._wrapper)["check"] or ""
        return Column(
            unique=self._constraint(model, field, "u") if field.unique else None,
            check=self._constraint(model, field, "c") if check else None,
            check_sql=check,
        )

    def _constraint(self, model: Any, field: Any, kind: str) -> str:
        quote = self._wrapper.ops.quote_name
        with raw_cursor(self._wrapper.connection) as cursor:
            cursor.execute(
                "SELECT pg_catalog.quote_ident(conname), conname FROM pg_catalog.pg_constraint"
                " WHERE conrelid = %s::regclass AND contype = %s AND conkey = ARRAY[("
                "SELECT attnum FROM pg_catalog.pg_attribute WHERE attrelid = conrelid AND attname = %s)]",
                [quote(model._meta.db_table), kind, field.column],
            )
            names = [str(name) for _, name in cursor.fetchall()]
        if len(names) != 1:
            raise Unwritable("it cannot be told how the server calls the constraint of the column %s" % field.column)
        return '"%s"' % names[0].replace('"', '""')


def _concurrent(name: str, operation: Any, before: Sequence[Any] = ()) -> Step:
    from django.contrib.postgres import operations

    _, positional, words = operation.deconstruct()
    made = getattr(operations, name)(*positional, **words)
    return Step([*before, made], False, CONCURRENT, frozenset([name_of(operation) or ""]))


def _dropped_first(statements: Sequence[str]) -> List[Any]:
    """What a build that was cut off has left: Django's own operation would stumble over it."""
    from django.db import migrations

    drops = [drop for text in statements for drop in dropped_indexes(text)]
    return [migrations.RunSQL(sql=drop, reverse_sql=migrations.RunSQL.noop) for drop in drops]


def _check(operation: Any) -> List[Step]:
    from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint

    model, constraint = operation.model_name, operation.constraint
    return [
        Step([AddConstraintNotValid(model_name=model, constraint=constraint)], True, BRIEF, frozenset([model])),
        Step([ValidateConstraint(model_name=model, name=constraint.name)], True, VALIDATE),
    ]


def _without_keys(operation: Any, statements: Sequence[str]) -> List[Step]:
    """A new table is nobody's yet: only its foreign keys lock others, and each parent is locked on its own."""
    from django.db import migrations

    keys = foreign_keys(statements)
    if not keys:
        raise Unwritable("nothing of it locks a table that others use")
    _, positional, words = operation.deconstruct()
    bare = type(operation)(*positional, **words)
    if isinstance(bare, migrations.CreateModel):
        bare.fields = [(name, _bare(field)) for name, field in bare.fields]
    else:
        bare.field = _bare(bare.field)
    made = migrations.SeparateDatabaseAndState(database_operations=[bare], state_operations=[operation])
    return [Step([made], True), *(_step(piece, _run(piece)) for piece in keys)]


def _bare(field: Any) -> Any:
    """The field without a foreign key in the database."""
    copy = field.clone()
    if field.many_to_many and not field.remote_field.through:
        copy.remote_field.db_constraint = False
    elif field.many_to_one or field.one_to_one:
        copy.db_constraint = False
    return copy


def _from_sql(operation: Any, pieces: Sequence[Piece], first: bool = False) -> List[Step]:
    """Pieces of SQL, and the operation for the project's state: with the first piece of a new column, else the last."""
    from django.db import migrations

    if not pieces:
        raise Unwritable("it has run nothing that could be written otherwise")
    steps = [_step(piece, _run(piece)) for piece in pieces]
    at = 0 if first else len(steps) - 1
    both = migrations.SeparateDatabaseAndState(database_operations=steps[at].operations, state_operations=[operation])
    steps[at] = steps[at]._replace(operations=[both])
    return steps


def _run(piece: Piece) -> List[Any]:
    from django.db import migrations

    backwards = list(piece.reverse)
    many = len(piece.sql) > 1
    reverse: Any = backwards if len(backwards) > 1 else backwards[0] if backwards else migrations.RunSQL.noop
    return [migrations.RunSQL(sql=list(piece.sql) if many else piece.sql[0], reverse_sql=reverse)]


def _hint(operation: Any, steps: Sequence[Step]) -> None:
    """Tell SQL's routers of which model it is, as operations of Django do: where there are any."""
    from django.db import migrations

    hints = _hints(model_of(operation))
    for one in flatten(each for step in steps for each in step.operations) if hints else ():
        if isinstance(one, migrations.RunSQL):
            one.hints = hints


def _hints(model: Optional[str]) -> Dict[str, Any]:
    from django.conf import settings

    return {"model_name": model} if settings.DATABASE_ROUTERS and model else {}


def _step(piece: Piece, operations: List[Any]) -> Step:
    tables = piece.tables if piece.kind == BRIEF else frozenset()
    return Step(operations, piece.kind not in (CONCURRENT, FILL), piece.kind, tables)


def _refuse_moving_default(field: Any) -> None:
    """What is computed when it runs would be written down as it was on the copy."""
    moving = field.has_default() and callable(field.default) and field.default not in CONSTANTS
    if moving or getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        raise Unwritable("its default is computed when it runs")
