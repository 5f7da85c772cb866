"""What psycopg says by the way; nobody is connected here."""

from __future__ import annotations

import subprocess
import sys

SAYING = """
import logging
import greenroom.postgres.{module}
logging.getLogger("psycopg").warning("error ignored in rollback")
logging.getLogger("greenroom").warning("ours")
"""


def test_what_psycopg_ignores_is_not_for_the_terminal() -> None:
    for module in ("server", "postmaster", "containers"):
        done = subprocess.run(
            [sys.executable, "-c", SAYING.format(module=module)], capture_output=True, text=True, check=True
        )
        assert done.stderr == "ours\n"
