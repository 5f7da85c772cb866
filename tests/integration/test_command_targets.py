"""Copies that a command makes, as a person types them: a real script, and what it must never be believed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from greenroom.postgres import lease
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.lease import Lease, LeasedDatabase
from greenroom.postgres.server import connect
from tests.integration.projects import PASSWORD, shop, write_project
from tests.integration.test_target_command import HARMLESS, ROOT, Desk, desk_of

pytestmark = pytest.mark.full

MAKING = 'psql -qX -c "CREATE DATABASE \\"$1\\" TEMPLATE \\"$SOURCE\\""; echo "$URL/$1"'
ENDING = 'echo "$1" >> "$PLACE/released"; psql -qX -c "DROP DATABASE IF EXISTS \\"$1\\""'


@dataclass(frozen=True)
class Lab:
    """Two scripts in front of a real server, where only they know the password; the desk has targets beside them."""

    place: Path
    server: Server
    source: Address
    desk: Desk

    def script(self, name: str, text: str) -> None:
        address = self.source
        assert address.password
        password = address.password.reveal()
        variables = {
            "PATH": f"{self.server.binaries.directory}:{os.environ['PATH']}",
            "PLACE": str(self.place),
            "SOURCE": address.database,
            "URL": f"postgresql://{address.user}:{password}@{address.host}:{address.port}",
            **address.at("postgres").environment,
        }
        lines = "".join(f"export {variable}='{value}'\n" for variable, value in variables.items())
        path = self.place / name
        path.write_text(f"#!/bin/sh -eu\n{lines}{text}\n")
        path.chmod(0o755)

    @property
    def released(self) -> list[str]:
        file = self.place / "released"
        return file.read_text().split() if file.exists() else []

    def comment(self) -> str | None:
        """Of the source."""
        words = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
        with connect(self.source) as connection:
            row = connection.execute(words).fetchone()
        return row[0] if row else None

    def commented(self, text: str | None) -> None:
        with connect(self.source) as connection:
            name = sql.Identifier(self.source.database)
            connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, text))

    def databases(self) -> set[str]:
        with connect(self.source) as connection:
            rows = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE '%%lab%%'", []).fetchall()
        return {name for (name,) in rows}

    def migrated(self) -> list[str]:
        with connect(self.source) as connection:
            rows = connection.execute("SELECT name FROM django_migrations WHERE app = 'shop' ORDER BY id").fetchall()
        return [name for (name,) in rows]


@pytest.fixture(scope="module")
def source(server18: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with shop(server18, tmp_path_factory.mktemp("initial"), rows=2000, name="labshop") as address:
        yield address


@pytest.fixture
def lab(tmp_path: Path, source: Address, server18: Server) -> Iterator[Lab]:
    """`staging` is somewhere else, until a test says otherwise."""
    made = lab_of(tmp_path, source, server18, replace(source, port=1))
    yield made
    made.commented(None)


def lab_of(tmp_path: Path, source: Address, server: Server, staging: Address, *lines: str) -> Lab:
    place, home = tmp_path / "scripts", tmp_path / "desk" / "home"
    place.mkdir()
    home.mkdir(parents=True)
    commands = [f'acquire = ["{place}/acquire", "{{name}}"]', f'release = ["{place}/release", "{{name}}"]']
    desk = desk_of(
        tmp_path / "desk", staging, home, "[tool.greenroom.databases.lab]", 'kind = "command"', *commands, *lines
    )
    made = Lab(place, server, source, desk)
    made.script("acquire", MAKING)
    made.script("release", ENDING)
    return made


def report(desk: Desk) -> str:
    """The Markdown for a pull request."""
    return (desk.place / "project/build/rehearsals/latest/report.md").read_text()


def document(desk: Desk) -> dict[str, dict[str, Any]]:
    read = (desk.place / "project/build/rehearsals/latest/rehearsal.json").read_text()
    found: dict[str, dict[str, Any]] = json.loads(read)
    return found


def test_copy_of_a_command_is_rehearsed_and_released(lab: Lab) -> None:
    done = lab.desk.run("migrate-rehearse", "--target", "lab")
    assert done.returncode == 0, done.stderr
    copy = document(lab.desk)["copy"]
    assert (copy["kind"], copy["method"], copy["dropped"]) == ("clone", "command", True)
    assert lab.released == [copy["name"]]
    assert lab.databases() == {lab.source.database} and lab.migrated() == ["0001_initial"]
    assert lab.desk.files_with(PASSWORD) == []


def test_kept_copy_of_a_command_is_listed_and_released_by_its_name(lab: Lab) -> None:
    pulled = lab.desk.run("db-pull", "--target", "lab")
    assert pulled.returncode == 0, pulled.stderr
    name = pulled.stdout.split()[1].removesuffix(":")
    assert lab.released == [] and name in lab.databases()
    assert name in lab.desk.run("db-list").stdout
    dropped = lab.desk.run("db-drop", name, "--yes")
    assert dropped.returncode == 0, dropped.stderr
    assert lab.released == [name] and lab.databases() == {lab.source.database}


MASKED = 'masks = { "shop_customer.email" = "email" }'


def test_copy_of_a_command_is_masked_before_anything_else_is_run_on_it(
    tmp_path: Path, source: Address, server18: Server
) -> None:
    lab = lab_of(tmp_path, source, server18, replace(source, port=1), MASKED)
    seen = 'psql -qXAt -d "$1" -c "SELECT min(email) FROM shop_customer" > "$PLACE/seen"; '
    lab.script("release", seen + ENDING)
    done = lab.desk.run("migrate-rehearse", "--target", "lab", "--drills", "none")
    assert done.returncode == 0, done.stderr
    assert (lab.place / "seen").read_text().strip().endswith("@example.invalid")
    masked = "masked: public.shop_customer.email as email (200 rows)"
    assert masked in document(lab.desk)["fidelity"]["notes"] and masked in report(lab.desk)
    with connect(source) as connection:
        row = connection.execute("SELECT count(*) FROM shop_customer WHERE email LIKE '%@example.com'").fetchone()
    assert row == (200,), "the source is as it was"


def test_mask_that_does_not_fit_ends_the_copy(tmp_path: Path, source: Address, server18: Server) -> None:
    lab = lab_of(tmp_path, source, server18, replace(source, port=1), 'masks = { "shop_customer.mail" = "email" }')
    done = lab.desk.run("db-pull", "--target", "lab")
    assert done.returncode == 2 and "has no column mail" in done.stderr
    assert len(lab.released) == 1 and lab.databases() == {source.database}


@pytest.mark.parametrize("words", [("db-pull",), ("migrate-rehearse", "--keep")])
def test_sensitive_copy_of_a_command_is_not_kept(
    words: tuple[str, ...], tmp_path: Path, source: Address, server18: Server
) -> None:
    lab = lab_of(tmp_path, source, server18, replace(source, port=1), "sensitive = true", MASKED)
    done = lab.desk.run(*words, "--target", "lab")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "lab is sensitive, and a copy that its engine makes holds all of it until it is masked: none is kept.\n"
    )
    assert lab.released == [], "nothing was made"


def other_name(address: Address, server: Server) -> Address:
    return replace(address, host="localhost")


def other_way(address: Address, server: Server) -> Address:
    return replace(address, host=server.local.host)


@pytest.mark.parametrize("known_as", [lambda address, _server: address, other_name, other_way])
def test_url_of_a_target_itself_is_refused_and_nothing_is_run_on_it(
    known_as: Callable[[Address, Server], Address], tmp_path: Path, source: Address, server18: Server
) -> None:
    """By its address, by another name of the host, and by another way to the same server."""
    lab = lab_of(tmp_path, source, server18, known_as(source, server18))
    lab.script("acquire", 'echo "$URL/$SOURCE"')
    lab.script("release", 'echo "$1" >> "$PLACE/released"')
    done = lab.desk.run("migrate-rehearse", "--target", "lab", "--drills", "none")
    assert done.returncode == 2
    assert (
        f"labshop on {source.server} is the database of the target staging itself, and no copy: "
        "nothing was run on it.\n"
        "  acquire has to print the URL of a copy that release may end: docs/engines.md.\n"
    ) in done.stderr
    assert (lab.comment(), lab.migrated(), len(lab.released)) == (None, ["0001_initial"], 1)


def test_database_in_which_others_work_is_refused(lab: Lab) -> None:
    """No target names it, and nobody commented it; whoever has just left is no hindrance."""
    lab.script("acquire", 'echo "$URL/$SOURCE"')
    lab.script("release", 'echo "$1" >> "$PLACE/released"')
    with psycopg.connect(**lab.source.parameters):
        done = lab.desk.run("migrate-rehearse", "--target", "lab", "--drills", "none")
    assert done.returncode == 2
    assert (
        f"others work in labshop on {lab.source.server} ({lab.source.user}), and in a copy that has just been made "
        "nobody does: nothing was run on it.\n"
        "  Is it the copy? Then let acquire print its URL when nobody is connected to it any more.\n"
    ) in done.stderr
    assert (lab.comment(), lab.migrated(), len(lab.released)) == (None, ["0001_initial"], 1)


@pytest.mark.parametrize("comment", ["the shop, production", '{"greenroom": 2}'])
def test_database_with_a_comment_is_refused(comment: str, lab: Lab) -> None:
    lab.commented(comment)
    lab.script("acquire", 'echo "$URL/$SOURCE"')
    done = lab.desk.run("migrate-rehearse", "--target", "lab", "--drills", "none")
    assert done.returncode == 2
    assert (
        f"labshop on {lab.source.server} bears a comment, as a database does that somebody relies on: "
        "nothing was run on it.\n"
        '  Is it the copy? Then let acquire take the comment off: COMMENT ON DATABASE "labshop" IS NULL.\n'
    ) in done.stderr
    assert (lab.comment(), lab.migrated()) == (comment, ["0001_initial"])


def test_database_that_somebody_holds_is_refused_and_one_of_the_last_time_is_not(lab: Lab) -> None:
    """An engine may hand out one and the same scratch database again and again."""
    terms = replace(Lease.new(branch="fix", source="lab", hours=1, kept=True), by="me@elsewhere", machine="elsewhere")
    lab.script(
        "acquire",
        MAKING.replace("; echo", '; psql -qX -c "COMMENT ON DATABASE \\"$1\\" IS \'$(cat "$PLACE/comment")\'"; echo'),
    )
    for lease_of, held in (
        (terms, True),
        (replace(terms, engine=True), True),
        (replace(terms, engine=True, until=terms.made, kept=False), False),
    ):
        (lab.place / "comment").write_text(lease_of.comment())
        done = lab.desk.run("migrate-rehearse", "--target", "lab", "--drills", "none")
        assert done.returncode == (2 if held else 0), done.stderr
        assert ("bears the lease of me@elsewhere until" in done.stderr) is held


def test_database_of_a_killed_rehearsal_is_left_to_its_command(lab: Lab) -> None:
    """Its lease can be read on its server, and whoever reads it there must not drop what an engine manages."""
    write_project(lab.desk.place / "project", HARMLESS, "migrations.RunPython(lambda apps, editor: time.sleep(60))")
    name = killed_when_leased(lab)
    url = ["--url", f"postgresql://{lab.source.user}@{lab.source.server}/postgres"]
    there = replace(lab.desk, variables={"PGPASSWORD": PASSWORD})
    (line,) = [line for line in there.run("db-list", *url).stdout.splitlines() if line.startswith(name)]
    assert line.endswith("  its engine ends it")
    assert there.run("db-reap", *url, "--yes").stdout == "Nothing is to be dropped.\n"
    refused = there.run("db-drop", name, *url, "--yes")
    assert (refused.returncode, refused.stderr) == (
        1,
        f"{name} is a database of an engine's copy, which the engine ends itself. It is not dropped.\n"
        "  ./inv db-list shows the copy under the engine's name for it: ./inv db-drop takes that.\n",
    )
    assert name in lab.databases() and lab.released == []
    reaped = lab.desk.run("db-reap", "--yes")
    assert reaped.returncode == 0, reaped.stderr
    assert lab.released == [name] and lab.databases() == {lab.source.database}


def killed_when_leased(lab: Lab) -> str:
    """The name of the copy."""
    return killed(lab, "none", lambda leased: bool(leased))[0].name


def killed(lab: Lab, drills: str, due: Callable[[list[LeasedDatabase]], bool]) -> list[LeasedDatabase]:
    """A typed rehearsal that was killed as soon as what it had leased was `due` for that; that is what it returns."""
    words = [sys.executable, "-m", "greenroom", "migrate-rehearse", "--target", "lab", "--drills", drills]
    variables = {"PATH": os.environ["PATH"], "HOME": str(lab.desk.home), "TMPDIR": str(lab.desk.place / "scratch")}
    with (
        subprocess.Popen(
            words,
            cwd=lab.desk.place / "project",
            env={**variables, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as child,
        connect(lab.source.at("postgres")) as connection,  # a session on the source would be in the way of TEMPLATE
    ):
        deadline = time.monotonic() + 90
        while not due(ours := [copy for copy in lease.leased(connection) if "lab" in copy.name]):
            assert child.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        child.kill()
    return ours
