"""AWS as moto plays it, and what moto lacks for Terraform's provider: filled in between the two, call by call.

moto itself stays as it is. A gap is a function that gets what was asked and a way to ask moto, and answers.
- CodeBuild refuses projects whose source is a pipeline, and cannot change one: kept here.
- CodeDeploy can neither change nor delete, and forgets alarms and triggers: kept here.
- CodePipeline writes times as text, where the protocol has numbers.
- Application Auto Scaling does not list tags.
- ECS forgets some of what a service was made with: remembered here.
All of them speak the JSON protocol; only that is looked into.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.integration.moto_server import Application, Cloud, running

Json = dict[str, Any]
Ask = Callable[[Json], Json]
ACCOUNT, REGION = "123456789012", "eu-central-1"
FORGOTTEN = ("healthCheckGracePeriodSeconds", "availabilityZoneRebalancing", "deploymentConfiguration")
MADE_AT = 1_750_000_000  # seconds since 1970: when everything that is kept here was made


class Refused(Exception):
    """The answer is an error of AWS, of this code."""


@dataclass
class Kept:
    """What is kept here in moto's place, by name."""

    projects: dict[str, Json] = field(default_factory=dict)
    applications: dict[str, Json] = field(default_factory=dict)
    groups: dict[str, Json] = field(default_factory=dict)
    services: dict[str, Json] = field(default_factory=dict)

    def left(self) -> list[str]:
        """Names of what nobody has deleted."""
        return [*self.projects, *self.applications, *self.groups]


@dataclass
class Filled:
    """moto with its gaps filled, as a WSGI application."""

    moto: Application
    kept: Kept = field(default_factory=Kept)

    def __call__(self, environ: Json, start: Callable[..., Any]) -> Iterable[bytes]:
        service, _, action = str(environ.get("HTTP_X_AMZ_TARGET", "")).partition(".")
        gap = GAPS.get((service.partition("_")[0], action))
        if gap is None:
            return self.moto(environ, start)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        try:
            status, answer = "200 OK", gap(self.kept, json.loads(body or b"{}"), self._asking(environ))
        except Refused as error:
            status, answer = "400 No", {"__type": str(error), "message": "no"}
        sent = json.dumps(answer).encode()
        start(status, [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(sent)))])
        return [sent]

    def _asking(self, environ: Json) -> Ask:
        def ask(asked: Json) -> Json:
            body, said = json.dumps(asked).encode(), list[Any]()
            again = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
            answer = json.loads(b"".join(self.moto(again, lambda *words: said.extend(words))) or b"{}")
            if not said[0].startswith("200"):
                raise Refused(str(answer.get("__type", "ServerException")))
            return dict(answer)

        return ask


@contextmanager
def filled() -> Iterator[tuple[Cloud, Kept]]:
    """A server on loopback, with an empty account."""
    with running() as cloud:
        application = Filled(cloud.application)
        cloud.application = application
        yield cloud, application.kept


# --- CodeBuild ----------------------------------------------------------------------------------------------------------


def create_project(kept: Kept, asked: Json, _ask: Ask) -> Json:
    if asked["name"] in kept.projects:
        raise Refused("ResourceAlreadyExistsException")
    arn = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{asked['name']}"
    kept.projects[asked["name"]] = {"arn": arn, "created": MADE_AT, "lastModified": MADE_AT, **asked}
    return {"project": kept.projects[asked["name"]]}


def update_project(kept: Kept, asked: Json, _ask: Ask) -> Json:
    if asked["name"] not in kept.projects:
        raise Refused("ResourceNotFoundException")
    kept.projects[asked["name"]] |= asked
    return {"project": kept.projects[asked["name"]]}


def batch_get_projects(kept: Kept, asked: Json, _ask: Ask) -> Json:
    names = [name.rpartition("/")[2] for name in asked["names"]]
    return {
        "projects": [kept.projects[name] for name in names if name in kept.projects],
        "projectsNotFound": [name for name in names if name not in kept.projects],
    }


def delete_project(kept: Kept, asked: Json, _ask: Ask) -> Json:
    kept.projects.pop(asked["name"].rpartition("/")[2], None)
    return {}


# --- CodeDeploy ---------------------------------------------------------------------------------------------------------


def create_application(kept: Kept, asked: Json, _ask: Ask) -> Json:
    name = asked["applicationName"]
    if name in kept.applications:
        raise Refused("ApplicationAlreadyExistsException")
    kept.applications[name] = {
        **{"applicationId": f"id-of-{name}", "applicationName": name, "createTime": MADE_AT, "linkedToGitHub": False},
        "computePlatform": asked.get("computePlatform", "Server"),
    }
    return {"applicationId": f"id-of-{name}"}


def get_application(kept: Kept, asked: Json, _ask: Ask) -> Json:
    return {"application": _found(kept.applications, asked["applicationName"], "ApplicationDoesNotExistException")}


def delete_application(kept: Kept, asked: Json, _ask: Ask) -> Json:
    kept.applications.pop(asked["applicationName"], None)
    return {}


def create_deployment_group(kept: Kept, asked: Json, _ask: Ask) -> Json:
    application = _found(kept.applications, asked["applicationName"], "ApplicationDoesNotExistException")
    facts = {name: value for name, value in asked.items() if name != "tags"}
    made = {"deploymentGroupId": f"id-of-{asked['deploymentGroupName']}", **facts}
    made["computePlatform"] = application["computePlatform"]
    kept.groups[_group(asked)] = made
    return {"deploymentGroupId": made["deploymentGroupId"]}


def get_deployment_group(kept: Kept, asked: Json, _ask: Ask) -> Json:
    return {"deploymentGroupInfo": _found(kept.groups, _group(asked), "DeploymentGroupDoesNotExistException")}


def update_deployment_group(kept: Kept, asked: Json, _ask: Ask) -> Json:
    name = f"{asked['applicationName']}/{asked['currentDeploymentGroupName']}"
    _found(kept.groups, name, "DeploymentGroupDoesNotExistException").update(
        {key: value for key, value in asked.items() if key != "currentDeploymentGroupName"}
    )
    return {"hooksNotCleanedUp": []}


def delete_deployment_group(kept: Kept, asked: Json, _ask: Ask) -> Json:
    kept.groups.pop(_group(asked), None)
    return {"hooksNotCleanedUp": []}


def no_tags(_kept: Kept, _asked: Json, _ask: Ask) -> Json:
    """CodeDeploy's: a list."""
    return {"Tags": []}


def no_tag_table(_kept: Kept, _asked: Json, _ask: Ask) -> Json:
    """Application Auto Scaling's: a table."""
    return {"Tags": {}}


def _group(asked: Json) -> str:
    return f"{asked['applicationName']}/{asked['deploymentGroupName']}"


def _found(kept: dict[str, Json], name: str, otherwise: str) -> Json:
    if name not in kept:
        raise Refused(otherwise)
    return kept[name]


# --- CodePipeline, ECS --------------------------------------------------------------------------------------------------


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


def change_service(kept: Kept, asked: Json, ask: Ask) -> Json:
    name = str(asked.get("serviceName") or asked["service"]).rpartition("/")[2]
    kept.services.setdefault(name, {}).update({key: asked[key] for key in FORGOTTEN if key in asked})
    answer = ask(asked)
    answer["service"] |= kept.services[name]
    return answer


def describe_services(kept: Kept, asked: Json, ask: Ask) -> Json:
    answer = ask(asked)
    for service in answer["services"]:
        service |= kept.services.get(service["serviceName"], {})
    return answer


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
    ("CodeDeploy", "ListTagsForResource"): no_tags,
    ("CodePipeline", "CreatePipeline"): with_numbers,
    ("CodePipeline", "GetPipeline"): with_numbers,
    ("CodePipeline", "UpdatePipeline"): with_numbers,
    ("AnyScaleFrontendService", "ListTagsForResource"): no_tag_table,
    ("AmazonEC2ContainerServiceV20141113", "CreateService"): change_service,
    ("AmazonEC2ContainerServiceV20141113", "UpdateService"): change_service,
    ("AmazonEC2ContainerServiceV20141113", "DescribeServices"): describe_services,
}
