"""db-list, db-drop and db-reap, as a person calls them: what is ours is shown and dropped, and nothing else ever."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from greenroom.console import Silent
from greenroom.copies.acquiring import acquire
from greenroom.errors import GreenroomError
from greenroom.postgres import journal, kept, lease
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.holding import Held, held
from greenroom.postgres.lease import Lease
from greenroom.postgres.leftovers import standing_on
from greenroom.postgres.server import CannotConnect, connect
from greenroom.postgres.way import Way
from greenroom.ssh import traces
from tests.integration.bastion import Bastion, bastion
from tests.integration.shop import PLANTED, Shop, request, shop

pytestmark = pytest.mark.full

ROOT = Path(__file__).parents[2]
NO_ENGINE = "unix:///nonexistent/docker.sock"  # other tests have containers meanwhile
CREATING = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE \"shop%%' AND state = 'active'"
COPYING = """
import sys
from greenroom.interrupts import raise_when_terminated
from greenroom.console import Silent
from greenroom.copies.acquiring import acquire
from tests.integration.shop import request
raise_when_terminated()
with acquire(request(url=sys.argv[1], template=True), Silent()):
    pass
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def source(server18: Server) -> Iterator[Shop]:
    with shop(server18) as made:
        yield made


def inv(*words: str, password: str = PLANTED, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "greenroom", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PGPASSWORD": password, "DOCKER_HOST": NO_ENGINE},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def stands(source: Shop, name: str) -> bool:
    with connect(source.server.address) as admin:
        row = admin.execute("SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)", [name]).fetchone()
    return row == (True,)


def made(source: Shop, name: str, terms: Lease | None) -> str:
    with connect(source.address) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        if terms:
            lease.grant(connection, name, terms)
    return name


def terms(hours: float = 1, **how: object) -> Lease:
    return replace(Lease.new(branch="fix", source="shop", hours=hours), **how)  # type: ignore[arg-type]


def fill(source: Shop) -> None:
    """Data enough that CREATE DATABASE ... TEMPLATE can be met in the middle."""
    with connect(source.address) as connection:
        connection.execute("CREATE TABLE big AS SELECT n, repeat('x', 900) AS filler FROM generate_series(1, 60000) n")


def dead_pid() -> int:
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


def states(printed: str) -> dict[str, str]:
    """Name to state, of the table."""
    lines = [re.split(r"  +", line) for line in printed.splitlines()]
    return {cells[0]: cells[-1] for cells in lines[1:] if len(cells) > 2}


def test_list_shows_what_stands_without_url_and_with_it(source: Shop) -> None:
    with acquire(request(url=source.url()), Silent()) as copy:
        for words in (["db-list"], ["db-list", "--url", str(source.address)]):
            done = inv(*words)
            assert done.returncode == 0, done.stderr
            line = next(line for line in done.stdout.splitlines() if line.startswith(copy.name))
            assert re.search(rf"{re.escape(source.address.server)}  fix_it  \S+@\S+  .* MB  alive$", line)
    assert inv("db-list").stdout == "No copies stand.\n"


def test_list_and_reap_know_the_states(source: Shop) -> None:
    tag = source.address.database
    names = {
        made(source, f"{tag}__alive", terms()): "alive",
        made(source, f"{tag}__kept", terms(pid=dead_pid(), kept=True)): "kept",
        made(source, f"{tag}__expired", terms(hours=-1, kept=True)): "expired",
        made(source, f"{tag}__late", terms(hours=-1, machine="elsewhere")): "expired",
        made(source, f"{tag}__slow", terms(hours=-1)): "alive",
        made(source, f"{tag}__dead", terms(pid=dead_pid())): "creator died",
        made(source, f"{tag}__other", terms(pid=dead_pid(), machine="elsewhere")): "alive",
    }
    gone = {f"{tag}__expired", f"{tag}__late", f"{tag}__dead"}
    stranger = made(source, f"{tag}__stranger_abc123", None)
    url = ("--url", str(source.address))
    assert states(inv("db-list", *url).stdout) == names

    shown = inv("db-reap", *url, "--dry-run")
    assert (shown.returncode, set(states(shown.stdout))) == (0, gone)
    assert all(stands(source, name) for name in names)

    asked = inv("db-reap", *url)
    assert asked.returncode == 2
    assert asked.stderr == "nobody is there to ask.\n  Add --yes to do it, or --dry-run to only see it.\n"

    reaped = inv("db-reap", *url, "--yes")
    assert reaped.returncode == 0
    assert set(reaped.stdout.splitlines()[-3:]) == {f"dropped {name}" for name in gone}
    assert {name for name in [*names, stranger] if stands(source, name)} == {*names.keys() - gone, stranger}
    assert inv("db-reap", *url, "--yes").stdout == "Nothing is to be dropped.\n"
    with connect(source.server.address) as admin:
        for name in [*sorted(names.keys() - gone), stranger]:
            lease.drop(admin, name)


def test_drop_takes_one_and_refuses_what_is_not_ours(source: Shop) -> None:
    tag = source.address.database
    ours, stranger = made(source, f"{tag}__ours", terms()), made(source, f"{tag}__stranger", None)
    url = ("--url", str(source.address))
    for name in (stranger, tag, "postgres", "nix"):
        refused = inv("db-drop", name, *url, "--yes")
        assert refused.returncode == 1
        assert refused.stderr == (
            f"{name} bears no lease and stands in no journal of ours, so it is not dropped.\n"
            "  ./inv db-list shows what can be (with --url, on a server that our journal does not know).\n"
        )
    assert inv("db-drop", ours, *url, "--dry-run").returncode == 0
    assert stands(source, ours)
    done = inv("db-drop", ours, *url, "--yes")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, f"dropped {ours}")
    assert not stands(source, ours) and stands(source, stranger)
    with connect(source.server.address) as admin:
        lease.drop(admin, stranger)


@pytest.mark.parametrize(("answer", "code", "gone"), [("y", 0, True), ("n", 1, False), ("", 1, False)])
def test_drop_asks_a_person(answer: str, code: int, gone: bool, source: Shop) -> None:
    name = made(source, f"{source.address.database}__ours", terms())
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "greenroom", "db-drop", name, "--url", str(source.address)],
        cwd=ROOT,
        env={**os.environ, "PGPASSWORD": PLANTED},
        stdin=theirs,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        os.write(ours, f"{answer}\n".encode())
        printed, _ = child.communicate(timeout=30)
    os.close(ours), os.close(theirs)
    assert "Drop this copy? [y/N] " in printed
    assert (child.returncode, stands(source, name)) == (code, not gone)
    with connect(source.server.address) as admin:
        lease.drop(admin, name)


def test_drop_by_an_ordinary_role_ends_an_autovacuum_worker_too() -> None:
    with embedded(settings={"autovacuum_naptime": "1s"}) as server, shop(server) as source:
        server.durable()
        name = made(source, lease.copy_name("shop", "busy"), terms())
        with connect(source.address.at(name)) as session:
            session.execute("CREATE TABLE slow AS SELECT n FROM generate_series(1, 300000) AS n")
            session.execute(
                "ALTER TABLE slow SET (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)"
            )
            session.execute("UPDATE slow SET n = 0")  # told to autovacuum when the session ends
        wait_for_autovacuum(source, name)
        with connect(source.address.at(name)), connect(source.address) as connection:
            lease.drop(connection, name)
        assert not stands(source, name)


def wait_for_autovacuum(source: Shop, database: str) -> None:
    worker = "SELECT 1 FROM pg_stat_activity WHERE backend_type = 'autovacuum worker' AND datname = %s"
    with connect(source.server.address) as admin:
        deadline = time.monotonic() + 30
        while not admin.execute(worker, [database]).fetchone():
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_client_killed_in_create_database_is_found_by_its_intent(source: Shop) -> None:
    fill(source)
    child = subprocess.Popen([sys.executable, "-c", COPYING, source.url()], stderr=subprocess.DEVNULL)
    with connect(source.server.address) as admin:
        while admin.execute(CREATING, []).fetchone() == (0,):
            assert child.poll() is None, "it was too quick to be killed in the middle"
        child.kill()
        child.wait()
        ((_, intent),) = journal.intents()
        assert admin.execute(CREATING, []).fetchone() == (1,), "the session ended with its client"
        assert not standing_on(Way(source.admin))[-1].to_be_reaped, "it is still being made"
        deadline = time.monotonic() + 30
        while not stands(source, intent.database) and time.monotonic() < deadline:
            time.sleep(0.05)
    assert child.returncode == -signal.SIGKILL
    assert states(inv("db-list").stdout) == {intent.database: "no lease, creator died"}
    assert inv("db-reap", "--dry-run").returncode == 0 and stands(source, intent.database)
    assert inv("db-reap", "--yes").returncode == 0
    assert not stands(source, intent.database)
    assert journal.intents() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_in_create_database_leaves_no_database(number: signal.Signals, source: Shop) -> None:
    """The session is cancelled and waited for: what it makes must be there before it can be dropped."""
    fill(source)
    before = source.state()
    child = subprocess.Popen([sys.executable, "-c", COPYING, source.url()], stderr=subprocess.DEVNULL)
    with connect(source.server.address) as admin:
        while admin.execute(CREATING, []).fetchone() == (0,):
            assert child.poll() is None, "it was too quick to be interrupted in the middle"
        child.send_signal(number)
        child.wait(30)
    assert source.state() == before
    assert journal.intents() == []


def test_intent_without_a_database_is_forgotten(source: Shop) -> None:
    path = journal.write(source.address.at("postgres"), "shop_never_made", "abc")
    assert states(inv("db-list").stdout) == {"shop_never_made": "being made"}
    path.write_text(path.read_text().replace(f'"pid": {os.getpid()}', f'"pid": {dead_pid()}'))
    assert states(inv("db-list").stdout) == {"shop_never_made": "never made"}
    assert inv("db-reap", "--yes").returncode == 0
    assert journal.intents() == []


def test_one_that_cannot_be_dropped_does_not_keep_the_others(source: Shop) -> None:
    tag = source.address.database
    mine = [made(source, f"{tag}__{name}", terms(pid=dead_pid())) for name in ("a", "c")]
    theirs = f"{tag}__b"
    with connect(source.server.address) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(theirs)))
        lease.grant(admin, theirs, terms(pid=dead_pid()))
        reaped = inv("db-reap", "--url", str(source.address), "--yes")
        assert reaped.returncode == 2
        assert set(reaped.stdout.splitlines()[4:]) == {
            *(f"dropped {name}" for name in mine),
            f"{theirs} on {source.address.server} could not be dropped (SQLSTATE 42501).",
            f"  Its owner or a superuser can: --url postgresql://OWNER@{source.address.server}/postgres",
        }
        assert [name for name in (*mine, theirs) if stands(source, name)] == [theirs]
        lease.drop(admin, theirs)


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
        "  It is yours: drop it yourself, or take our mark off: COMMENT ON DATABASE ... IS NULL.\n",
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


def configured(source: Shop, place: Path, *lines: str) -> Path:
    """A project whose target `staging` is the source."""
    address = source.address
    shutil.copy(ROOT / "tasks.py", place)
    (place / "pyproject.toml").write_text(
        f"""
[tool.greenroom.databases.staging]
host = "{address.host}"
port = {address.port}
name = "{address.database}"
user = "{address.user}"
password_variable = "STAGING_PASSWORD"
"""
        + "\n".join(lines)
    )
    return place


def test_target_names_its_server_and_its_password(
    source: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = configured(source, tmp_path)
    monkeypatch.setenv("STAGING_PASSWORD", PLANTED)
    name = made(source, f"{source.address.database}__ours", terms(pid=dead_pid()))
    assert inv("db-list", cwd=project).stdout == "No copies stand.\n", "the journal knows nothing of it"
    listed = inv("db-list", "--target", "staging", password="wr0ng", cwd=project)
    assert states(listed.stdout) == {name: "creator died"}

    for words in (["--target", "production"], ["--target", "staging", "--url", "postgresql://x"]):
        assert inv("db-list", *words, cwd=project).returncode == 2
    assert inv("db-drop", "nix", "--target", "staging", cwd=project).returncode == 1
    assert inv("db-reap", "--target", "staging", "--yes", cwd=project).returncode == 0
    assert not stands(source, name)


HOLDING = """
import sys
from psycopg import sql
from greenroom.postgres.address import Address
from greenroom.postgres.holding import held
from greenroom.postgres.holding import held
from greenroom.postgres.lease import Lease
from greenroom.postgres.way import Way
real, via = Address.parse(sys.argv[1]), sys.argv[2]
name = f"{real.database}__far"
with Way(real, via).opened() as address:
    assert (address.port, address.options["hostaddr"]) != (real.port, "127.0.0.1")
    terms = Lease.new(branch="fix", source="x", hours=1)
    with held(address.at("postgres"), name, terms, keep=False, real=real, via=via) as copy:
        copy.connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        if sys.argv[3] == "granted":
            copy.grant()
        print(name, flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def vpn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bastion]:
    with bastion(tmp_path) as host:
        monkeypatch.setenv("HOME", str(host.home))
        yield host


@pytest.mark.parametrize("granted", ["granted", pytest.param("", marks=pytest.mark.full)])
def test_branch_behind_a_vpn_host_is_found_again_after_a_kill(source: Shop, vpn: Bastion, granted: str) -> None:
    words = [sys.executable, "-c", HOLDING, source.url(), vpn.via, granted]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        name = child.stdout.readline().strip()
        child.kill()
    vpn.settle()
    assert stands(source, name)
    state = "creator died" if granted else "no lease, creator died"

    vpn.servers[0].stop()
    unreachable = inv("db-list")
    assert unreachable.returncode == 2
    assert unreachable.stdout.splitlines()[-1].startswith("  Is it gone for good? Then forget it: rm ")

    vpn.servers[0].start()
    listed = inv("db-list")
    assert (listed.returncode, states(listed.stdout)) == (0, {name: state}), listed.stdout
    assert source.address.server in listed.stdout
    assert inv("db-reap", "--yes").returncode == 0
    assert not stands(source, name) and journal.intents() == []
    vpn.settle()


def test_branch_behind_a_vpn_host_has_the_password_of_its_target(
    source: Shop, vpn: Bastion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = configured(source, tmp_path, f'via = "{vpn.via}"')
    monkeypatch.setenv("STAGING_PASSWORD", PLANTED)
    name = made(source, f"{source.address.database}__far", terms())
    journal.write(source.address.at("postgres"), name, "abc", via=vpn.via)
    for words in ([], ["--target", "staging"]):
        listed = inv("db-list", *words, password="wr0ng", cwd=project)
        assert (listed.returncode, states(listed.stdout)) == (0, {name: "alive"}), listed.stdout
    assert inv("db-drop", name, "--yes", password="wr0ng", cwd=project).returncode == 0
    assert not stands(source, name) and journal.intents() == []


def test_kept_server_and_directory_on_a_vpn_host_are_listed_and_reaped(
    source: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with embedded() as server:
        kept.keep(server, "shop__kept", terms(kept=True), {})
    address = server.address
    made(source, name := f"{source.address.database}__ours", terms())
    journal.write(source.address.at("postgres"), name, "abc")
    with traces.noted("me@nowhere.invalid", None) as trace:
        pass

    listed = inv("db-list")
    assert listed.returncode == 0
    assert states(listed.stdout) == {"shop__kept": "kept", trace.directory: "creator died", name: "alive"}
    kinds = {line.split()[0]: line.split()[1] for line in listed.stdout.splitlines()}
    assert kinds == {"name": "kind", "shop__kept": "server", trace.directory: "directory", name: "database"}
    assert re.search(rf"^shop__kept +server +{re.escape(address.server)} +fix .* MB +kept$", listed.stdout, re.M)

    reaped = inv("db-reap", "--yes")  # the host is not there: the rest goes all the same
    assert reaped.returncode == 2 and set(states(reaped.stdout)) >= {trace.directory}
    assert inv("db-drop", "shop__kept", "--yes").stdout.splitlines()[-1] == "dropped shop__kept"
    with pytest.raises(CannotConnect):
        connect(address)
    trace.forget()
    assert inv("db-drop", name, "--yes").returncode == 0
    assert inv("db-list").stdout == "No copies stand.\n"


def test_name_that_a_silent_server_may_have_is_no_answer(source: Shop) -> None:
    journal.write(replace(source.address.at("postgres"), port=1), "x", "abc")
    done = inv("db-drop", "x", "--yes")
    assert done.returncode == 2
    assert done.stderr.startswith("x was not found, and not everybody answered:\nno PostgreSQL server can be reached")


def test_unreachable_server_of_the_journal_is_said_with_the_way_to_forget_it(source: Shop) -> None:
    path = journal.write(replace(source.address.at("postgres"), port=1), "x", "abc")
    done = inv("db-list")
    assert done.returncode == 2
    assert done.stdout.splitlines()[1:] == [
        "no PostgreSQL server can be reached at 127.0.0.1:1 (5 s): Connection refused.",
        "  Check host and port, and that the server runs and listens there; is a VPN or an SSH tunnel missing?",
        f"  Is it gone for good? Then forget it: rm {path}",
    ]


def test_wrong_password_and_bad_url_exit_2(source: Shop) -> None:
    done = inv("db-list", "--url", str(source.address), password="wr0ng")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{source.address.server} refuses {source.owner}: the password is wrong.")
    assert inv("db-list", "--url", "shop").returncode == 2
