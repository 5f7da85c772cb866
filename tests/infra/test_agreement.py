"""What Terraform says, and what the app, the release's files, the configuration and docs/deploy.md say of the same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from greenroom import config
from greenroom.environment import registry
from greenroom.infra import hook
from greenroom.release import timing
from tests.infra.module import ROOT, SOURCE

LINE = re.compile(
    r'^ +(DJANGO_\w+) += \{ required = (\w+), secret = (\w+), description = "(.*)" \}$', flags=re.MULTILINE
)
STEP = re.compile(r"^\| (?P<step>[^|]+) \| (?P<seconds>\d+) \|", flags=re.MULTILINE)
MOST_SECONDS = 90  # from the start to traffic on green

Values = Callable[[str], dict[str, Any]]


def test_parameters_are_the_registrys() -> None:
    declared = {
        variable.name: (str(variable.required).lower(), str(variable.secret).lower(), variable.description)
        for variable in registry.load(config.load(ROOT)).variables.values()
        if not variable.set_by_task_definition
    }
    found = {name: tuple(facts) for name, *facts in LINE.findall((SOURCE / "ssm.tf").read_text())}
    assert found == declared


@pytest.mark.parametrize("name", sorted(config.load(ROOT).environments))
def test_environment_is_the_configurations(name: str) -> None:
    environment = config.load(ROOT).environments[name]
    text = (SOURCE / "environments" / f"{name}.tfvars").read_text()
    said = dict(re.findall(r'^(\w+) += "([^"]*)"', text, flags=re.MULTILINE))
    assert (said["environment"], said["account"], said["region"], said["ssm_path"]) == (
        name,
        environment.account,
        environment.region,
        environment.ssm_path,
    )


@pytest.mark.parametrize("name", sorted(path.stem for path in (SOURCE / "environments").glob("*.tfvars")))
def test_state_is_kept_in_the_same_account(name: str) -> None:
    values = (SOURCE / "environments" / f"{name}.tfvars").read_text()
    backend = (SOURCE / "environments" / f"{name}.s3.tfbackend").read_text()
    account = re.search(r'^account +=\s"(\d{12})"', values, flags=re.MULTILINE)
    assert account and set(re.findall(r"\d{12}", backend)) == {account[1]}
    assert f"/{name}.tfstate" in backend


@pytest.mark.full
@pytest.mark.xdist_group("terraform")
def test_nothing_is_cut_off(state: Values) -> None:
    """Deregistration, then gunicorn's grace, then ECS's patience."""
    group = state("tests/load_balancer.tftest.hcl")['aws_lb_target_group.this["green"]']
    graceful = re.search(r"^graceful_timeout = (\d+)$", (ROOT / "app" / "gunicorn.conf.py").read_text(), re.MULTILINE)
    container = json.loads((ROOT / "ci" / "taskdef.json").read_text())["containerDefinitions"][0]
    assert graceful
    assert int(group["deregistration_delay"]) <= int(graceful[1]) < container["stopTimeout"] <= 120


@pytest.mark.full
@pytest.mark.xdist_group("terraform")
def test_hook_of_the_appspec_is_there(state: Values) -> None:
    hooks = yaml.safe_load((ROOT / "ci" / "appspec.yaml").read_text().replace("<ENVIRONMENT>", "staging"))["Hooks"]
    function = state("tests/load_balancer.tftest.hcl")["aws_lambda_function.hook"]
    assert hooks == [{"AfterAllowTestTraffic": function["function_name"]}]
    assert function["handler"] == f"{hook.HANDLER.stem}.handler"


@pytest.mark.full
@pytest.mark.xdist_group("terraform")
def test_arithmetic_of_the_documentation(state: Values) -> None:
    """docs/deploy.md has the numbers that `deploy` shows for what Terraform makes, and keeps its promise."""
    found = made_by_default(state("tests/load_balancer.tftest.hcl"))
    text = (ROOT / "docs" / "deploy.md").read_text()
    told = re.search(r"\*\*traffic on green\*\* \| \*\*(\d+)\*\*", text)
    steps = {row["step"]: int(row["seconds"]) for row in STEP.finditer(text)}
    before, after = timing.until_traffic(found), timing.afterwards(found)
    assert steps == {step.name: step.seconds for step in [*before, *after]}
    assert told and timing.seconds(before) == int(told[1]) <= MOST_SECONDS


def made_by_default(resources: dict[str, Any]) -> timing.Set:
    """What a release then meets."""
    group = resources['aws_lb_target_group.this["green"]']
    blue_green = resources["aws_codedeploy_deployment_group.this"]["blue_green_deployment_config"][0]
    container = json.loads((ROOT / "ci" / "taskdef.json").read_text())["containerDefinitions"][0]
    assert resources["aws_codedeploy_deployment_group.this"]["deployment_config_name"].endswith("AllAtOnce")
    return timing.Set(
        interval=group["health_check"][0]["interval"],
        checks=group["health_check"][0]["healthy_threshold"],
        deregistration=int(group["deregistration_delay"]),
        stop=container["stopTimeout"],
        hook=True,
        waits_minutes=blue_green["deployment_ready_option"][0]["wait_time_in_minutes"] or 0,
        shift_minutes=0,
        bake_minutes=blue_green["terminate_blue_instances_on_deployment_success"][0][
            "termination_wait_time_in_minutes"
        ],
    )


def test_what_the_scanner_is_told_to_pass_over_has_its_reason() -> None:
    told = [
        f"{path.name}: {line.strip()}"
        for path in sorted(SOURCE.rglob("*.tf"))
        for line in path.read_text().splitlines()
        if "checkov:skip" in line
    ]
    assert told
    assert [line for line in told if not re.search(r"# checkov:skip=CKV2?_[A-Z]+_\d+: \w.{15,}$", line)] == []
