from __future__ import annotations

import pytest

from greenroom.config import Environment
from greenroom.environment.comparing import compare
from greenroom.environment.parameters import Metadata, Parameter
from greenroom.environment.pushing import planned, refuse, request
from greenroom.environment.registry import Registry
from greenroom.errors import GreenroomError
from greenroom.secret import Secret

STAGING = Environment(name="staging", ssm_path="/ledger/staging", region="eu-central-1", account="123456789012")
KEY = "pl4nted-" + "k" * 60


def secrets(values: dict[str, str]) -> dict[str, Secret]:
    return {name: Secret(value) for name, value in values.items()}


def in_ssm(values: dict[str, str]) -> dict[str, Parameter]:
    return {name: Parameter(name, Secret(value), "String", 1) for name, value in values.items()}


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("DJANGO_DB_PASS", "pl4nted" * 600, "DJANGO_DB_PASS has 4200 bytes; a standard parameter holds 4096."),
        ("DJANGO_DB_PASS", "é" * 2049, "DJANGO_DB_PASS has 4098 bytes; a standard parameter holds 4096."),
        ("DJANGO_DB_PASSWORD", "pl4nted", "DJANGO_DB_PASSWORD is not in the registry; is DJANGO_DB_PASS meant?"),
        ("OTHER", "pl4nted", "OTHER is not in the registry."),
        (
            "DJANGO_DB_PASS",
            "pl4nted{{x}}",
            "DJANGO_DB_PASS holds {{, which SSM takes for a reference to another parameter.",
        ),
        ("DJANGO_SECRET_KEY", "pl4nted", "DJANGO_SECRET_KEY is malformed: it does not meet its constraint."),
        (
            "DJANGO_DB_PASS",
            "pl4nted\n",
            "DJANGO_DB_PASS is malformed: it begins or ends with a blank, or has a line break.",
        ),
        (
            "DJANGO_DB_PASS",
            "pl4nted\xa0",
            "DJANGO_DB_PASS is malformed: it has an invisible character, U+00A0, as pasting from a document may add.",
        ),
    ],
)
def test_refuse(registry: Registry, name: str, value: str, line: str) -> None:
    with pytest.raises(GreenroomError) as caught:
        refuse(registry, secrets({"DJANGO_DB_HOST": "db", name: value}))
    assert caught.value.sentence == line
    assert "pl4nted" not in str(caught.value)
    assert caught.value.code == 2


def test_refuse_names_all_of_the_task_definition(registry: Registry) -> None:
    with pytest.raises(GreenroomError) as caught:
        refuse(registry, secrets(dict.fromkeys(registry.of_task_definition, "8000")))
    assert caught.value.sentence.splitlines() == [
        f"{name} is set by the task definition, and never by SSM." for name in registry.of_task_definition
    ]


def test_refuse_lets_a_part_of_the_variables_through(registry: Registry) -> None:
    refuse(registry, secrets({"DJANGO_DB_HOST": "db", "DJANGO_SECRET_KEY": KEY}))


def test_planned_refuses_a_secret_that_lies_in_the_open(registry: Registry) -> None:
    here, there = secrets({"DJANGO_DB_PASS": "pl4nted"}), Parameter("DJANGO_DB_PASS", Secret("old"), "String", 1)
    with pytest.raises(GreenroomError) as caught:
        planned(registry, compare(registry, here, {there.name: there}), {})
    assert caught.value.sentence == "DJANGO_DB_PASS is a secret and stands in SSM as a plain String."


def test_planned_refuses_a_value_that_does_not_go_with_those_in_ssm(registry: Registry) -> None:
    there = in_ssm({"DJANGO_EXTERNAL_HOST_NAME": "a.example", "DJANGO_ALLOWED_HOSTS": "a.example"})
    with pytest.raises(GreenroomError) as caught:
        planned(registry, compare(registry, secrets({"DJANGO_ALLOWED_HOSTS": "b.example"}), there), {})
    assert caught.value.sentence == (
        "DJANGO_EXTERNAL_HOST_NAME is malformed: DJANGO_ALLOWED_HOSTS does not admit it, "
        "so that every page would be refused, as SSM would hold them."
    )


def test_planned_mends_one_thing_after_the_other(registry: Registry) -> None:
    """What is wrong in SSM by now is no reason."""
    there = in_ssm({"DJANGO_EXTERNAL_HOST_NAME": "a.example", "DJANGO_ALLOWED_HOSTS": "b.example"})
    differences = compare(registry, secrets({"DJANGO_DB_HOST": "db"}), there)
    assert [change.variable.name for change in planned(registry, differences, {})] == ["DJANGO_DB_HOST"]


def test_request_of_a_new_parameter(registry: Registry) -> None:
    (change,) = planned(registry, compare(registry, secrets({"DJANGO_EXTERNAL_HOST_NAME": "a.example"}), {}), {})
    variable = registry.variables["DJANGO_EXTERNAL_HOST_NAME"]
    assert request(STAGING, change) == {
        "Name": "/ledger/staging/DJANGO_EXTERNAL_HOST_NAME",
        "Value": "a.example",
        "Type": "String",
        "Description": variable.description,
        "AllowedPattern": variable.constraint["pattern"],
        "Overwrite": False,
        "Tier": "Standard",
    }


def test_request_of_a_changed_secret_keeps_its_key_and_tier(registry: Registry) -> None:
    there = Parameter("DJANGO_DB_PASS", Secret("old"), "SecureString", 3)
    described = {there.name: Metadata("Password of that role.", "", "alias/ours", "Advanced")}
    differences = compare(registry, secrets({"DJANGO_DB_PASS": "new"}), {there.name: there})
    (change,) = planned(registry, differences, described)
    assert request(STAGING.model_copy(update={"kms_key": "alias/other"}), change) == {
        "Name": "/ledger/staging/DJANGO_DB_PASS",
        "Value": "new",
        "Type": "SecureString",
        "Description": "Password of that role.",
        "Overwrite": True,
        "KeyId": "alias/ours",
    }


def test_request_of_a_new_secret_takes_the_configured_key(registry: Registry) -> None:
    (change,) = planned(registry, compare(registry, secrets({"DJANGO_DB_PASS": "new"}), {}), {})
    assert request(STAGING.model_copy(update={"kms_key": "alias/other"}), change)["KeyId"] == "alias/other"


@pytest.mark.parametrize(
    ("description", "pattern", "changes"),
    [(None, None, 0), ("old", None, 1), (None, "old", 1)],
)
def test_planned_describes_anew(registry: Registry, description: str | None, pattern: str | None, changes: int) -> None:
    variable = registry.variables["DJANGO_EXTERNAL_HOST_NAME"]
    there = Parameter(variable.name, Secret("a"), "String", 1)
    described = Metadata(
        description or variable.description, pattern or variable.constraint["pattern"], None, "Standard"
    )
    differences = compare(registry, secrets({variable.name: "a"}), {variable.name: there})
    assert len(planned(registry, differences, {variable.name: described})) == changes
