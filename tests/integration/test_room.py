"""Is there room? Of file systems here, and of servers as far as they tell."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg import pq
from psycopg.conninfo import make_conninfo

from greenroom.config import PostgresTarget
from greenroom.errors import GreenroomError
from greenroom.postgres import room
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import of_major
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.server import connect
from greenroom.secret import Secret

GB = 10**9
HINT = "Make room, set TMPDIR to another disk, restore elsewhere (--server) or copy less (exclude_data)."


@pytest.fixture
def reader(server18: Server) -> Iterator[Address]:
    """An ordinary role: it may not ask where the data lies, nor list the WAL."""
    role = f"reader{secrets.token_hex(3)}"
    with connect(server18.address) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'pl4nted'".encode())
        yield server18.address.as_role(role, Secret("pl4nted"))
        admin.execute(f"DROP ROLE {role}".encode())


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What each directory has free, by name."""
    told: dict[str, int] = {}
    monkeypatch.setattr(room, "free_bytes", lambda directory: told[directory.name])
    return told


def target(**more: object) -> PostgresTarget:
    return PostgresTarget.model_validate({"host": "db.internal", "name": "shop", "user": "reader", **more})


def refused(*, archive: Path | None, data: Path | None, rewritten_bytes: int = 0) -> str:
    with pytest.raises(GreenroomError) as caught:
        room.refuse_too_small(4 * GB, archive=archive, data=data, rewritten_bytes=rewritten_bytes)
    assert caught.value.hint == HINT
    return caught.value.sentence


def test_refuse_too_small_counts_one_file_system_once(tmp_path: Path, free: dict[str, int]) -> None:
    scratch, data = tmp_path / "scratch", tmp_path / "data"
    scratch.mkdir()
    data.mkdir()
    free.update(scratch=5 * GB, data=5 * GB)
    assert refused(archive=scratch, data=data) == f"{scratch} has 5.0 GB free, and the copy needs about 6.0 GB there."
    room.refuse_too_small(4 * GB, archive=None, data=data)
    room.refuse_too_small(4 * GB, archive=scratch, data=None)


def test_refuse_too_small_of_two_file_systems(tmp_path: Path, free: dict[str, int]) -> None:
    memory = Path("/dev/shm")
    assert memory.stat().st_dev != tmp_path.stat().st_dev
    free.update({tmp_path.name: 2 * GB, "shm": 3_900_000_000})
    assert refused(archive=tmp_path, data=memory) == "/dev/shm has 3.9 GB free, and the copy needs about 4.0 GB there."
    free["shm"] = 4 * GB
    room.refuse_too_small(4 * GB, archive=tmp_path, data=memory)


def test_refuse_too_small_for_rows_that_are_masked(tmp_path: Path, free: dict[str, int]) -> None:
    free[tmp_path.name] = 4 * GB
    room.refuse_too_small(4 * GB, archive=None, data=tmp_path)
    assert refused(archive=None, data=tmp_path, rewritten_bytes=450_000_000) == (
        f"{tmp_path} has 4.0 GB free, and the copy needs about 4.9 GB there."
    )


def test_refuse_too_small_of_a_real_file_system(tmp_path: Path) -> None:
    room.refuse_too_small(1, archive=tmp_path, data=tmp_path)
    with pytest.raises(GreenroomError):
        room.refuse_too_small(10**18, archive=tmp_path, data=tmp_path)


def test_size_to_copy_leaves_out_what_is_excluded(server: Server) -> None:
    name = f"sized{secrets.token_hex(3)}"
    with connect(server.address) as maintenance:
        maintenance.execute(f"CREATE DATABASE {name}".encode())
        with connect(server.address.at(name)) as admin:
            admin.execute('CREATE TABLE "Audit.log" AS SELECT n, md5(n::text) FROM generate_series(1, 20000) AS n')
            whole, rest = room.size_to_copy(admin, []), room.size_to_copy(admin, ['public."Audit.log"'])
            row = admin.execute("""SELECT pg_total_relation_size('"Audit.log"')""").fetchone()
        maintenance.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
    assert row is not None
    assert whole - rest == row[0] > 1_000_000


def test_size_to_mask_is_that_of_the_largest_table_with_its_parts(server: Server) -> None:
    name, rows = f"masked{secrets.token_hex(3)}", "SELECT n, md5(n::text) FROM generate_series({}, {}) AS n"
    with connect(server.address) as maintenance:
        maintenance.execute(f"CREATE DATABASE {name}".encode())
        with connect(server.address.at(name)) as admin:
            admin.execute("CREATE TABLE visit (n int, who text) PARTITION BY RANGE (n)")
            admin.execute('CREATE TABLE "visit 1" PARTITION OF visit FOR VALUES FROM (1) TO (20001)')
            admin.execute('CREATE TABLE "visit 2" PARTITION OF visit FOR VALUES FROM (20001) TO (40001)')
            admin.execute(f"INSERT INTO visit {rows.format(1, 40000)}".encode())
            admin.execute(f"CREATE TABLE person AS {rows.format(1, 10000)}".encode())
            tables = [("public", "visit"), ("public", "person"), ("public", "nowhere")]
            both, rest = room.size_to_mask(admin, tables, []), room.size_to_mask(admin, tables, ['public."visit 2"'])
            row = admin.execute("""SELECT pg_table_size('"visit 1"'), pg_table_size('"visit 2"')""").fetchone()
            assert room.size_to_mask(admin, [], []) == 0
        maintenance.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
    assert row is not None
    assert (both, rest) == (sum(row), row[0]) and row[0] > 1_000_000


def test_server_room_of_a_server_on_this_machine(server: Server) -> None:
    with connect(server.address) as admin:
        found = room.server_room(admin, disk_gb=0.001)
    assert found is not None and found.how == "as its file system says"
    assert abs(found.free - room.free_bytes(server.data)) < GB


def test_server_room_of_another_machine_is_not_known(server18: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """127.0.0.1 may be a tunnel: without a process of that number and title here, nothing here is asked."""
    with connect(server18.address) as admin:
        monkeypatch.setattr(Path, "read_bytes", lambda _path: b"/usr/sbin/sshd\0-D\0")
        assert room.server_room(admin) is None


def test_server_room_by_the_size_of_its_disk(server18: Server, reader: Address) -> None:
    with connect(server18.address) as admin:
        row = admin.execute("SELECT sum(pg_database_size(oid)) FROM pg_database").fetchone()
    assert row is not None
    with connect(reader) as asking:
        assert room.server_room(asking) is None
        found = room.server_room(asking, disk_gb=200)
        row_wal = asking.execute("SELECT pg_size_bytes(current_setting('max_wal_size'))").fetchone()
    assert found is not None and row_wal is not None
    assert found.how == "disk_gb = 200 less all databases and WAL"
    assert abs(200 * GB - int(row[0]) - row_wal[0] - found.free) < 100_000_000  # others' databases come and go


def test_refuse_no_room_on_server_that_is_too_small(server18: Server, reader: Address) -> None:
    with connect(reader) as asking, pytest.raises(GreenroomError) as caught:
        room.refuse_no_room_on_server(asking, target(disk_gb=0.001), 10 * GB)
    with connect(reader) as asking:
        row = asking.execute("SELECT pg_size_bytes(current_setting('max_wal_size'))").fetchone()
    assert row is not None
    assert str(caught.value) == (
        "db.internal:5432 has 0 MB free (disk_gb = 0.001 less all databases and WAL), and a branch needs about "
        f"{room.told(12 * GB + row[0])} there, for the copy, its WAL and its sort files; others use that disk.\n"
        "  Leave --remote out (the copy is then made here), copy less (exclude_data), or make room there."
    )


def test_refuse_no_room_on_server_for_rows_that_are_masked(reader: Address) -> None:
    """Which are there three times for a while; for the copy alone there is room."""
    with connect(reader) as asking:
        found = room.server_room(asking, disk_gb=1000)
        assert found is not None
        size = int(found.free / 2)
        room.refuse_no_room_on_server(asking, target(disk_gb=1000), size)
        with pytest.raises(GreenroomError) as caught:
            room.refuse_no_room_on_server(asking, target(disk_gb=1000), size, rewritten_bytes=size)
    assert ", for the copy, its WAL and what masks write anew; others use that disk." in caught.value.sentence


@contextmanager
def standby(server: Server) -> Iterator[None]:
    """As far as the server knows: a session that is sent its WAL."""
    with open(server.data / "pg_hba.conf", "a") as file:
        file.write("host replication all 127.0.0.1/32 scram-sha-256\n")
    with connect(server.address) as admin:
        row = admin.execute("SELECT pg_current_wal_flush_lsn()::text FROM pg_reload_conf()").fetchone()
    assert row
    follower = pq.PGconn.connect(make_conninfo(**{**server.address.parameters, "replication": "true"}).encode())
    begun = follower.exec_(f"START_REPLICATION PHYSICAL {row[0]}".encode())
    assert begun.status == pq.ExecStatus.COPY_BOTH
    yield
    follower.finish()


def test_refuse_no_room_on_server_names_standbys() -> None:
    settings = {"wal_level": "replica", "max_wal_senders": "2"}
    with embedded(binaries=of_major(18), settings=settings) as server, connect(server.address) as admin:
        assert room.refuse_no_room_on_server(admin, target(), 4 * GB) == []
        with standby(server):
            assert room.refuse_no_room_on_server(admin, target(), 4 * GB) == [
                "a standby follows db.internal:5432: the branch (4.0 GB) and its WAL go there too, and are not "
                "counted there"
            ]


def test_refuse_no_room_on_server_that_tells_nothing(reader: Address) -> None:
    with connect(reader) as asking:
        assert room.refuse_no_room_on_server(asking, target(), 4 * GB) == [
            "whether the disk of db.internal:5432 has room for a second copy (4.0 GB) could not be checked: "
            "disk_gb in the target's table tells how large it is"
        ]


def test_refuse_no_room_on_server_names_what_it_could_not_see(server18: Server, reader: Address) -> None:
    closed = f"closed{secrets.token_hex(3)}"
    with connect(server18.address) as admin:
        admin.execute(f"CREATE DATABASE {closed}".encode())
        try:
            admin.execute(f"REVOKE CONNECT ON DATABASE {closed} FROM PUBLIC".encode())
            with connect(reader) as asking:
                notes = room.refuse_no_room_on_server(asking, target(disk_gb=10_000), 4 * GB)
        finally:
            admin.execute(f"DROP DATABASE {closed}".encode())
    assert len(notes) == 1
    assert notes[0].startswith("reader may not see the size of ") and closed in notes[0]
    assert notes[0].endswith(": counted as nothing in the server's room")
