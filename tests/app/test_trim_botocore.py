"""What the image has of botocore's data does what the whole does."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.loaders import Loader
from botocore.session import Session

from trim_botocore import OPERATIONS, only, trim

WHOLE = Path(botocore.__path__[0]) / "data"


@pytest.fixture(scope="module")
def trimmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("data")
    for path in WHOLE.iterdir():
        if path.is_file():
            shutil.copy(path, data)
        elif path.name in {*OPERATIONS, "s3"}:
            shutil.copytree(path, data / path.name)
    trim(data)
    return data


def client(data: Path, service: str, region: str) -> Any:
    session = Session()
    session.register_component("data_loader", Loader([str(data)], include_default_search_paths=False))
    return session.create_client(service, region, aws_access_key_id="a", aws_secret_access_key="b")


def test_other_services_are_gone(trimmed: Path) -> None:
    assert {path.name for path in trimmed.iterdir() if path.is_dir()} == set(OPERATIONS)


@pytest.mark.parametrize("service", OPERATIONS)
@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1", "cn-north-1", "eu-isoe-west-1"])
def test_a_service_is_found_in_every_partition(trimmed: Path, service: str, region: str) -> None:
    assert client(trimmed, service, region).meta.endpoint_url == client(WHOLE, service, region).meta.endpoint_url


def test_the_operation_is_the_wholes(trimmed: Path) -> None:
    """Its parameters, what it answers, and how it may fail, each to the last member."""
    ours, theirs = (client(data, "ssm", "eu-central-1") for data in (trimmed, WHOLE))
    assert ours.meta.service_model.operation_names == ["GetParametersByPath"]
    assert ours.can_paginate("get_parameters_by_path")
    of_ours, of_theirs = (made.meta.service_model.operation_model("GetParametersByPath") for made in (ours, theirs))
    assert told(of_ours.input_shape) == told(of_theirs.input_shape)
    assert told(of_ours.output_shape) == told(of_theirs.output_shape)
    assert [told(shape) for shape in of_ours.error_shapes] == [told(shape) for shape in of_theirs.error_shapes]


def told(shape: Any) -> Any:
    """A shape and all that it leads to."""
    inner = [*getattr(shape, "members", {}).values()]
    inner += [getattr(shape, name) for name in ("member", "key", "value") if hasattr(shape, name)]
    return shape.name, shape.type_name, shape.metadata, shape.serialization, [told(part) for part in inner]


def test_an_operation_that_there_is_not_fails_the_build() -> None:
    (path,) = WHOLE.glob("ssm/*/service-2.json.gz")
    with pytest.raises(KeyError):
        only(json.loads(gzip.decompress(path.read_bytes())), {"GetParametersByPaths"})


def test_trimming_twice_changes_nothing(trimmed: Path) -> None:
    def contents() -> dict[str, bytes]:
        return {str(path.relative_to(trimmed)): path.read_bytes() for path in trimmed.rglob("*") if path.is_file()}

    before = contents()
    trim(trimmed)
    assert contents() == before
