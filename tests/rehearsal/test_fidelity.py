"""Where the copy is not its source."""

from __future__ import annotations

from greenroom.copies.acquiring import Acquired
from greenroom.postgres.address import Address
from greenroom.postgres.server import ServerFacts
from greenroom.rehearsal.document import Difference
from greenroom.rehearsal.fidelity import differences


def copied(here: ServerFacts, there: ServerFacts | None) -> Acquired:
    address = Address("localhost", 5432, "copy", "somebody")
    return Acquired("branch", "pipe", "copy", "localhost:5432", address, address, "lease-1", here, there)


def test_differences_are_versions_settings_and_extensions() -> None:
    here = ServerFacts("18.1", 180001, "UTC", {"plpgsql": "1.0", "pg_trgm": "1.6"}, {"TimeZone": "UTC", "fsync": "on"})
    there = ServerFacts("16.4", 160004, "CET", {"plpgsql": "1.0", "pg_trgm": "1.5"}, {"TimeZone": "CET", "fsync": "on"})
    assert differences(copied(here, there)) == [
        Difference(setting="TimeZone", copy_value="UTC", source_value="CET"),
        Difference(setting="extension pg_trgm", copy_value="1.6", source_value="1.5"),
        Difference(setting="server_version", copy_value="18.1", source_value="16.4"),
    ]


def test_what_a_source_does_not_tell_is_no_difference() -> None:
    here = ServerFacts("18.1", 180001, "UTC", {"plpgsql": "1.0"}, {"TimeZone": "UTC"})
    assert differences(copied(here, None)) == []
    assert differences(copied(here, ServerFacts("18.1", 180001, ""))) == []
