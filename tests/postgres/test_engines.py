"""The lease as tags, identifiers that AWS takes, placeholders of commands, and patience."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest

from greenroom.aws import AwsError
from greenroom.console import Silent
from greenroom.errors import GreenroomError
from greenroom.postgres.engines import aurora, command, rds, tags, waiting
from greenroom.postgres.lease import Lease, copy_name


def lease() -> Lease:
    return Lease.new(branch="fix_it", source="staging", hours=1, kept=True)


class Clock:
    """Time that passes only in pauses."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(waiting, "time", made)
    return made


def throttled() -> AwsError:
    return AwsError("throttled", "Throttling", "slowly", "Wait.")


# --- tags and identifiers


def test_lease_survives_its_tags() -> None:
    made = lease()
    assert tags.lease_of(tags.of_lease(made)) == made
    assert all(len(tag["Key"]) <= 128 and 1 <= len(tag["Value"]) <= 256 for tag in tags.of_lease(made))


def test_lease_of_before_has_no_tags_of_its_machine() -> None:
    made = tags.of_lease(lease())
    found = tags.lease_of([tag for tag in made if tag["Key"] not in ("greenroom-machine", "greenroom-began")])
    assert found and (found.machine, found.began, found.id) == ("", 0, made[0]["Value"])


@pytest.mark.parametrize("missing", [tag["Key"] for tag in tags.of_lease(replace(lease(), machine=""))])
def test_lease_of_gives_nothing_when_a_tag_is_missing(missing: str) -> None:
    assert tags.lease_of([tag for tag in tags.of_lease(lease()) if tag["Key"] != missing]) is None


@pytest.mark.parametrize(("key", "value"), [("greenroom-pid", "me"), ("greenroom-until", "tomorrow")])
def test_lease_of_gives_nothing_for_what_cannot_be_read(key: str, value: str) -> None:
    others = [tag for tag in tags.of_lease(lease()) if tag["Key"] != key]
    assert tags.lease_of([*others, {"Key": key, "Value": value}]) is None


@pytest.mark.parametrize("found", [None, [], [{"Key": "team", "Value": "shop"}], [{"Key": "greenroom-lease"}]])
def test_lease_of_gives_nothing_for_other_tags(found: list[dict[str, str]] | None) -> None:
    assert tags.lease_of(found) is None


def test_value_keeps_what_a_tag_may_hold() -> None:
    assert tags.value_of("Grün me@host.example: a/b+c=d_e-f 1") == "Grün me@host.example: a/b+c=d_e-f 1"
    assert tags.value_of("a\\b\n(c)'\"*{d}") == "a_b__c_____d_"
    assert tags.value_of("x" * 300) == "x" * 256
    assert tags.value_of("") == "-"


def test_lease_in_odd_words_is_still_one() -> None:
    odd = replace(lease(), branch="féature(1)", source="x" * 400, by="CORP\\me@host")
    found = tags.lease_of(tags.of_lease(odd))
    assert found and (found.id, found.by, found.branch) == (odd.id, "CORP_me@host", "féature_1_")


@pytest.mark.parametrize("database", ["shop", "Shop_DB", "d" * 63, "データ", "ü-1", "--", "1st", "a__b"])
@pytest.mark.parametrize("slug", ["fix_it", "x" * 200, "_", "ÄÖ"])
def test_identifier_is_one_that_aws_takes(database: str, slug: str) -> None:
    name = copy_name(database, slug)
    made = tags.identifier(name)
    assert re.fullmatch(r"greenroom-[a-z0-9]+(-[a-z0-9]+)*", made) and len(made) <= 61
    assert made.endswith(f"-{name[-6:]}")


def test_identifier_tells_database_and_branch() -> None:
    assert tags.identifier("shop__fix_it_3fa2b1") == "greenroom-shop-fix-it-3fa2b1"


# --- patience


def test_until_available_pauses_longer_and_longer(clock: Clock) -> None:
    asked: list[float] = []

    def status() -> str:
        asked.append(clock.now)
        return "available" if clock.now > 60 else "creating"

    waiting.until_available("it", status, Silent())
    pauses = [later - earlier for earlier, later in pairwise(asked)]
    assert pauses[:3] == [0.5, 0.75, 1.125] and max(pauses) <= waiting.LONGEST_PAUSE_SECONDS


def test_until_available_gives_what_was_just_made_time_to_appear(clock: Clock) -> None:
    waiting.until_available("it", lambda: None if clock.now < 60 else "available", Silent())
    with pytest.raises(GreenroomError, match=r"^it has vanished: somebody else deleted it\."):
        waiting.until_available("it", lambda: None, Silent())


def test_until_available_says_when_it_vanishes_again(clock: Clock) -> None:
    answers = iter(["creating", None])
    with pytest.raises(GreenroomError, match=r"^it has vanished"):
        waiting.until_available("it", lambda: next(answers), Silent())
    assert clock.now < 1


@pytest.mark.parametrize("status", ["failed", "incompatible-restore", "storage-full", "deleting", "failed 40 %"])
def test_until_available_gives_up_on_what_is_broken(status: str, clock: Clock) -> None:
    with pytest.raises(GreenroomError) as refused:
        waiting.until_available("it", lambda: status, Silent())
    assert refused.value.sentence == f"it will not become available: AWS says that it is {status.split()[0]}."
    assert clock.now == 0


def test_until_available_ends(clock: Clock) -> None:
    with pytest.raises(GreenroomError) as refused:
        waiting.until_available("it", lambda: "creating", Silent())
    assert refused.value.sentence == "it is not available after 4 hours (it is creating)."


@pytest.mark.parametrize(("seconds", "sits_out"), [(240, True), (900, False)])
def test_until_available_sits_silence_out_for_five_minutes(seconds: float, sits_out: bool, clock: Clock) -> None:
    def status() -> str:
        if clock.now < seconds:
            raise throttled()
        return "available"

    if sits_out:
        waiting.until_available("it", status, Silent())
    else:
        with pytest.raises(AwsError):
            waiting.until_available("it", status, Silent())
        assert 300 < clock.now < 330


def test_until_available_raises_what_will_not_pass(clock: Clock) -> None:
    def status() -> str:
        raise AwsError("expired", "ExpiredToken", "expired", "Sign in.")

    with pytest.raises(AwsError):
        waiting.until_available("it", status, Silent())
    assert clock.now == 0


@pytest.mark.parametrize("why", ["state", "throttled", "unreachable"])
def test_until_accepted_tries_for_a_quarter_of_an_hour(why: str, clock: Clock) -> None:
    heard: list[str] = []

    def delete() -> None:
        raise AwsError(why, "x", "not now", "Wait.")  # type: ignore[arg-type]

    with pytest.raises(AwsError):
        waiting.until_accepted(delete, lambda error: heard.append(error.reason))
    assert 900 < clock.now < 930 and len(heard) > 50


def test_until_accepted_raises_a_refusal_at_once(clock: Clock) -> None:
    def delete() -> None:
        raise AwsError("denied", "AccessDenied", "no", "Ask.")

    with pytest.raises(AwsError):
        waiting.until_accepted(delete, lambda _error: None)
    assert clock.now == 0


# --- what is asked for


@pytest.mark.parametrize(
    ("facts", "asked"),
    [
        ({"StorageType": "gp2", "Iops": 300}, {"StorageType": "gp2"}),
        (
            {"StorageType": "gp3", "AllocatedStorage": 100, "Iops": 3000, "StorageThroughput": 125},
            {"StorageType": "gp3"},
        ),
        (
            {"StorageType": "gp3", "AllocatedStorage": 400, "Iops": 12000, "StorageThroughput": 500},
            {"StorageType": "gp3", "Iops": 12000, "StorageThroughput": 500},
        ),
        ({"StorageType": "io2", "AllocatedStorage": 100, "Iops": 9000}, {"StorageType": "io2", "Iops": 9000}),
    ],
)
def test_restored_instance_has_the_source_s_storage(facts: dict[str, object], asked: dict[str, object]) -> None:
    assert rds.storage_of(facts) == asked


def test_clone_scales_only_where_the_source_does() -> None:
    assert aurora.scaling_of({}) is None
    given = {"MinCapacity": 0.5, "MaxCapacity": 8.0, "Unknown": 1}
    assert aurora.scaling_of({"ServerlessV2ScalingConfiguration": given}) == {"MinCapacity": 0.5, "MaxCapacity": 8.0}


# --- commands


def test_placeholders_are_filled_and_other_braces_stay() -> None:
    terms = lease()
    words = ["lab", "{name}", "--until={until}", "{branch}/{name}", "{x}", "{{name}}", "jq .db | {a: 1}"]
    assert command.filled(words, "shop__{until}_1", terms) == [
        "lab",
        "shop__{until}_1",
        f"--until={terms.until}",
        "fix_it/shop__{until}_1",
        "{x}",
        "{shop__{until}_1}",
        "jq .db | {a: 1}",
    ]
