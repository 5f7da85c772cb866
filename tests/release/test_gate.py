"""Only a passing rehearsal of exactly these migrations, in this image, on this environment's data opens the gate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from greenroom.errors import GreenroomError
from greenroom.rehearsal.document import Image, Rehearsal, Source
from greenroom.release import gate, rehearsals
from tests.release import scene
from tests.release.scene import DIGEST, NOW, PLAN, Played, error

OTHER = "sha256:" + "b2" * 32
BUCKET = "ledger-staging-rehearsals-123456789012"


def verdict(word: str) -> Callable[[Rehearsal], None]:
    def change(made: Rehearsal) -> None:
        made.verdict = word  # type: ignore[assignment]
        made.reasons = ["readers stood still for 3 s"] if word == "fail" else []

    return change


def imaged(digest: str | None) -> Callable[[Rehearsal], object]:
    return lambda made: setattr(made, "image", Image(name="ledger", digest=digest, id=OTHER))


WRONG: list[tuple[Callable[[Rehearsal], object], str]] = [
    (lambda made: setattr(made, "image", None), "was held in an interpreter, not in the image that ships"),
    (imaged(OTHER), f"is of another image ({OTHER})"),
    (imaged(None), "is of another image (one without a digest of a registry)"),
    (lambda made: setattr(made.plan, "fingerprint", "d4" * 32), "is of another plan than its place says"),
    (
        lambda made: setattr(made, "source", Source(kind="demo", description="demo")),
        "was held on demo data, and not on this environment's",
    ),
    (verdict("fail"), "failed: readers stood still for 3 s"),
]


@pytest.mark.parametrize(("change", "why"), WRONG)
def test_shut(change: Callable[[Rehearsal], object], why: str) -> None:
    found = scene.gate(scene.stored(change))
    assert (found.open, found.plans) == (False, [])
    with pytest.raises(GreenroomError) as refused:
        gate.refuse_shut(found)
    assert refused.value.code == 1
    assert refused.value.sentence == f"the rehearsal of this image, plan c3c3c3c3c3c3, {why}: not released."
    assert refused.value.hint == (
        "Rehearse it: ./inv migrate-rehearse --target NAME --image "
        f"{scene.ACCOUNT}.dkr.ecr.{scene.REGION}.amazonaws.com/ledger@{DIGEST}; then ./inv rehearsal-push "
        "--environment staging; or go without, on record: --unrehearsed REASON"
    )


@pytest.mark.parametrize("word", ["pass", "warn"])
def test_open(word: str) -> None:
    found = scene.gate(scene.stored(verdict(word)))
    assert (found.open, found.plans) == (True, [PLAN])
    assert found.sentence.startswith(f"{word}, ")
    gate.refuse_shut(found)


def test_without_a_document() -> None:
    with pytest.raises(GreenroomError) as refused:
        gate.refuse_shut(scene.gate())
    assert (refused.value.code, refused.value.sentence) == (
        1,
        "no rehearsal of sha256:a1a1a1a1a1a1 is known: not released.",
    )


def test_a_reason_opens_it_for_whatever_is_pending() -> None:
    found = scene.gate(unrehearsed="hotfix 1234")
    assert (found.open, found.plans) == (True, ["any"])


@pytest.mark.parametrize("reason", ["", "  "])
def test_an_empty_reason_is_none(reason: str) -> None:
    with pytest.raises(GreenroomError) as refused:
        gate.gate(Played(), scene.where(), DIGEST, reason)
    assert (refused.value.code, refused.value.sentence) == (2, "--unrehearsed needs a reason: it goes on record.")


def bucket(*documents: tuple[str, Rehearsal | bytes]) -> Played:
    """With these objects, by their keys; the later ones are newer."""
    bodies = {key: made if isinstance(made, bytes) else made.to_json().encode() for key, made in documents}
    contents = [{"Key": key, "LastModified": NOW.replace(minute=n)} for n, key in enumerate(bodies)]
    return Played(list_objects_v2={"Contents": contents}, get_object=lambda Key, **_more: {"Body": bodies[Key]})


def test_documents_of_an_image_by_their_place() -> None:
    older = scene.rehearsal(lambda made: setattr(made.plan, "fingerprint", "d4" * 32))
    guard = bucket(
        (f"rehearsals/{DIGEST}/{'d4' * 32}/rehearsal.json", older),
        (f"rehearsals/{DIGEST}/{PLAN}/rehearsal.json", scene.rehearsal()),
        (f"rehearsals/{DIGEST}/notes.txt", b"not one"),
    )
    found = gate.gate(guard, scene.where(), DIGEST)
    assert found.plans == [PLAN, "d4" * 32], "the newest first"
    place = {"Bucket": BUCKET, "ExpectedBucketOwner": scene.ACCOUNT, "Prefix": f"rehearsals/{DIGEST}/"}
    assert guard.calls[0] == ("list_objects_v2", place)


def test_a_document_put_at_another_image_s_place_opens_nothing() -> None:
    guard = bucket((f"rehearsals/{OTHER}/{PLAN}/rehearsal.json", scene.rehearsal()))
    assert gate.gate(guard, scene.where(), OTHER).sentence.endswith(f"is of another image ({DIGEST})")


@pytest.mark.parametrize("body", [b"", b"{}", b'{"schema_version": 99}', b"\xff"])
def test_a_document_that_cannot_be_read_opens_nothing(body: bytes) -> None:
    guard = bucket((f"rehearsals/{DIGEST}/{PLAN}/rehearsal.json", body))
    found = gate.gate(guard, scene.where(), DIGEST)
    assert not found.open
    assert found.sentence.endswith("is not a document that this version of Greenroom reads")


def test_no_bucket_is_told_with_what_makes_it() -> None:
    with pytest.raises(GreenroomError) as refused:
        gate.gate(Played(list_objects_v2=error("not found", "NoSuchBucket")), scene.where(), DIGEST)
    assert refused.value.sentence == f"there is no bucket {BUCKET} for the rehearsals of staging."
    assert refused.value.hint.startswith("Make it (./inv tf-apply --environment staging), or name another: bucket = in")


def test_more_plans_than_fit_into_a_task_s_command_are_left_out() -> None:
    assert len(scene.gate(*[scene.stored(age=n) for n in range(30)]).plans) == gate.PLANS


PUSHED: list[tuple[Callable[[Rehearsal], object], str]] = [
    (lambda made: setattr(made, "image", None), "ran in an interpreter of this machine: it belongs to no release."),
    (imaged(None), "ran in an image that was never pushed: it belongs to no release."),
    (
        lambda made: setattr(made, "source", Source(kind="demo", description="demo")),
        "was held on demo data, and not on this environment's.",
    ),
]


def written(directory: Path, made: Rehearsal) -> Path:
    (directory / "rehearsal.json").write_text(made.to_json())
    return directory


@pytest.mark.parametrize(("change", "why"), PUSHED)
def test_what_no_release_could_rest_on_is_not_pushed(
    change: Callable[[Rehearsal], object], why: str, tmp_path: Path
) -> None:
    made = scene.rehearsal(change)
    with pytest.raises(GreenroomError) as refused:
        rehearsals.planned_push(scene.where(), written(tmp_path, made))
    assert (refused.value.code, refused.value.sentence) == (2, f"rehearsal {made.id} {why}")


@pytest.mark.parametrize("word", ["pass", "warn", "fail"])
def test_where_a_document_goes(word: str, tmp_path: Path) -> None:
    """One that failed goes there too, and shuts the gate."""
    planned = rehearsals.planned_push(scene.where(), written(tmp_path, scene.rehearsal(verdict(word))))
    assert (planned.bucket, planned.key) == (BUCKET, f"rehearsals/{DIGEST}/{PLAN}/rehearsal.json")
    guard = Played(put_object={})
    rehearsals.push(guard, scene.where(), planned)
    ((_, put),) = guard.calls
    place = {"Bucket": BUCKET, "ExpectedBucketOwner": scene.ACCOUNT, "Key": planned.key}
    assert put == {**place, "Body": put["Body"], "ContentType": "application/json"}
    assert Rehearsal.model_validate_json(put["Body"]).verdict == word


def test_nothing_was_rehearsed_here(tmp_path: Path) -> None:
    with pytest.raises(GreenroomError) as refused:
        rehearsals.newest_report(tmp_path)
    assert refused.value.sentence == f"there is no rehearsal in {tmp_path}."


def test_push_into_no_bucket_is_told(tmp_path: Path) -> None:
    planned: Any = rehearsals.planned_push(scene.where(), written(tmp_path, scene.rehearsal()))
    with pytest.raises(GreenroomError) as refused:
        rehearsals.push(Played(put_object=error("not found", "NoSuchBucket")), scene.where(), planned)
    assert refused.value.sentence == f"there is no bucket {BUCKET} for the rehearsals of staging."
