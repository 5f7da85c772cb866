"""Puts every DJANGO_ variable of its own environment below DJANGO_SSM_PARAMS_PATH, as an operator once did."""

from __future__ import annotations

import os

import boto3

OF_TASK_DEFINITION = {
    "DJANGO_INTERNAL_PORT_NUM",
    "DJANGO_SETTINGS_MODULE",
    "DJANGO_READ_SSM_PARAMS",
    "DJANGO_SSM_PARAMS_PATH",
}


def main() -> None:
    """Where it was run before, values are overwritten."""
    path = os.environ["DJANGO_SSM_PARAMS_PATH"]
    ssm = boto3.client("ssm")
    for name in sorted({name for name in os.environ if name.startswith("DJANGO_")} - OF_TASK_DEFINITION):
        ssm.put_parameter(Name=f"{path}/{name}", Value=os.environ[name], Type="SecureString", Overwrite=True)
        print(f"put {path}/{name}")


if __name__ == "__main__":
    main()
