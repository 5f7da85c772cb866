"""CodeDeploy's AfterAllowTestTraffic, as a function of AWS Lambda: the functional tests, held against green.

Green answers on the test listener, and no visitor sees it yet. Where a test fails, CodeDeploy takes the release back.
"""

from __future__ import annotations

import os
import time
from typing import Any

from greenroom.smoke.site import NothingAnswers, Site
from greenroom.smoke.suite import failed, smoke, table

URL = "GREENROOM_SMOKE_URL"
ATTEMPTS, PAUSE_SECONDS = 5, 5  # a listener leads to green some seconds after CodeDeploy has told it to


def handler(event: dict[str, str], _context: Any) -> str:
    """Ask green, and tell CodeDeploy. Whatever goes wrong here is told as a failure: silence would last an hour."""
    import boto3  # in Lambda's own environment

    status = "Failed"
    try:
        status = "Succeeded" if passes(os.environ[URL]) else "Failed"
    finally:
        boto3.client("codedeploy").put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"],
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status=status,
        )
    return status


def passes(url: str) -> bool:
    """Whether every test does; the table goes to the log."""
    for attempt in range(1, ATTEMPTS + 1):
        site = Site(url)
        try:
            outcomes = smoke(site)
        except NothingAnswers as error:
            print(f"attempt {attempt} of {ATTEMPTS}: nothing answers at {url}: {error}")
            time.sleep(PAUSE_SECONDS)
            continue
        print(table(site, outcomes))
        return not failed(outcomes)
    return False
