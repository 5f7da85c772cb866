"""What is read from the environment: what is missing, malformed or has a default, and that no value is shown."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse
from django.http.request import validate_host
from django.middleware.csrf import CsrfViewMiddleware
from django.test import RequestFactory

from config.environment import describe
from config.values import PlainPythonEnvironment, check, read
from config.variables import BadEnvironment, admits
from greenroom.secret import oddity
from tests.app.variables import COMPLETE, environment

__all__ = ["environment"]


def test_read_names_every_problem_at_once_and_no_value(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DJANGO_SECRET_KEY", "tooshort")
    environment.setenv("DJANGO_DB_PORT", "70000")
    environment.setenv("DJANGO_CSRF_TRUSTED_ORIGINS", "ledger.example.com")
    environment.setenv("DJANGO_DB_HOST", "")
    with pytest.raises(BadEnvironment) as caught:
        read()
    lines = str(caught.value).splitlines()
    assert lines[0] == "9 environment variable(s) missing or malformed:"
    assert [line.split()[0] for line in lines[1:]] == [
        "DJANGO_SECRET_KEY",
        "DJANGO_ALLOWED_HOSTS",
        "DJANGO_CSRF_TRUSTED_ORIGINS",
        "DJANGO_EXTERNAL_HOST_NAME",
        "DJANGO_DB_HOST",
        "DJANGO_DB_PORT",
        "DJANGO_DB_NAME",
        "DJANGO_DB_USER",
        "DJANGO_DB_PASS",
    ]
    assert lines[1] == (
        "  DJANGO_SECRET_KEY is malformed: it does not meet its constraint. Signs sessions and tokens, 50 random "
        "characters or more; everybody is logged out when it changes. (production: SSM; test container: compose; for "
        "example: the output of: openssl rand -base64 48)"
    )
    assert lines[5].startswith("  DJANGO_DB_HOST is not set. Host name of the PostgreSQL server")
    assert lines[6].startswith("  DJANGO_DB_PORT is malformed: Input should be less than or equal to 65535.")
    assert caught.value.__cause__ is None and caught.value.__context__ is None


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("DJANGO_DB_PORT", "abc", "Input should be a valid integer, unable to parse string as an integer"),
        (
            "DJANGO_DB_SSLMODE",
            "maybe",
            "Input should be 'disable', 'allow', 'prefer', 'require', 'verify-ca' or 'verify-full'",
        ),
        ("DJANGO_DB_CONN_MAX_AGE", "-1", "Input should be greater than or equal to 0"),
        ("DJANGO_EXTERNAL_PROTOCOL", "ftp", "Input should be 'http' or 'https'"),
        ("DJANGO_LOG_LEVEL", "LOUD", "Input should be 'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'"),
        *(
            (
                "DJANGO_ALLOWED_HOSTS",
                f"ledger.example.com,{host}",
                "each is a host name without scheme and port, such as ledger.example.com",
            )
            for host in ("https://ledger.example.com", "ledger.example.com:8000", "two words", "a/b")
        ),
        (
            "DJANGO_CSRF_TRUSTED_ORIGINS",
            "a.b",
            "each origin is a scheme and a host, such as https://ledger.example.com",
        ),
    ],
)
def test_read_malformed(environment: pytest.MonkeyPatch, name: str, value: str, complaint: str) -> None:
    for key, good in {**COMPLETE, name: value}.items():
        environment.setenv(key, good)
    with pytest.raises(BadEnvironment) as caught:
        read()
    assert str(caught.value).splitlines()[1].startswith(f"  {name} is malformed: {complaint}. ")


@pytest.mark.parametrize("hosts", ["*", ".example.com", "[::1],127.0.0.1", "my_host", "a-b.example.com"])
def test_read_hosts_as_django_has_them(environment: pytest.MonkeyPatch, hosts: str) -> None:
    for key, good in {**COMPLETE, "DJANGO_ALLOWED_HOSTS": f"{hosts},ledger.example.com"}.items():
        environment.setenv(key, good)
    assert read().allowed_hosts == [*hosts.split(","), "ledger.example.com"]


@pytest.mark.parametrize("host", ["ledger.example.com", "LEDGER.Example.com", "example.com", "myexample.com", "a.b"])
@pytest.mark.parametrize("pattern", ["*", ".example.com", "ledger.example.com", "Ledger.example.COM", "other.com"])
def test_host_is_admitted_as_by_django(pattern: str, host: str) -> None:
    assert admits(pattern, host) == validate_host(host.lower(), [pattern])


def test_own_host_that_is_not_allowed(environment: pytest.MonkeyPatch) -> None:
    for key, good in {**COMPLETE, "DJANGO_ALLOWED_HOSTS": "ledger.example.org"}.items():
        environment.setenv(key, good)
    with pytest.raises(
        BadEnvironment, match=r"  DJANGO_EXTERNAL_HOST_NAME is malformed: DJANGO_ALLOWED_HOSTS does not"
    ):
        read()


@pytest.mark.parametrize("key", ["a" * 60, f"django-insecure-{COMPLETE['DJANGO_SECRET_KEY']}"])
def test_secret_key_that_is_not_random(environment: pytest.MonkeyPatch, key: str) -> None:
    for name, good in {**COMPLETE, "DJANGO_SECRET_KEY": key}.items():
        environment.setenv(name, good)
    with pytest.raises(BadEnvironment, match="  DJANGO_SECRET_KEY is malformed: it does not meet its constraint"):
        read()


def test_read_complete(environment: pytest.MonkeyPatch) -> None:
    for key, good in COMPLETE.items():
        environment.setenv(key, good)
    values = read()
    assert values.allowed_hosts == ["ledger.example.com", "www.example.com"]
    assert (values.db_port, values.db_sslmode, values.db_conn_max_age) == (5432, "require", 60)
    assert "hunter2" not in repr(values)


def test_read_plain_python_has_defaults_and_the_shell_wins(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DJANGO_DB_NAME", "copy")
    values = read(PlainPythonEnvironment)
    assert (values.db_host, values.db_name, values.db_user, values.db_sslmode) == (
        "localhost",
        "copy",
        "ledger",
        "prefer",
    )


@pytest.mark.parametrize(
    ("protocol", "port", "origin"),
    [
        ("https", "443", "https://ledger.example.com"),
        ("http", "80", "http://ledger.example.com"),
        ("http", "8000", "http://ledger.example.com:8000"),
        ("https", "80", "https://ledger.example.com:80"),
    ],
)
def test_external_origin_leaves_out_the_schemes_own_port(
    environment: pytest.MonkeyPatch, protocol: str, port: str, origin: str
) -> None:
    for key, good in COMPLETE.items():
        environment.setenv(key, good)
    environment.setenv("DJANGO_EXTERNAL_PROTOCOL", protocol)
    environment.setenv("DJANGO_EXTERNAL_PORT_NUM", port)
    assert read().external_origin == origin


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("https://Admin.Example.COM", "https://admin.example.com"),
        ("https://admin.example.com:443", "https://admin.example.com"),
        ("HTTP://admin.example.com:80", "http://admin.example.com"),
        ("https://admin.example.com:8443", "https://admin.example.com:8443"),
        ("http://admin.example.com:443", "http://admin.example.com:443"),
        ("https://*.example.com", "https://*.example.com"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://localhost", "http://localhost"),
    ],
)
def test_origins_are_as_a_browser_writes_them(
    environment: pytest.MonkeyPatch, settings: Any, given: str, written: str
) -> None:
    for key, good in {**COMPLETE, "DJANGO_CSRF_TRUSTED_ORIGINS": given}.items():
        environment.setenv(key, good)
    assert read().csrf_trusted_origins == [written]
    settings.CSRF_TRUSTED_ORIGINS = read().csrf_trusted_origins
    request = RequestFactory().post("/", headers={"origin": written.replace("*", "a")})
    assert CsrfViewMiddleware(lambda _request: HttpResponse())._origin_verified(request)


def test_external_origin_is_in_lower_case(environment: pytest.MonkeyPatch) -> None:
    for key, good in {**COMPLETE, "DJANGO_EXTERNAL_HOST_NAME": "Ledger.Example.com"}.items():
        environment.setenv(key, good)
    assert read().external_origin == "https://ledger.example.com"


@pytest.mark.parametrize(
    "given",
    [
        "https://two words",
        "https://me@example.com",
        "https://a.b:port",
        "https://a.b?c",
        "https://*",
        "https://bücher.de",
    ],
)
def test_origin_that_no_browser_writes(given: str) -> None:
    (problem,) = check({**COMPLETE, "DJANGO_CSRF_TRUSTED_ORIGINS": given})
    assert problem.message.startswith("is malformed: each origin is a scheme and a host, ")


def wrong_values(variable: dict[str, Any]) -> dict[str, str]:
    """Values that the declaration refuses, by what is wrong with them; none for a free text."""
    rule = variable["constraint"]
    wrong = {}
    if variable["type"] in ("integer", "boolean"):
        wrong["type"] = "pl4nted"
    if "enum" in rule:
        wrong["enum"] = "pl4nted"
    if "pattern" in rule:
        wrong["pattern"] = "pl4nted pl4nted"
    if "minimum" in rule:
        wrong["minimum"] = str(rule["minimum"] - 1)
    if "maximum" in rule:
        wrong["maximum"] = str(rule["maximum"] + 1)
    if "minLength" in rule:
        wrong["minLength"] = "pl4nted"[: rule["minLength"] - 1]
    if "maxLength" in rule:
        wrong["maxLength"] = "x" * (rule["maxLength"] + 1)
    if "minItems" in rule:
        wrong["minItems"] = ","
    return wrong


WRONG = [(v["name"], how, value) for v in describe() for how, value in wrong_values(v).items()]


@pytest.mark.parametrize(("name", "how", "value"), WRONG, ids=[f"{name}-{how}" for name, how, _ in WRONG])
def test_a_malformed_variable_is_named_and_not_shown(
    environment: pytest.MonkeyPatch, name: str, how: str, value: str
) -> None:
    for key, good in {**COMPLETE, name: value}.items():
        environment.setenv(key, good)
    with pytest.raises(BadEnvironment) as caught:
        read()
    _, line = str(caught.value).splitlines()
    assert line.startswith(f"  {name} is malformed: ")
    assert "pl4nted" not in line


@pytest.mark.parametrize("name", [v["name"] for v in describe() if v["required"]])
def test_a_missing_variable_is_named(environment: pytest.MonkeyPatch, name: str) -> None:
    for key, good in COMPLETE.items():
        environment.setenv(key, "" if key == name else good)
    with pytest.raises(BadEnvironment) as caught:
        read()
    assert str(caught.value).splitlines()[1].startswith(f"  {name} is not set. ")


EDGES = "is malformed: it begins or ends with a blank, or has a line break"


@pytest.mark.parametrize("variable", describe(), ids=lambda variable: variable["name"])
@pytest.mark.parametrize("edges", ["{}\n", "{}\r\n", "{} ", "\t{}", "{}\n{}", "\n"])
def test_a_blank_at_an_edge_and_a_line_break_are_told_and_no_value(
    environment: pytest.MonkeyPatch, variable: dict[str, Any], edges: str
) -> None:
    good = COMPLETE.get(variable["name"], variable["example"])
    for key, value in {**COMPLETE, variable["name"]: edges.format(good, good)}.items():
        environment.setenv(key, value)
    with pytest.raises(BadEnvironment) as caught:
        read()
    (line,) = [line for line in str(caught.value).splitlines() if line.startswith(f"  {variable['name']} ")]
    assert line.startswith(f"  {variable['name']} {EDGES}. ")
    assert COMPLETE["DJANGO_DB_PASS"] not in str(caught.value)


def test_a_blank_within_a_password_is_a_part_of_it() -> None:
    assert check({**COMPLETE, "DJANGO_DB_PASS": "correct horse"}) == []
    (problem,) = check({**COMPLETE, "DJANGO_DB_PASS": "correct horse\n"})
    assert (problem.name, problem.message) == ("DJANGO_DB_PASS", EDGES)


PASTED = "\ufeff{}", "{}\u200b", "{}\xa0", "\xad{}", "{}\u200d", "\u200e{}", "{}\x00", "{}\x1b", "{}\u2060"


@pytest.mark.parametrize("variable", describe(), ids=lambda variable: variable["name"])
@pytest.mark.parametrize("pasted", PASTED, ids=ascii)
def test_an_invisible_character_is_told_and_no_value(variable: dict[str, Any], pasted: str) -> None:
    value = pasted.format(COMPLETE.get(variable["name"], variable["example"]))
    (problem,) = [found for found in check({**COMPLETE, variable["name"]: value}) if found.name == variable["name"]]
    code = f"U+{ord(pasted.replace('{}', '')):04X}"
    assert problem.message == f"is malformed: it has an invisible character, {code}, as pasting from a document may add"


def test_an_invisible_character_keeps_the_app_from_starting(environment: pytest.MonkeyPatch) -> None:
    for key, value in {**COMPLETE, "DJANGO_DB_PASS": "pl4nted\u200bpl4nted"}.items():
        environment.setenv(key, value)
    with pytest.raises(BadEnvironment, match=r"  DJANGO_DB_PASS is malformed: it has an invisible character, U\+200B,"):
        read()


@pytest.mark.parametrize(
    "password",
    [
        "".join(map(chr, range(0x21, 0x7F))),
        "two words",
        "Straße 12 €",
        "日本語",
        "e\N{COMBINING ACUTE ACCENT}",
        "👩\u200d👩\u200d👧 ❤\ufe0f",
        "می\u200cخواهم",
        "\uf8ff\U0001fae9",
    ],
    ids=ascii,
)
def test_what_can_be_seen_is_a_part_of_a_password(password: str) -> None:
    assert check({**COMPLETE, "DJANGO_DB_PASS": password}) == []
    assert oddity(password) == ""


@pytest.mark.parametrize("shape", [*PASTED, "{}\n", " {}", "\t{}", "{}\r\n{}", "{}\u2028{}", "\x85{}"], ids=ascii)
def test_greenroom_says_the_same_of_a_shape(shape: str) -> None:
    value = shape.format("pl4nted", "pl4nted")
    (problem,) = check({**COMPLETE, "DJANGO_DB_PASS": value})
    assert problem.message == f"is malformed: it {oddity(value)}"


def test_check_looks_at_nothing_but_what_is_given(environment: pytest.MonkeyPatch) -> None:
    for key, good in COMPLETE.items():
        environment.setenv(key, good)
    assert {problem.name for problem in check({"DJANGO_DB_HOST": "db"})} == COMPLETE.keys() - {"DJANGO_DB_HOST"}
