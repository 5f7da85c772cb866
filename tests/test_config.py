from __future__ import annotations

from pathlib import Path

import pytest

from greenroom import config, tables
from greenroom.errors import GreenroomError

ROOT = Path(__file__).resolve().parents[1]


def write(directory: Path, text: str) -> Path:
    (directory / "pyproject.toml").write_text(text)
    return directory


def test_load_without_a_file_gives_defaults(tmp_path: Path) -> None:
    loaded = config.load(tmp_path)
    assert loaded.root == tmp_path
    assert loaded.project == config.Project()
    assert loaded.demo is None
    assert (loaded.rehearsal.budget_read_ms, loaded.rehearsal.budget_write_ms) == (1000, 2000)


def test_load_finds_the_nearest_file_above(tmp_path: Path) -> None:
    write(tmp_path, "[tool.greenroom.project]\ndirectory = 'site'\n")
    below = tmp_path / "site" / "shop"
    below.mkdir(parents=True)
    loaded = config.load(below)
    assert (loaded.root, loaded.project.directory) == (tmp_path, Path("site"))


def test_load_invalid_toml_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(GreenroomError) as caught:
        config.load(write(tmp_path, "[tool.greenroom\n"))
    assert str(caught.value).startswith(f"{tmp_path / 'pyproject.toml'} is not valid TOML: ")
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (
            "[tool.greenroom]\nprojekt = 1\n",
            "tool.greenroom.projekt: Extra inputs are not permitted",
        ),
        (
            '[tool.greenroom.databases.--remote]\nhost = "h"\nname = "n"\nuser = "u"\n',
            'tool.greenroom.databases: "--remote" is no name that can be typed behind an option',
        ),
        (
            "[tool.greenroom.rehearsal]\nprobed_tables = 65\n",
            "tool.greenroom.rehearsal.probed_tables: Input should be less than or equal to 64",
        ),
        (
            "[tool.greenroom.rehearsal]\nbudget_read_ms = 0\ntimeout_seconds = 'long'\n",
            "tool.greenroom.rehearsal.budget_read_ms: Input should be greater than 0; "
            "tool.greenroom.rehearsal.timeout_seconds: "
            "Input should be a valid number, unable to parse string as a number",
        ),
        (
            "[tool.greenroom.image]\nname = 'Ledger:1'\n",
            f"tool.greenroom.image.name: String should match pattern '{tables.REPOSITORY}'",
        ),
        (
            "[tool.greenroom.demo]\nmigrate_to = []\nload = ['load_demo']\n",
            "tool.greenroom.demo.migrate_to: List should have at least 1 item after validation, not 0",
        ),
    ],
)
def test_load_wrong_value_names_its_path(tmp_path: Path, text: str, wrong: str) -> None:
    with pytest.raises(GreenroomError) as caught:
        config.load(write(tmp_path, text))
    assert str(caught.value) == f"{wrong}\n  Correct it in {tmp_path / 'pyproject.toml'}."


def test_load_root_in_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GreenroomError) as caught:
        config.load(write(tmp_path, "[tool.greenroom]\nroot = 'elsewhere'\n"))
    assert caught.value.sentence == "tool.greenroom.root: it is where the file stands, and cannot be set"


def test_this_repository_is_configured() -> None:
    loaded = config.load(ROOT)
    assert loaded.project.settings == "config.settings.test"
    assert loaded.project.database_variables == config.DatabaseVariables(
        host="DJANGO_DB_HOST",
        port="DJANGO_DB_PORT",
        name="DJANGO_DB_NAME",
        user="DJANGO_DB_USER",
        password="DJANGO_DB_PASS",
        sslmode="DJANGO_DB_SSLMODE",
    )
    assert loaded.demo is not None
    assert loaded.demo.load[0] == "load_demo"


STAGING = {"host": "db.internal", "name": "shop", "user": "shop"}


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        (
            {"kind": "mysql"},
            f"tool.greenroom.databases.staging: kind is one of {', '.join(config.KINDS)}",
        ),
        ({**STAGING, "port": 0}, "tool.greenroom.databases.staging.port: Input should be greater than or equal to 1"),
        (
            {"kind": "rds-snapshot", "name": "n", "user": "u"},
            "tool.greenroom.databases.staging.instance: Field required",
        ),
        (
            {"kind": "rds-snapshot", "instance": "i", "name": "n", "user": "u", "exclude_data": ["audit_*"]},
            "tool.greenroom.databases.staging: "
            "exclude_data leaves rows out of a dump, and this engine copies all of them: mask them",
        ),
        (
            {"kind": "aurora-clone", "cluster": "c", "name": "n", "user": "u", "cache": True},
            "tool.greenroom.databases.staging: cache keeps what is restored here, and this engine's copy never is",
        ),
        *(
            (
                {"kind": "command", "acquire": ["a"], "release": ["r"], key: value},
                f"tool.greenroom.databases.staging.{key}: Extra inputs are not permitted",
            )
            for key, value in (("exclude_data", ["a"]), ("cache", True), ("via", "h"))
        ),
        ({**STAGING, "passwort": "x"}, "tool.greenroom.databases.staging.passwort: Extra inputs are not permitted"),
        (
            {**STAGING, "password_variable": "A", "password_parameter": "/b"},
            "tool.greenroom.databases.staging: "
            "password_variable and password_parameter are two sources of one password",
        ),
        (
            {**STAGING, "sslrootcert": "~nobody-here/ca.pem"},
            "tool.greenroom.databases.staging.sslrootcert: "
            "~nobody-here/ca.pem begins with a user whose home is not known",
        ),
    ],
)
def test_parse_wrong_database_names_its_path(table: dict[str, object], wrong: str) -> None:
    with pytest.raises(GreenroomError) as caught:
        config.parse({"databases": {"staging": table}}, ROOT)
    assert caught.value.sentence == wrong


def test_target_by_name() -> None:
    found = config.parse({"databases": {"staging": STAGING}}, ROOT).target("staging")
    assert isinstance(found, config.PostgresTarget)
    assert (found.host, found.port, found.via, found.cached) == ("db.internal", 5432, None, True)


def test_target_unknown_names_those_that_there_are() -> None:
    with pytest.raises(GreenroomError) as caught:
        config.parse({"databases": {"staging": STAGING}}, ROOT).target("prod")
    assert caught.value.sentence == "no database is called prod in [tool.greenroom.databases] (there: staging)."


@pytest.mark.parametrize(
    ("name", "sentence", "hint"),
    [
        (
            "stagng",
            "no database is called stagng in [tool.greenroom.databases] (there: staging).",
            "Did you mean staging? Else write [tool.greenroom.databases.stagng] into /r/pyproject.toml: host, name, ",
        ),
        (
            "",
            "no database has an empty name in [tool.greenroom.databases] (there: staging).",
            "Write [tool.greenroom.databases.NAME] into /r/pyproject.toml: host, name, ",
        ),
    ],
)
def test_target_that_is_nearly_one(name: str, sentence: str, hint: str) -> None:
    with pytest.raises(GreenroomError) as caught:
        config.parse({"databases": {"staging": STAGING}}, Path("/r")).target(name)
    assert (caught.value.sentence, caught.value.hint) == (sentence, f"{hint}user, via.")


@pytest.mark.parametrize(("cache", "cached"), [(None, False), (True, True), (False, False)])
def test_sensitive_database_is_cached_only_when_it_says_so(cache: bool | None, cached: bool) -> None:
    given = {**STAGING, "sensitive": True, **({} if cache is None else {"cache": cache})}
    assert config.parse({"databases": {"staging": given}}, ROOT).target("staging").cached is cached


DEPLOYED = {"ssm_path": "/shop/staging", "region": "eu-central-1", "account": "012345678901"}


@pytest.mark.parametrize(
    ("key", "value", "wrong"),
    [
        ("account", 12345678901, "Input should be a valid string"),
        ("account", "1234", "String should match pattern '^[0-9]{12}$'"),
        ("ssm_path", "shop", r"String should match pattern '^(/[A-Za-z0-9_.-]+){1,14}$'"),
        ("ssm_path", "/shop/", r"String should match pattern '^(/[A-Za-z0-9_.-]+){1,14}$'"),
        ("region", "Frankfurt", "String should match pattern '^[a-z]{2}(-[a-z]+)+-[0-9]+$'"),
        ("path", "/shop", "Extra inputs are not permitted"),
    ],
)
def test_parse_wrong_environment_names_its_path(key: str, value: object, wrong: str) -> None:
    with pytest.raises(GreenroomError) as caught:
        config.parse({"environments": {"staging": {**DEPLOYED, key: value}}}, ROOT)
    assert caught.value.sentence == f"tool.greenroom.environments.staging.{key}: {wrong}"


def test_environment_by_name() -> None:
    found = config.parse({"environments": {"staging": DEPLOYED}}, ROOT).environment("staging")
    assert found.place == "staging: account 012345678901, eu-central-1, /shop/staging"
    with pytest.raises(GreenroomError) as caught:
        config.parse({"environments": {"staging": DEPLOYED}}, ROOT).environment("prod")
    assert caught.value.sentence == ("no environment is called prod in [tool.greenroom.environments] (there: staging).")


def test_root_certificate_is_found_from_the_directory_of_the_file(tmp_path: Path) -> None:
    table = {"host": "db", "name": "shop", "user": "u", "sslmode": "verify-full"}
    for given, meant in (("ca.pem", str(tmp_path / "ca.pem")), ("/etc/ca.pem", "/etc/ca.pem"), ("system", "system")):
        found = config.parse({"databases": {"staging": {**table, "sslrootcert": given}}}, tmp_path).target("staging")
        assert isinstance(found, config.PostgresTarget)
        assert found.tls == {"sslmode": "verify-full", "sslrootcert": meant}
