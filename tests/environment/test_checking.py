"""`env-check` of a checkout: a temporary one, whose app is ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from greenroom import config
from greenroom.config import Config
from greenroom.environment import checking
from greenroom.environment.documents import documents
from greenroom.environment.registry import Registry
from greenroom.errors import GreenroomError

SOURCE = Path("app/config/environment.py")
FIVE = {
    "DJANGO_INTERNAL_PORT_NUM": "8000",
    "DJANGO_SETTINGS_MODULE": "config.settings.prod",
    "DJANGO_READ_SSM_PARAMS": "true",
    "DJANGO_SSM_PARAMS_PATH": "/ledger/<ENVIRONMENT>",
    "AWS_DEFAULT_REGION": "eu-central-1",
}
COMPOSE = """
name: ledger
x-app: &app
  DJANGO_SETTINGS_MODULE: config.settings.prod
  DJANGO_SECRET_KEY: pl4nted-d9Zr-4kx7_wQmB2tVn8sYcF6hLpJ0aGeUo3iTRbNqXyWz
  DJANGO_ALLOWED_HOSTS: localhost
  DJANGO_EXTERNAL_HOST_NAME: localhost
  DJANGO_EXTERNAL_PORT_NUM: 8000
  DJANGO_READ_SSM_PARAMS: false
  DJANGO_DB_HOST: postgres
  DJANGO_DB_NAME: ledger
  DJANGO_DB_USER: ledger
  DJANGO_DB_PASS: ${DB_PASS:-pl4nted}
services:
  postgres:
    environment: {POSTGRES_USER: ledger, POSTGRES_PASSWORD: pl4nted}
  app:
    environment: *app
  migrate:
    environment:
      <<: *app
      DJANGO_DB_CONN_MAX_AGE: "0"
      GUNICORN_CMD_ARGS: --workers=1
  app-aws:
    environment:
      - DJANGO_READ_SSM_PARAMS=true
      - DJANGO_SSM_PARAMS_PATH=/ledger/staging
      - AWS_DEFAULT_REGION=us-east-1
      - AWS_ENDPOINT_URL=http://aws:5000
      - AWS_ACCESS_KEY_ID
"""


@pytest.fixture
def checkout(tmp_path: Path, registry: Registry) -> Config:
    """One in which all is well."""
    for name, text in documents(registry, SOURCE).items():
        write(tmp_path, str(name), text)
    write(tmp_path, "app/views.py", "import os\nprint(os.sep)\n")
    return config.parse({}, tmp_path)


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def task_definition(root: Path, *, without: str = "", secrets: list[str] | None = None, **more: str) -> None:
    given = {name: value for name, value in {**FIVE, **more}.items() if name != without}
    app: dict[str, Any] = {
        "name": "app",
        "image": "<IMAGE1_NAME>",
        "environment": [{"name": name, "value": value} for name, value in given.items()],
        "secrets": [{"name": name, "valueFrom": "arn:aws:ssm:x"} for name in secrets or []],
    }
    router = {"name": "log-router", "environment": [{"name": "AWS_DEFAULT_REGION", "value": "eu-central-1"}]}
    write(root, "ci/taskdef.json", json.dumps({"family": "ledger", "containerDefinitions": [app, router]}))


def test_all_is_well(checkout: Config, registry: Registry) -> None:
    write(checkout.root, "compose.yaml", COMPOSE)
    task_definition(checkout.root)
    assert checking.problems(checkout, registry) == []


@pytest.mark.parametrize("switch", ["=true", "=T", "=y", "=On", "=1", "=${SSM:-true}", ""])
def test_what_ssm_may_have_need_not_be_set_too(checkout: Config, registry: Registry, switch: str) -> None:
    line = "      - DJANGO_READ_SSM_PARAMS"
    text = COMPOSE.replace(f"{line}=true", f"{line}{switch}\n      - DJANGO_DB_HOST=postgres")
    write(checkout.root, "compose.yaml", text)
    assert checking.problems(checkout, registry) == []


def test_a_variable_that_the_code_reads_by_itself(checkout: Config, registry: Registry) -> None:
    write(checkout.root, "app/ledger/mail.py", "import os\n\nHOST = os.environ.get('SMTP_HOST')\n")
    assert checking.problems(checkout, registry) == [
        "app/ledger/mail.py:3: os.environ: variables are read by the registry alone"
    ]


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        (
            "  DJANGO_DB_HOST: postgres\n",
            "",
            ["app: DJANGO_DB_HOST is required and not set", "migrate: DJANGO_DB_HOST is required and not set"],
        ),
        (
            "  DJANGO_DB_HOST: postgres\n",
            '  DJANGO_DB_HOST: ""\n',
            ["app: DJANGO_DB_HOST is required and not set", "migrate: DJANGO_DB_HOST is required and not set"],
        ),
        (
            "      GUNICORN_CMD_ARGS:",
            "      DJANGO_DB_PASSWORD:",
            ["migrate: DJANGO_DB_PASSWORD is not in the registry (is DJANGO_DB_PASS meant?)"],
        ),
        ("      GUNICORN_CMD_ARGS:", "      SMTP_HOST:", ["migrate: SMTP_HOST is not in the registry"]),
        (
            'CONN_MAX_AGE: "0"',
            'CONN_MAX_AGE: "soon"',
            [
                "migrate: DJANGO_DB_CONN_MAX_AGE is malformed: "
                "Input should be a valid integer, unable to parse string as an integer"
            ],
        ),
        (
            "pl4nted-d9Zr-4kx7_wQmB2tVn8sYcF6hLpJ0aGeUo3iTRbNqXyWz",
            "pl4nted",
            [
                "app: DJANGO_SECRET_KEY is malformed: it does not meet its constraint",
                "migrate: DJANGO_SECRET_KEY is malformed: it does not meet its constraint",
            ],
        ),
        (
            "      - DJANGO_READ_SSM_PARAMS=true",
            "      - DJANGO_READ_SSM_PARAMS=perhaps",
            [
                "app-aws: DJANGO_READ_SSM_PARAMS is malformed: "
                "Input should be a valid boolean, unable to interpret input"
            ],
        ),
    ],
)
def test_compose(checkout: Config, registry: Registry, old: str, new: str, wrong: list[str]) -> None:
    assert old in COMPOSE
    write(checkout.root, "compose.yaml", COMPOSE.replace(old, new))
    assert checking.problems(checkout, registry) == [f"compose.yaml, service {line}" for line in wrong]


def test_compose_values_of_an_env_file(checkout: Config, registry: Registry) -> None:
    write(checkout.root, "compose.yaml", "services: {app: {env_file: [{path: app.env}, absent.env]}}\n")
    write(checkout.root, "app.env", "DJANGO_DB_HOST=db\nDJANGO_DB_PORT=0\n")
    wrong = checking.problems(checkout, registry)
    assert "compose.yaml, service app: DJANGO_DB_NAME is required and not set" in wrong
    assert any(line.startswith("compose.yaml, service app: DJANGO_DB_PORT is malformed: ") for line in wrong)


def test_compose_env_file_whose_value_a_later_one_empties(checkout: Config, registry: Registry) -> None:
    write(checkout.root, "compose.yaml", "services: {app: {env_file: [app.env, later.env]}}\n")
    write(checkout.root, "app.env", "\n".join(registry.required))
    write(checkout.root, "later.env", "DJANGO_DB_HOST=\n")
    assert checking.problems(checkout, registry) == [
        "compose.yaml, service app: DJANGO_DB_HOST is required and not set"
    ]


def test_compose_env_file_may_leave_values_to_the_shell(checkout: Config, registry: Registry) -> None:
    values = {**dict.fromkeys(registry.required), "DJANGO_DB_PORT": "${PORT}", "DJANGO_DB_NAMES": None}
    write(checkout.root, "compose.yaml", "services: {app: {env_file: app.env}}\n")
    write(checkout.root, "app.env", "\n".join(f"{name}={value}" if value else name for name, value in values.items()))
    assert checking.problems(checkout, registry) == [
        "compose.yaml, service app: DJANGO_DB_NAMES is not in the registry (is DJANGO_DB_NAME meant?)"
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("services: [app]", "compose.yaml: services: is no mapping."),
        ("services: {app: pl4nted}", "compose.yaml, service app is no mapping."),
        *(
            (
                f"services: {{app: {{environment: {given}}}}}",
                "compose.yaml, service app: environment: is neither NAME: value nor a list of NAME=value.",
            )
            for given in ("5", "A=pl4nted", "[5]", "[{A: pl4nted}]")
        ),
        *(
            (
                f"services: {{app: {{env_file: {given}}}}}",
                "compose.yaml, service app: an env_file: is neither a path nor has one.",
            )
            for given in ("5", "[5]", "[{required: false}]", "{path: [a]}", "[[a]]")
        ),
    ],
)
def test_compose_of_another_shape(checkout: Config, registry: Registry, text: str, sentence: str) -> None:
    write(checkout.root, "compose.yaml", f"{text}\n")
    with pytest.raises(GreenroomError) as caught:
        checking.problems(checkout, registry)
    assert (caught.value.sentence, caught.value.code) == (sentence, 2)
    assert caught.value.hint


def test_compose_is_not_yaml(checkout: Config, registry: Registry) -> None:
    write(checkout.root, "compose.yaml", "services:\n  app: [pl4nted\n")
    with pytest.raises(GreenroomError, match=r"^compose\.yaml is not YAML, line 3\.") as caught:
        checking.problems(checkout, registry)
    assert "pl4nted" not in str(caught.value)


@pytest.mark.parametrize("name", FIVE)
def test_task_definition_lacks_one_of_the_five(checkout: Config, registry: Registry, name: str) -> None:
    task_definition(checkout.root, without=name)
    assert checking.problems(checkout, registry) == [
        f"ci/taskdef.json, container app: {name} is not set, and nothing else can set it"
    ]


@pytest.mark.parametrize("name", FIVE)
def test_task_definition_leaves_one_of_the_five_empty(checkout: Config, registry: Registry, name: str) -> None:
    task_definition(checkout.root, **{name: ""})
    assert checking.problems(checkout, registry) == [
        f"ci/taskdef.json, container app: {name} is not set, and nothing else can set it"
    ]


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({"DJANGO_DB_HOST": "db"}, "DJANGO_DB_HOST comes from SSM, and is not set here"),
        ({"DJANGO_DEBUG": "1"}, "DJANGO_DEBUG is not in the registry"),
        ({"SMTP_HOST": "x"}, "SMTP_HOST is not in the registry"),
        (
            {"DJANGO_INTERNAL_PORT_NUM": "0"},
            "DJANGO_INTERNAL_PORT_NUM is malformed: Input should be greater than or equal to 1",
        ),
    ],
)
def test_task_definition_sets_something_else(
    checkout: Config, registry: Registry, more: dict[str, str], wrong: str
) -> None:
    task_definition(checkout.root, **more)
    assert checking.problems(checkout, registry) == [f"ci/taskdef.json, container app: {wrong}"]


def test_task_definition_takes_no_secret_itself(checkout: Config, registry: Registry) -> None:
    task_definition(checkout.root, secrets=["DJANGO_SECRET_KEY"])
    assert checking.problems(checkout, registry) == [
        "ci/taskdef.json, container app: DJANGO_SECRET_KEY comes from SSM, and is not set here"
    ]


def test_task_definition_without_the_app(checkout: Config, registry: Registry) -> None:
    write(checkout.root, "ci/taskdef.json", json.dumps({"containerDefinitions": [{"name": "app"}]}))
    (line,) = checking.problems(checkout, registry)
    assert line.startswith("ci/taskdef.json: no container sets DJANGO_READ_SSM_PARAMS, ")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"containerDefinitions": [1]}', '{"containerDefinitions": 1}'])
def test_task_definition_that_is_none(checkout: Config, registry: Registry, text: str) -> None:
    write(checkout.root, "ci/taskdef.json", text)
    with pytest.raises(GreenroomError, match=r"^ci/taskdef\.json is not a task definition"):
        checking.problems(checkout, registry)


def test_buildspec_names(checkout: Config, registry: Registry) -> None:
    buildspec = """
version: 0.2
env:
  variables: {IMAGE_TAG: x, DJANGO_SETTINGS_MODULE: config.settings.test}
  parameter-store: {DJANGO_DB_PASSWORD: /ledger/staging/DJANGO_DB_PASS}
phases:
  build:
    commands:
      - DJANGO_DBHOST=db ./inv test # DJANGO_COMMENT
      - env | grep DJANGO_*
"""
    write(checkout.root, "ci/buildspec-test.yml", buildspec)
    assert checking.problems(checkout, registry) == [
        "ci/buildspec-test.yml: DJANGO_DBHOST is not in the registry (is DJANGO_DB_HOST meant?)",
        "ci/buildspec-test.yml: DJANGO_DB_PASSWORD is not in the registry (is DJANGO_DB_PASS meant?)",
    ]


def test_terraform_names(checkout: Config, registry: Registry) -> None:
    terraform = """
# DJANGO_COMMENT is none
resource "aws_ssm_parameter" "db_host" {
  name = "${var.path}/DJANGO_DB_HOSTNAME" /* DJANGO_OTHER */
  name = "${var.path}/DJANGO_DB_NAME"
}
"""
    write(checkout.root, "infra/terraform/ssm.tf", terraform)
    assert checking.problems(checkout, registry) == [
        "infra/terraform/ssm.tf: DJANGO_DB_HOSTNAME is not in the registry (is DJANGO_DB_HOST meant?)"
    ]


def test_terraform_names_between_patterns_of_arns(checkout: Config, registry: Registry) -> None:
    terraform = """
locals {
  objects  = "${local.arns["artifacts"]}/*"
  password = "${local.arn.ssm}:parameter${var.path}/DJANGO_DB_PASSWORD"
  tasks    = "${local.arn.ecs}:task/*/*" // DJANGO_COMMENT
}
"""
    write(checkout.root, "infra/terraform/iam.tf", terraform)
    assert checking.problems(checkout, registry) == [
        "infra/terraform/iam.tf: DJANGO_DB_PASSWORD is not in the registry (is DJANGO_DB_PASS meant?)"
    ]


@pytest.mark.parametrize("name", ["infra/terraform/a.tf", "ci/buildspec.yml", "compose.yaml", "ci/taskdef.json"])
def test_a_directory_in_place_of_a_file_sets_nothing(checkout: Config, registry: Registry, name: str) -> None:
    (checkout.root / name).mkdir(parents=True)
    assert checking.problems(checkout, registry) == []


@pytest.mark.parametrize("name", ["compose.yaml", "ci/buildspec.yml"])
def test_a_file_that_is_no_mapping(checkout: Config, registry: Registry, name: str) -> None:
    write(checkout.root, name, "- DJANGO_DB_HOST\n")
    with pytest.raises(GreenroomError, match="is no mapping"):
        checking.problems(checkout, registry)
    write(checkout.root, name, "")
    assert checking.problems(checkout, registry) == []


@pytest.mark.parametrize("name", ["docs/environment.md", ".env.example"])
def test_stale_documents(checkout: Config, registry: Registry, name: str) -> None:
    write(checkout.root, name, "old\n")
    assert checking.problems(checkout, registry) == [f"{name}: not what the registry says: ./inv env-docs"]
    (checkout.root / name).write_bytes(b"\xff")
    assert checking.problems(checkout, registry) == [f"{name}: not what the registry says: ./inv env-docs"]
    (checkout.root / name).unlink()
    assert checking.problems(checkout, registry) == [f"{name}: not what the registry says: ./inv env-docs"]


@pytest.mark.parametrize("name", ["docs/environment.md", ".env.example"])
def test_documents_that_cannot_be_read(checkout: Config, registry: Registry, name: str) -> None:
    (checkout.root / name).unlink()
    (checkout.root / name).symlink_to("/proc/self/mem")  # whose first byte nobody may read
    with pytest.raises(GreenroomError, match=rf"/{name} cannot be read: Input/output error\.\n") as caught:
        checking.problems(checkout, registry)
    assert (caught.value.code, caught.value.hint) == (2, "Make it readable, then run again.")
