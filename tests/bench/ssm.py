"""What a start of the app costs when SSM has its values, below a path with 60 parameters.

A start is a process of its own, in a container of the image, that has loaded gunicorn and its configuration, and then
loads the app. It is held against one that is given its values; SSM is moto on loopback. Times are of the processor:
what a call waits for is the network's and SSM's affair. What calls take is told apart, by a client that is made
already.
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.figures import at_most
from tests.integration.images import ENVIRONMENT, container, docker, image_of
from tests.integration.moto_server import CREDENTIALS, Cloud, running

RUNS = 25
PARAMETERS = 60
MOST_CALLS = 7
MOST_MS = 50.0
PATH, REGION = "/ledger/bench", "us-east-1"
SWITCHES = {"DJANGO_READ_SSM_PARAMS": "true", "DJANGO_SSM_PARAMS_PATH": PATH, "AWS_DEFAULT_REGION": REGION}
FROM_SSM = {**dict.fromkeys(ENVIRONMENT, ""), **SWITCHES}  # an empty value counts as not set
START = """
import runpy, time
import gunicorn.app.wsgiapp, gunicorn.workers.gthread
runpy.run_path("gunicorn.conf.py")
start = time.process_time()
import config.wsgi
print("took", (time.process_time() - start) * 1000)
"""
CALLS = """
from botocore.session import Session
client = Session().create_client("ssm")
start = time.process_time()
pages = client.get_paginator("get_parameters_by_path").paginate(
    Path="/ledger/bench", Recursive=True, WithDecryption=True, PaginationConfig={"PageSize": 10}
)
assert len([found for page in pages for found in page["Parameters"]]) == 60
print("took", (time.process_time() - start) * 1000)
"""


def run() -> bool:
    """Print the calls, and what the start costs beyond them; true when both are within limits."""
    with tempfile.TemporaryDirectory() as directory, image_of(Path(directory)), running() as cloud:
        fill(cloud)
        cloud.calls.clear()
        given = {**CREDENTIALS, "AWS_ENDPOINT_URL": cloud.url}
        with container("--network", "host", command=("sleep", "3600"), **given) as made:
            pairs = [(milliseconds(made, START), milliseconds(made, START + CALLS, **FROM_SSM)) for _ in range(RUNS)]
        number = len(cloud.called("GetParametersByPath")) / (2 * RUNS)
    plain, whole, calls = ([*figures] for figures in zip(*((bare, *more) for (bare,), more in pairs), strict=True))
    print(f"a start without SSM: {median(plain):.1f} ms, with SSM: {median(whole):.1f} ms")
    print(f"  of that, the calls: {median(calls):.1f} ms")
    beyond = [full - bare - called for bare, full, called in zip(plain, whole, calls, strict=True)]
    few = at_most(f"calls for {PARAMETERS} parameters", [number], MOST_CALLS, "calls")
    quick = at_most("beyond the calls", beyond, MOST_MS, "ms")
    print(f"  that is {median(beyond) / median(plain):.2f} of a start without SSM")
    return quick and few


def fill(cloud: Cloud) -> None:
    """The app's variables, and others until there are 60."""
    import boto3

    keys: dict[str, Any] = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    others = {f"OTHER_{number:02}": "x" for number in range(PARAMETERS - len(ENVIRONMENT))}
    with closing(boto3.client("ssm", region_name=REGION, endpoint_url=cloud.url, **keys)) as ssm:
        for name, value in {**ENVIRONMENT, **others}.items():
            ssm.put_parameter(Name=f"{PATH}/{name}", Value=value, Type="SecureString")


def milliseconds(made: str, code: str, **environment: str) -> list[float]:
    """Of the processor, as a process of its own in that container prints them."""
    words = [word for name, value in environment.items() for word in ("--env", f"{name}={value}")]
    said = docker("exec", *words, made, "python", "-c", code)  # warnings too, of parameters that nobody knows
    return [float(line.removeprefix("took ")) for line in said.splitlines() if line.startswith("took ")]
