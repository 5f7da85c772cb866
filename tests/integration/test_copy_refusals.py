"""What a role may not do, and what cannot be copied, is one sentence, before anything is made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from greenroom.console import Silent
from greenroom.copies.acquiring import acquire
from greenroom.errors import GreenroomError
from greenroom.postgres import journal
from greenroom.postgres.server import connect
from greenroom.secret import Secret
from tests.integration.copy_sources import source, source18
from tests.integration.shop import PLANTED, Shop, request
from tests.integration.sources import state

__all__ = ["source", "source18", "state"]


def test_template_with_somebody_connected_is_refused_and_disconnects_nobody(source18: Shop) -> None:
    before = source18.state()
    with connect(source18.admin) as other:
        with pytest.raises(GreenroomError) as caught, acquire(request(url=source18.url(), template=True), Silent()):
            pass
        assert other.execute("SELECT 1").fetchone() == (1,)
    assert str(caught.value) == (
        f"others are connected to {source18.address.database}, and a copy by TEMPLATE needs it to itself; "
        "nobody was disconnected.\n  Leave --template out: then the rows are copied while others work there."
    )
    assert source18.state() == before and journal.intents() == []


def test_role_that_may_not_create_databases_is_told(source18: Shop) -> None:
    with connect(source18.admin) as admin:
        admin.execute(f"ALTER ROLE {source18.owner} NOCREATEDB".encode())
    with pytest.raises(GreenroomError) as caught, acquire(request(url=source18.url()), Silent()):
        pass
    where = source18.address.server
    assert str(caught.value).startswith(f"{source18.owner} may not create a database ")
    assert str(caught.value).endswith(
        f'on {where}.\n  Ask for it: ALTER ROLE "{source18.owner}" CREATEDB, and membership in the source\'s owner.'
    )
    assert journal.intents() == []


def test_role_that_may_not_read_is_told_which_table(source18: Shop) -> None:
    with connect(source18.admin) as admin:
        admin.execute("CREATE TABLE hidden (id int)")
    with pytest.raises(GreenroomError) as caught, acquire(request(url=source18.url()), Silent()):
        pass
    name, where = source18.address.database, source18.address.server
    assert caught.value.sentence == f"{source18.owner} may not read public.hidden of {name} on {where}."
    assert journal.intents() == []


def test_role_that_may_not_read_a_large_object_is_told_before_anything_is_read(source: Shop) -> None:
    """pg_dump would find out in the end; and pg_read_all_data does not help."""
    with connect(source.admin) as admin:
        admin.execute("SELECT lo_from_bytea(0, 'x') FROM generate_series(1, 2)")
        admin.execute(f"GRANT pg_read_all_data TO {source.owner}".encode())
        oids = [oid for (oid,) in admin.execute("SELECT oid FROM pg_largeobject_metadata ORDER BY 1")]
    with pytest.raises(GreenroomError) as caught, acquire(request(url=source.url()), Silent()):
        pass
    name, where = source.address.database, source.address.server
    objects = f"{oids[0]}, {oids[1]}"
    assert str(caught.value) == (
        f"{source.owner} may not read the large objects {objects} of {name} on {where}.\n"
        f"  Use their owner or a superuser, or let this role: GRANT SELECT ON LARGE OBJECT {oids[0]} TO "
        f'"{source.owner}", and so on; or leave them out (exclude_data).'
    )
    with connect(source.admin) as admin:
        admin.execute(f"GRANT SELECT ON LARGE OBJECT {objects} TO {source.owner}".encode())
    with acquire(request(url=source.url()), Silent()) as copy, connect(copy.admin) as connection:
        assert connection.execute("SELECT lo_get(oid) FROM pg_largeobject_metadata").fetchall() == [(b"x",)] * 2


def test_keep_without_a_source_is_refused() -> None:
    with pytest.raises(GreenroomError) as caught, acquire(request(keep=True), Silent()):
        pass
    assert caught.value.sentence == "--keep keeps a copy of your data, and the demo's is made anew at any time."


def test_url_with_a_wrong_password_touches_nothing(source18: Shop) -> None:
    wrong = source18.url(replace(source18.address, password=Secret("wr0ng-s3cret")))
    with pytest.raises(GreenroomError) as caught, acquire(request(url=wrong), Silent()):
        pass
    assert "wr0ng-s3cret" not in str(caught.value) and PLANTED not in str(caught.value)
    assert journal.intents() == []
