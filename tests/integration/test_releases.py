"""Releases into an environment that moto and a fake of CodeDeploy play."""

from __future__ import annotations

from tests.integration.release_stage import DIGEST, Stage, checkout, cloud, moto, stage

__all__ = ["checkout", "cloud", "moto", "stage"]


def test_doctor_finds_nothing(stage: Stage) -> None:
    stage.rehearse()
    said = stage.staging("doctor", "--image", DIGEST)
    print(said)
    assert (said.code, said.error) == (0, "")
    assert stage.writes == []


def test_deploy_goes_through(stage: Stage) -> None:
    stage.rehearse()
    said = stage.staging("deploy", "--image", DIGEST, "--yes")
    print(said.out, said.error)
    assert said.code == 0
