"""What a start of the app costs when SSM has its values, below a path with 60 parameters.

A start is a process of its own that reads the registry's values; SSM is moto on loopback. Times are of the processor:
what a call waits for is the network's and SSM's affair. Most of a start is AWS's own library, which is told apart.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.figures import at_most
from tests.integration.moto_server import CREDENTIALS, Cloud, running

APP = Path(__file__).parents[2] / "app"
RUNS = 15
PARAMETERS = 60
MOST_CALLS = 7
MOST_MS = 50.0
PATH, REGION = "/ledger/bench", "us-east-1"
SWITCHES = {"DJANGO_READ_SSM_PARAMS": "true", "DJANGO_SSM_PARAMS_PATH": PATH, "AWS_DEFAULT_REGION": REGION}
VALUES = {
    "DJANGO_SECRET_KEY": "x" * 64,
    "DJANGO_ALLOWED_HOSTS": "ledger.example.com",
    "DJANGO_EXTERNAL_HOST_NAME": "ledger.example.com",
    "DJANGO_DB_HOST": "db.example.com",
    "DJANGO_DB_NAME": "ledger",
    "DJANGO_DB_USER": "ledger",
    "DJANGO_DB_PASS": "x" * 32,
}
READ = """
import time
from config import environment
start = time.process_time()
environment.read()
print((time.process_time() - start) * 1000)
"""
LOAD = """
import time
from config import environment
start = time.process_time()
from botocore.config import Config
from botocore.session import Session
Session().create_client("ssm", region_name="us-east-1", config=Config()).close()
print((time.process_time() - start) * 1000)
"""


def run() -> bool:
    """Print the calls, and what the start costs beyond them; true when calls and our own part are within limits."""
    with running() as cloud:
        fill(cloud)
        cloud.calls.clear()
        plain, whole, library = [], [], []
        for _ in range(RUNS):
            plain.append(milliseconds(cloud, READ, **VALUES))
            whole.append(milliseconds(cloud, READ, **SWITCHES))
            library.append(milliseconds(cloud, LOAD, **SWITCHES))
        calls = len(cloud.called("GetParametersByPath")) / RUNS
    print(f"a start without SSM: {median(plain):.1f} ms, with SSM: {median(whole):.1f} ms")
    print(f"  of that, loading botocore and its model of SSM: {median(library):.1f} ms")
    ours = [full - bare - loaded for full, bare, loaded in zip(whole, plain, library, strict=True)]
    few = at_most(f"calls for {PARAMETERS} parameters", [calls], MOST_CALLS, "calls")
    return at_most("beyond the calls and the library", ours, MOST_MS, "ms") and few


def fill(cloud: Cloud) -> None:
    """The app's variables, and others until there are 60."""
    import boto3

    keys: dict[str, Any] = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    others = {f"OTHER_{number:02}": "x" for number in range(PARAMETERS - len(VALUES))}
    with closing(boto3.client("ssm", region_name=REGION, endpoint_url=cloud.url, **keys)) as ssm:
        for name, value in {**VALUES, **others}.items():
            ssm.put_parameter(Name=f"{PATH}/{name}", Value=value, Type="SecureString")


def milliseconds(cloud: Cloud, code: str, **environment: str) -> float:
    """Of the processor, as a process of its own prints them."""
    given = {**CREDENTIALS, "AWS_ENDPOINT_URL": cloud.url, **environment}
    done = subprocess.run([sys.executable, "-c", code], cwd=APP, env=given, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout))
