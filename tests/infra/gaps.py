"""What moto lacks for Terraform's provider, call by call. moto itself stays as it is.

- CodeBuild refuses projects whose source is a pipeline, and cannot change one: kept here.
- CodeDeploy can neither change nor delete, and forgets alarms and triggers: kept here.
- CodePipeline writes times as text, where the protocol has numbers.
- Application Auto Scaling forgets its tags; ECS some of what a service was made with, and its task set; RDS that it was
  asked for Performance Insights, and that a parameter is the user's; EC2 what a rule that names a group is for:
  remembered here.

`GAPS` are of the JSON protocol: what was asked, and a way to ask moto. `XML_GAPS` are of the query protocol: what was
asked, and moto's answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Json = dict[str, Any]
Ask = Callable[[Json], Json]

ACCOUNT, REGION = "123456789012", "eu-central-1"
MADE_AT = 1_750_000_000  # seconds since 1970: when everything that is kept here was made
OF_SERVICES = (
    *("healthCheckGracePeriodSeconds", "availabilityZoneRebalancing", "deploymentConfiguration"),
    *("enableExecuteCommand", "loadBalancers"),
)


class Refused(Exception):
    """The answer is an error of AWS, of this code."""


@dataclass
class Kept:
    """What is kept here in moto's place, by name or ARN."""

    projects: dict[str, Json] = field(default_factory=dict)
    applications: dict[str, Json] = field(default_factory=dict)
    groups: dict[str, Json] = field(default_factory=dict)
    services: dict[str, Json] = field(default_factory=dict)
    tags: dict[str, Any] = field(default_factory=dict)
    rules: dict[str, str] = field(default_factory=dict)
    insights: str = "false"

    def left(self) -> list[str]:
        """Names of what nobody has deleted."""
        return [*self.projects, *self.applications, *self.groups]


# --- CodeBuild --------------------------------------------------------------------------------------------------------


def create_project(kept: Kept, asked: Json, _ask: Ask) -> Json:
    if asked["name"] in kept.projects:
        raise Refused("ResourceAlreadyExistsException")
    arn = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{asked['name']}"
    kept.projects[asked["name"]] = {"arn": arn, "created": MADE_AT, "lastModified": MADE_AT, **asked}
    return {"project": kept.projects[asked["name"]]}


def update_project(kept: Kept, asked: Json, _ask: Ask) -> Json:
    project = _found(kept.projects, asked["name"], "ResourceNotFoundException")
    project |= asked
    return {"project": project}


def batch_get_projects(kept: Kept, asked: Json, _ask: Ask) -> Json:
    names = [name.rpartition("/")[2] for name in asked["names"]]
    return {
        "projects": [kept.projects[name] for name in names if name in kept.projects],
        "projectsNotFound": [name for name in names if name not in kept.projects],
    }


def delete_project(kept: Kept, asked: Json, _ask: Ask) -> Json:
    kept.projects.pop(asked["name"].rpartition("/")[2], None)
    return {}


# --- CodeDeploy -------------------------------------------------------------------------------------------------------


def create_application(kept: Kept, asked: Json, _ask: Ask) -> Json:
    name = asked["applicationName"]
    if name in kept.applications:
        raise Refused("ApplicationAlreadyExistsException")
    kept.applications[name] = {
        "applicationId": f"id-of-{name}",
        "applicationName": name,
        "createTime": MADE_AT,
        "linkedToGitHub": False,
        "computePlatform": asked.get("computePlatform", "Server"),
    }
    kept.tags[_codedeploy_arn("application", name)] = asked.get("tags") or []
    return {"applicationId": f"id-of-{name}"}


def get_application(kept: Kept, asked: Json, _ask: Ask) -> Json:
    return {"application": _found(kept.applications, asked["applicationName"], "ApplicationDoesNotExistException")}


def delete_application(kept: Kept, asked: Json, _ask: Ask) -> Json:
    kept.applications.pop(asked["applicationName"], None)
    return {}


def create_deployment_group(kept: Kept, asked: Json, _ask: Ask) -> Json:
    application = _found(kept.applications, asked["applicationName"], "ApplicationDoesNotExistException")
    name, id_ = _group(asked), f"id-of-{asked['deploymentGroupName']}"
    facts = {key: value for key, value in asked.items() if key != "tags"}
    kept.groups[name] = {**facts, "deploymentGroupId": id_, "computePlatform": application["computePlatform"]}
    kept.tags[_codedeploy_arn("deploymentgroup", name)] = asked.get("tags") or []
    return {"deploymentGroupId": id_}


def get_deployment_group(kept: Kept, asked: Json, _ask: Ask) -> Json:
    return {"deploymentGroupInfo": _found(kept.groups, _group(asked), "DeploymentGroupDoesNotExistException")}


def update_deployment_group(kept: Kept, asked: Json, _ask: Ask) -> Json:
    name = f"{asked['applicationName']}/{asked['currentDeploymentGroupName']}"
    group = _found(kept.groups, name, "DeploymentGroupDoesNotExistException")
    group |= {key: value for key, value in asked.items() if key != "currentDeploymentGroupName"}
    return {"hooksNotCleanedUp": []}


def delete_deployment_group(kept: Kept, asked: Json, _ask: Ask) -> Json:
    kept.groups.pop(_group(asked), None)
    return {"hooksNotCleanedUp": []}


def codedeploy_tags(kept: Kept, asked: Json, _ask: Ask) -> Json:
    return {"Tags": kept.tags.get(asked["ResourceArn"], [])}


def _group(asked: Json) -> str:
    return f"{asked['applicationName']}/{asked['deploymentGroupName']}"


def _codedeploy_arn(kind: str, name: str) -> str:
    return f"arn:aws:codedeploy:{REGION}:{ACCOUNT}:{kind}:{name}"


def _found(kept: dict[str, Json], name: str, otherwise: str) -> Json:
    if name not in kept:
        raise Refused(otherwise)
    return kept[name]


# --- CodePipeline, Application Auto Scaling, ECS ----------------------------------------------------------------------


def with_numbers(_kept: Kept, asked: Json, ask: Ask) -> Json:
    """moto's answer, its times in seconds since 1970."""
    answer = ask(asked)
    answer["metadata"] = {name: _seconds(value) for name, value in answer.get("metadata", {}).items()}
    return answer


def _seconds(value: Any) -> Any:
    try:
        return datetime.fromisoformat(value).timestamp()
    except (TypeError, ValueError):
        return value


def register_target(kept: Kept, asked: Json, ask: Ask) -> Json:
    answer = ask(asked)
    kept.tags.setdefault(answer["ScalableTargetARN"], asked.get("Tags") or {})
    return answer


def target_tags(kept: Kept, asked: Json, _ask: Ask) -> Json:
    return {"Tags": kept.tags.get(asked["ResourceARN"], {})}


def change_service(kept: Kept, asked: Json, ask: Ask) -> Json:
    name = str(asked.get("serviceName") or asked["service"]).rpartition("/")[2]
    kept.services.setdefault(name, {}).update({key: asked[key] for key in OF_SERVICES if key in asked})
    answer = ask({key: value for key, value in asked.items() if key != "loadBalancers" or "serviceName" in asked})
    answer["service"] |= kept.services[name]
    return answer


def describe_services(kept: Kept, asked: Json, ask: Ask) -> Json:
    answer = ask(asked)
    for service in answer["services"]:
        service |= kept.services.get(service["serviceName"], {})
        service["taskSets"] = [_primary(service)]
    return answer


def _primary(service: Json) -> Json:
    """The side that bears the traffic: with CodeDeploy as its controller, a service has its tasks there."""
    taken = ("taskDefinition", "loadBalancers", "networkConfiguration", "launchType", "createdAt")
    return {
        **{name: service[name] for name in taken if name in service},
        **{"id": "ecs-svc/1", "status": "PRIMARY", "taskSetArn": f"{service['serviceArn']}/ecs-svc/1"},
        **{"computedDesiredCount": service["desiredCount"], "runningCount": service["desiredCount"], "pendingCount": 0},
    }


Gap = Callable[[Kept, Json, Ask], Json]
GAPS: dict[tuple[str, str], Gap] = {
    ("CodeBuild", "CreateProject"): create_project,
    ("CodeBuild", "UpdateProject"): update_project,
    ("CodeBuild", "BatchGetProjects"): batch_get_projects,
    ("CodeBuild", "DeleteProject"): delete_project,
    ("CodeDeploy", "CreateApplication"): create_application,
    ("CodeDeploy", "GetApplication"): get_application,
    ("CodeDeploy", "DeleteApplication"): delete_application,
    ("CodeDeploy", "CreateDeploymentGroup"): create_deployment_group,
    ("CodeDeploy", "GetDeploymentGroup"): get_deployment_group,
    ("CodeDeploy", "UpdateDeploymentGroup"): update_deployment_group,
    ("CodeDeploy", "DeleteDeploymentGroup"): delete_deployment_group,
    ("CodeDeploy", "ListTagsForResource"): codedeploy_tags,
    ("CodePipeline", "CreatePipeline"): with_numbers,
    ("CodePipeline", "GetPipeline"): with_numbers,
    ("CodePipeline", "UpdatePipeline"): with_numbers,
    ("AnyScaleFrontendService", "RegisterScalableTarget"): register_target,
    ("AnyScaleFrontendService", "ListTagsForResource"): target_tags,
    ("AmazonEC2ContainerServiceV20141113", "CreateService"): change_service,
    ("AmazonEC2ContainerServiceV20141113", "UpdateService"): change_service,
    ("AmazonEC2ContainerServiceV20141113", "DescribeServices"): describe_services,
}

# --- RDS, EC2 ---------------------------------------------------------------------------------------------------------


def insights(kept: Kept, asked: Json, text: str) -> str:
    """Of every instance, as the last one that was made or changed asked for them."""
    kept.insights = asked.get("EnablePerformanceInsights", kept.insights)
    said = f"<PerformanceInsightsEnabled>{kept.insights}</PerformanceInsightsEnabled>"
    return text.replace("</DBInstance>", f"{said}</DBInstance>")


def users_parameters(_kept: Kept, _asked: Json, text: str) -> str:
    """moto has none but those that somebody set."""
    return text.replace("</ParameterName>", "</ParameterName><Source>user</Source>")


def remember_rule(kept: Kept, asked: Json, text: str) -> str:
    """What a rule that names a group is for."""
    said = asked.get("IpPermissions.1.Groups.1.Description") or asked.get(
        "IpPermissions.1.UserIdGroupPairs.1.Description"
    )
    if said:
        kept.rules |= dict.fromkeys(re.findall(r"<securityGroupRuleId>([^<]+)<", text), said)
    return text


def describe_rules(kept: Kept, _asked: Json, text: str) -> str:
    def described(found: re.Match[str]) -> str:
        said = kept.rules.get(found[1])
        return f"{found[0]}<description>{said}</description>" if said else found[0]

    return re.sub(r"<securityGroupRuleId>([^<]+)</securityGroupRuleId>", described, text)


XML_GAPS: dict[str, Callable[[Kept, Json, str], str]] = {
    "CreateDBInstance": insights,
    "ModifyDBInstance": insights,
    "DescribeDBInstances": insights,
    "DescribeDBParameters": users_parameters,
    "AuthorizeSecurityGroupIngress": remember_rule,
    "AuthorizeSecurityGroupEgress": remember_rule,
    "DescribeSecurityGroupRules": describe_rules,
}
