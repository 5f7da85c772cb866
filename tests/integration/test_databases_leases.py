"""A lease lives with its process, and is of one database: what was renamed or restored is not ours any more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from greenroom.errors import GreenroomError
from greenroom.postgres import journal, lease
from greenroom.postgres.holding import Held, held
from greenroom.postgres.lease import Lease
from greenroom.postgres.leftovers import standing_on
from greenroom.postgres.server import connect
from greenroom.postgres.way import Way
from tests.integration.shop import Shop
from tests.integration.sources import source, state
from tests.integration.standing_copies import ROOT, dead_pid, inv, made, stands, states, terms

pytestmark = pytest.mark.full

__all__ = ["source", "state"]


def test_lease_is_renewed_while_its_process_lives(source: Shop) -> None:
    maintenance, name = source.address.at("postgres"), f"{source.address.database}__long"
    short = terms(hours=2 / 3600)
    with held(maintenance, name, short, keep=False) as copy:
        copy.connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        copy.grant()
        deadline = time.monotonic() + 20
        while not (found := the_lease(copy.connection, name)).until > short.until:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert (found.id, found.made) == (short.id, short.made)
        assert "lease" in {thread.name for thread in threading.enumerate()}
    assert copy.dropped and "lease" not in {thread.name for thread in threading.enumerate()}


def leased(source: Shop, name: str, kept: Lease | None = None) -> Held:
    """A database that was made and kept as db-branch does it; by default its lease has run out."""
    how = kept or terms(hours=-1, kept=True)
    with held(source.address.at("postgres"), name, how, keep=True) as copy:
        copy.connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        copy.grant()
        copy.whole = True
    return copy


BESIDE = """
import sys
from psycopg import sql
from greenroom.postgres.address import Address
from greenroom.postgres.holding import held
from greenroom.postgres.lease import Lease
address, name = Address.parse(sys.argv[1]), sys.argv[2]
with held(address.at("postgres"), name, Lease.new(branch="fix", source="x", hours=1), keep=False) as copy:
    copy.connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    copy.grant()
    print("held", flush=True)
    sys.stdin.read()
"""


def test_copy_of_a_machine_that_is_called_as_ours_is_alive(source: Shop) -> None:
    """Two machines of one image, or two containers with one state directory: that process cannot be seen from here."""
    name = lease.copy_name(source.address.database, "fix")
    number = "echo 4100000 > /proc/sys/kernel/ns_last_pid && exec"
    space = [
        "unshare",
        "--pid",
        "--fork",
        "--mount-proc",
        "sh",
        "-c",
        f'{number} "$0" "$@"',
        "sh",
        "-c",
        '"$0" "$@"; true',
    ]
    words = [*space, sys.executable, "-c", BESIDE, source.url(), name]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout and child.stderr
        if child.stdout.readline() != "held\n":
            assert "CI" not in os.environ, child.stderr.read()
            pytest.skip(f"needs a space of process numbers: {child.stderr.read()}")
        listed = inv("db-list", "--url", str(source.address)).stdout
        assert states(listed) == {name: "alive"}
        with connect(source.address) as connection:
            theirs = the_lease(connection, name)
        assert theirs.by == terms().by and theirs.pid > 4_000_000
        assert inv("db-reap", "--yes").returncode == 0 and stands(source, name)
        child.communicate("")
    assert not stands(source, name)


def its_creator_ends() -> None:
    """As whoever ran db-branch did long ago: the journal tells of a process that is gone."""
    ((path, _),) = journal.intents()
    path.write_text(path.read_text().replace(f'"pid": {os.getpid()}', f'"pid": {dead_pid()}'))


def renamed(source: Shop, name: str, new: str) -> None:
    with connect(source.server.address) as admin:
        words = sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(new))
        admin.execute(words)


def dropped(source: Shop, *names: str) -> None:
    with connect(source.server.address) as admin:
        for name in names:
            lease.drop(admin, name)


def test_branch_that_somebody_renamed_is_his(source: Shop) -> None:
    tag = source.address.database
    name, promoted = lease.copy_name(tag, "fix"), f"{tag}_promoted"
    leased(source, name)
    url = ("--url", str(source.address))
    assert states(inv("db-list", *url).stdout) == {name: "expired"}
    renamed(source, name, promoted)
    its_creator_ends()

    for words in (url, ()):
        shown = states(inv("db-list", *words).stdout)
        assert shown == {promoted: "renamed: not ours any more", name: "gone"}
    refused = inv("db-drop", promoted, *url, "--yes")
    assert (refused.returncode, refused.stderr) == (
        1,
        f"{promoted} bears a lease that was put on {name}. It is not dropped.\n"
        f'  It is yours: drop it yourself, or take our mark off: COMMENT ON DATABASE "{promoted}" IS NULL.\n',
    )
    assert f"dropped {name}" in inv("db-reap", "--yes").stdout.splitlines(), "what the journal knows is forgotten"
    assert inv("db-reap", *url, "--yes").stdout == "Nothing is to be dropped.\n"
    assert stands(source, promoted) and journal.intents() == []
    dropped(source, promoted)


def test_lease_of_before_says_no_name_and_holds_for_names_of_ours_alone(source: Shop) -> None:
    ours, promoted = lease.copy_name(source.address.database, "fix"), f"{source.address.database}_promoted"
    for name in (ours, promoted):
        made(source, name, None)
        content = json.loads(terms(hours=-1, kept=True).comment())
        for later in ("engine", "database", "oid", "system", "machine", "began"):
            del content[later]
        with connect(source.address) as connection:
            words = sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), json.dumps(content))
            connection.execute(words)
    url = ("--url", str(source.address))
    assert states(inv("db-list", *url).stdout) == {ours: "expired", promoted: "renamed: not ours any more"}
    assert inv("db-reap", *url, "--yes").returncode == 0
    assert (stands(source, ours), stands(source, promoted)) == (False, True)
    dropped(source, promoted)


def test_lease_that_came_with_a_dump_is_another_database_s(source: Shop, tmp_path: Path) -> None:
    """pg_dump writes the comment, and pg_restore --create puts it on what it makes."""
    name = lease.copy_name(source.address.database, "fix")
    leased(source, name)
    programs, archive = source.server.binaries, tmp_path / "dump"
    at = replace(source.server.address, database=name)
    for words in (
        [programs.program("pg_dump"), "-Fc", "--create", "-f", archive, f"--dbname={at.conninfo}"],
        [programs.program("pg_restore"), "--clean", "--create", f"--dbname={at.at('postgres').conninfo}", archive],
    ):
        subprocess.run(words, env={"PATH": "/usr/bin:/bin", **at.password_environment}, check=True)
    url = ("--url", str(source.address))
    assert states(inv("db-list", *url).stdout) == {name: "restored from a copy: not ours"}
    assert inv("db-drop", name, *url, "--yes").returncode == 1
    assert inv("db-reap", *url, "--yes").stdout == "Nothing is to be dropped.\n"
    assert stands(source, name)
    dropped(source, name)


def test_one_that_was_renamed_since_it_was_listed_is_not_dropped(source: Shop) -> None:
    """A person may take his time to answer, and the name may be another database's by then."""
    name = lease.copy_name(source.address.database, "fix")
    leased(source, name)
    (remains,) = standing_on(Way(source.admin))
    renamed(source, name, f"{name}_mine")
    for there in (False, True):
        if there:
            made(source, name, None)
        with pytest.raises(GreenroomError) as refused:
            remains.drop()
        assert refused.value.sentence.endswith("by now, so it is not dropped.")
    assert stands(source, name) and stands(source, f"{name}_mine")
    dropped(source, name, f"{name}_mine")


def test_one_that_was_renamed_while_it_was_held_is_left_and_told(source: Shop) -> None:
    name = lease.copy_name(source.address.database, "fix")
    with held(source.address.at("postgres"), name, terms(), keep=False) as copy:
        copy.connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        copy.grant()
        renamed(source, name, f"{name}_mine")
    assert not copy.dropped and copy.left_behind
    assert copy.left_behind.startswith(f"{name} is called {name}_mine by now, so it is not dropped.")
    assert stands(source, f"{name}_mine")
    dropped(source, f"{name}_mine")


def test_lease_is_not_renewed_on_another_database_of_that_name(source: Shop) -> None:
    name = lease.copy_name(source.address.database, "fix")
    copy = leased(source, name)
    renamed(source, name, f"{name}_mine")
    made(source, name, None)
    with connect(source.address) as connection:
        lease.renew(connection, copy.lease)
        assert [found.name for found in lease.leased(connection)] == [f"{name}_mine"]
    dropped(source, name, f"{name}_mine")


def test_kept_one_whose_lease_was_taken_off_is_not_reaped_and_goes_by_name_alone(source: Shop) -> None:
    """The journal remembers it still, and its creator has ended long ago."""
    name = lease.copy_name(source.address.database, "fix")
    leased(source, name, terms(kept=True))
    its_creator_ends()
    with connect(source.address) as connection:
        connection.execute(sql.SQL("COMMENT ON DATABASE {} IS 'mine now'").format(sql.Identifier(name)))
    assert states(inv("db-list").stdout) == {name: "its lease was taken off"}
    assert inv("db-reap", "--yes").returncode == 0 and stands(source, name)
    assert inv("db-drop", name, "--yes").returncode == 0
    assert not stands(source, name) and journal.intents() == []


def the_lease(connection: psycopg.Connection, name: str) -> Lease:
    (found,) = [copy.lease for copy in lease.leased(connection) if copy.name == name]
    return found
