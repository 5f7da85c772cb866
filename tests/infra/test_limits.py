"""Names and descriptions as AWS takes them: neither the provider nor the stand-in for AWS refuses all that AWS does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import pytest
from botocore.session import Session

from tests.infra.module import ROOT, SOURCE, Module, planned

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("terraform")]

# EC2 takes no apostrophe. Said in its reference, and in no model of it.
EC2_TEXT = r"[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}"
ELB_NAME = r"(?!internal-)[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?"
RDS_NAME = r"[a-z](?:-?[a-z0-9]){0,62}"
RULES = ("aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule")
IN_PROSE = {
    ("aws_security_group", "name"): f"(?!sg-){EC2_TEXT}",
    ("aws_security_group", "description"): EC2_TEXT,
    **{(rule, "description"): EC2_TEXT for rule in RULES},
    ("aws_lb", "name"): ELB_NAME,
    ("aws_lb_target_group", "name"): ELB_NAME,
    ("aws_db_instance", "identifier"): RDS_NAME,
    ("aws_db_parameter_group", "description"): r"[ -~]{1,255}",
    ("aws_s3_bucket", "bucket"): r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
    ("aws_lambda_function", "function_name"): r"[A-Za-z0-9_-]{1,64}",
    ("aws_ecs_cluster", "name"): r"[A-Za-z0-9_-]{1,255}",
    ("aws_sns_topic", "name"): r"[A-Za-z0-9_-]{1,256}",
}
# The others are in botocore's models: service, shape, member.
IN_MODELS = {
    ("aws_iam_role", "name"): ("iam", "CreateRoleRequest", "RoleName"),
    ("aws_iam_role", "description"): ("iam", "CreateRoleRequest", "Description"),
    ("aws_ssm_parameter", "description"): ("ssm", "PutParameterRequest", "Description"),
    ("aws_cloudwatch_metric_alarm", "alarm_name"): ("cloudwatch", "PutMetricAlarmInput", "AlarmName"),
    ("aws_cloudwatch_metric_alarm", "alarm_description"): ("cloudwatch", "PutMetricAlarmInput", "AlarmDescription"),
    ("aws_cloudwatch_event_rule", "name"): ("events", "PutRuleRequest", "Name"),
    ("aws_cloudwatch_event_rule", "description"): ("events", "PutRuleRequest", "Description"),
    ("aws_cloudwatch_log_group", "name"): ("logs", "CreateLogGroupRequest", "logGroupName"),
    ("aws_codebuild_project", "name"): ("codebuild", "CreateProjectInput", "name"),
    ("aws_codebuild_project", "description"): ("codebuild", "CreateProjectInput", "description"),
    ("aws_codedeploy_app", "name"): ("codedeploy", "CreateApplicationInput", "applicationName"),
    ("aws_codepipeline", "name"): ("codepipeline", "PipelineDeclaration", "name"),
    ("aws_ecr_repository", "name"): ("ecr", "CreateRepositoryRequest", "repositoryName"),
    ("aws_lambda_function", "description"): ("lambda", "CreateFunctionRequest", "Description"),
}
TAG = r"[A-Za-z0-9 _.:/=+@-]{0,256}"  # of what AWS takes everywhere, the part without other alphabets

LONGEST = {"project": "abcdefghij", "environment": "abcdefghijklmno"}


class Found(NamedTuple):
    type: str
    attribute: str
    address: str
    text: str


def texts(resources: list[dict[str, Any]]) -> Iterator[Found]:
    """What AWS gets to read of them."""
    for resource in resources:
        kind, values = resource["type"], resource["values"]
        for attribute, value in values.items():
            if isinstance(value, str) and ((kind, attribute) in IN_PROSE or (kind, attribute) in IN_MODELS):
                yield Found(kind, attribute, resource["address"], value)
        for value in (values.get("tags_all") or values.get("tags") or {}).values():
            yield Found("tag", "value", resource["address"], value)


def taken(found: Found) -> bool:
    if found.type == "tag":
        return re.fullmatch(TAG, found.text) is not None
    if pattern := IN_PROSE.get((found.type, found.attribute)):
        return re.fullmatch(pattern, found.text) is not None
    limits = modelled(*IN_MODELS[found.type, found.attribute])
    matches = re.fullmatch(limits.get("pattern", ".*"), found.text, flags=re.DOTALL) is not None
    return limits.get("min", 0) <= len(found.text) <= limits["max"] and matches


@cache
def modelled(service: str, shape: str, member: str) -> dict[str, Any]:
    found: dict[str, Any] = Session().get_service_model(service).shape_for(shape).members[member].metadata
    return found


@pytest.fixture(scope="module")
def every(module: Module, tmp_path_factory: pytest.TempPathFactory) -> list[Found]:
    """Of one plan, with the longest names that the variables allow."""
    template = (ROOT / "ci" / "taskdef.json").read_text().replace("ledger-<", f"{LONGEST['project']}-<")
    file = tmp_path_factory.mktemp("longest") / "taskdef.json"
    file.write_text(template)
    values = [*LONGEST.items(), ("task_definition", str(file))]
    words = ["-var-file=environments/staging.tfvars", *(f"-var={name}={value}" for name, value in values)]
    (resources,) = planned(module, "-test-directory=tests/environments", *words)
    return list(texts(resources))


def test_every_text_is_one_that_aws_takes(every: list[Found]) -> None:
    assert f"{LONGEST['project']}-{LONGEST['environment']}-green" in {found.text for found in every}
    assert sorted({found for found in every if not taken(found)}) == []


def test_table_has_nothing_that_there_is_not(every: list[Found]) -> None:
    assert {(found.type, found.attribute) for found in every} == {*IN_PROSE, *IN_MODELS, ("tag", "value")}


def test_sentences_of_security_groups_are_ones_that_ec2_takes() -> None:
    """Of every variant, planned or not: as they are written."""
    written = (SOURCE / "security_groups.tf").read_text()
    quoted = re.findall(r'= "((?:[^"$]|\$\{[^}]*\})*)"', re.sub("(?m)^ *#.*$", "", written))
    sentences = [re.sub(r"\$\{[^}]*\}", "name", text) for text in quoted if text.endswith(".")]
    groups, rules = 6, len(re.findall(r'\b(?:what|description) += "', written))
    assert len(sentences) == groups + rules
    assert [text for text in sentences if not re.fullmatch(EC2_TEXT, text)] == []
