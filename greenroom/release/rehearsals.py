"""Rehearsal documents in the environment's bucket: `rehearsals/<image digest>/<plan fingerprint>/rehearsal.json`.

The newest one of a plan is the truth: one that failed takes the place of one that had passed. Names of buckets are the
world's: each call says whose it has to be, so that nobody else's document opens the gate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from greenroom.aws import AwsError
from greenroom.errors import GreenroomError
from greenroom.guard import Guard
from greenroom.rehearsal.document import Drill, Rehearsal
from greenroom.rehearsal.report.files import DOCUMENT, LATEST, read
from greenroom.release.place import Place

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_KEY = re.compile(r"^rehearsals/(?P<digest>sha256:[0-9a-f]{64})/(?P<plan>[0-9a-f]{64})/rehearsal\.json$")


@dataclass(frozen=True)
class Stored:
    """A document of the bucket; `wrong`: why no release may rest on it, empty: one may."""

    plan: str
    modified: datetime
    rehearsal: Rehearsal | None
    wrong: str

    @property
    def migrations(self) -> list[str]:
        """That it rehearsed, as app.name."""
        planned = self.rehearsal.plan.migrations if self.rehearsal else []
        return [f"{one.app}.{one.name}" for one in planned]

    @property
    def old_release(self) -> Drill | None:
        """Its drill of the release that ran before."""
        drills = self.rehearsal.drills if self.rehearsal else []
        return next((drill for drill in drills if drill.name == "old-release"), None)


def key(digest: str, plan: str) -> str:
    """Where the document of an image and a plan lies."""
    return f"rehearsals/{digest}/{plan}/{DOCUMENT}"


def of_image(guard: Guard, where: Place, digest: str) -> list[Stored]:
    """Every document of an image, the newest first. Raises AwsError, GreenroomError where there is no bucket."""
    try:
        listed = guard.pages(
            "s3",
            "list_objects_v2",
            "Contents",
            Bucket=where.bucket,
            ExpectedBucketOwner=where.environment.account,
            Prefix=f"rehearsals/{digest}/",
        )
    except AwsError as error:
        raise no_bucket(where, error) from None
    named = [(found, match) for found in listed if (match := _KEY.match(found["Key"]))]
    documents = [_stored(guard, where, found["Key"], match["plan"], found["LastModified"]) for found, match in named]
    return sorted(documents, key=lambda one: one.modified, reverse=True)


def problem(rehearsal: Rehearsal, digest: str, plan: str) -> str:
    """Why no release of that image may rest on this document, as the end of a sentence; empty where one may."""
    if rehearsal.image is None:
        return "was held in an interpreter, not in the image that ships"
    if rehearsal.image.digest != digest:
        return f"is of another image ({rehearsal.image.digest or 'one without a digest of a registry'})"
    if rehearsal.plan.fingerprint != plan:
        return "is of another plan than its place says"
    if rehearsal.source.kind == "demo":
        return "was held on demo data, and not on this environment's"
    if rehearsal.verdict == "fail":
        return f"failed: {rehearsal.reasons[0] if rehearsal.reasons else 'no reason was given'}"
    return ""


@dataclass(frozen=True)
class Push:
    """A document of this machine, and where it goes."""

    rehearsal: Rehearsal
    bucket: str
    key: str

    @property
    def shown(self) -> str:
        """What is said before it is pushed."""
        planned = ", ".join(f"{one.app}.{one.name}" for one in self.rehearsal.plan.migrations) or "nothing pending"
        return (
            f"push rehearsal {self.rehearsal.id} ({self.rehearsal.verdict}: {planned})\n  to {self.bucket}/{self.key}"
        )


def planned_push(where: Place, report: Path) -> Push:
    """Raises GreenroomError for a document that no release could ever rest on."""
    rehearsal = read(report / DOCUMENT if report.is_dir() else report)
    image = rehearsal.image
    if image is None or image.digest is None:
        why = "ran in an interpreter of this machine" if image is None else "ran in an image that was never pushed"
        raise GreenroomError(
            f"rehearsal {rehearsal.id} {why}: it belongs to no release.",
            "Push the image (./inv build --push), then: ./inv migrate-rehearse --target NAME --image REPOSITORY@DIGEST",
        )
    wrong = problem(rehearsal, image.digest, rehearsal.plan.fingerprint)
    if wrong and rehearsal.verdict != "fail":
        raise GreenroomError(f"rehearsal {rehearsal.id} {wrong}.", "Rehearse on --target, --url or --dump.")
    return Push(rehearsal, where.bucket, key(image.digest, rehearsal.plan.fingerprint))


def push(guard: Guard, where: Place, planned: Push) -> None:
    """Put it there, over an earlier one of the same image and plan. Raises GreenroomError for no bucket; AwsError."""
    put(guard, where, planned.key, planned.rehearsal.to_json())


def put(guard: Guard, where: Place, key: str, document: str) -> None:
    """A JSON document into the environment's bucket. Raises GreenroomError where there is none; AwsError."""
    try:
        guard.call(
            "s3",
            "put_object",
            Bucket=where.bucket,
            ExpectedBucketOwner=where.environment.account,
            Key=key,
            Body=document.encode(),
            ContentType="application/json",
        )
    except AwsError as error:
        raise no_bucket(where, error) from None


def newest_report(report_dir: Path) -> Path:
    """The last rehearsal that was held here. Raises GreenroomError where there is none."""
    found = report_dir / LATEST
    if not (found / DOCUMENT).is_file():
        raise GreenroomError(
            f"there is no rehearsal in {report_dir}.",
            "Hold one: ./inv migrate-rehearse --target NAME --image REPOSITORY@DIGEST",
        )
    return found


def no_bucket(where: Place, error: AwsError) -> GreenroomError:
    """What a bucket's absence means; other refusals stay as they are."""
    if error.why != "not found":
        return error
    return GreenroomError(
        f"there is no bucket {where.bucket} for the rehearsals of {where.environment.name}.",
        f"Make it (./inv tf-apply --environment {where.environment.name}), or name another: bucket = in "
        f"[tool.greenroom.environments.{where.environment.name}.release].",
    )


def _stored(guard: Guard, where: Place, name: str, plan: str, modified: datetime) -> Stored:
    owner = where.environment.account
    body = guard.body("s3", "get_object", Bucket=where.bucket, ExpectedBucketOwner=owner, Key=name)
    digest = name.split("/")[1]
    try:
        rehearsal = Rehearsal.model_validate_json(body)
    except ValidationError:
        return Stored(plan, modified, None, "is not a document that this version of Greenroom reads")
    return Stored(plan, modified, rehearsal, problem(rehearsal, digest, plan))
