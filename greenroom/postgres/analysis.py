"""VACUUM and ANALYZE of a fresh copy: statistics for the planner, and pages as settled as in a database in use."""

from __future__ import annotations

import os

from greenroom import shell
from greenroom.postgres.account import dies_with_us
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.server import connect, unhindered

MOST_JOBS = 4


def analyse(address: Address, binaries: Binaries) -> bool:
    """Whether every table was done; a role that does not own one passes it over.

    VACUUM too: else the first reader of each page would write it, and the migration would be that reader.
    """
    jobs = max(1, min(MOST_JOBS, os.cpu_count() or 1))
    with connect(address) as connection:
        writing = unhindered(address, connection.info.server_version)
    options = ("--analyze", "--quiet", "--no-password", f"--jobs={jobs}", f"--dbname={writing.conninfo}")
    done = shell.run(
        [*dies_with_us(), binaries.program("vacuumdb"), *options],
        env={"LC_ALL": "C", **address.password_environment},
        check=False,
    )
    return done.code == 0
