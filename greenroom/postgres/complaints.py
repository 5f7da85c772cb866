"""What pg_restore complains of, and which of it a copy can do without: that is told in the report."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenroom.postgres.restoring import Target

# what pg_restore of a newer version says to an older server, and what only an extension's owner may do
_HARMLESS = re.compile(r"SET transaction_timeout|COMMENT ON EXTENSION ")
# what an ordinary role may not do to things that are the superuser's, and that no migration meets
_HARMLESS_WITHOUT_SUPERUSER = re.compile(
    r"ALTER .* OWNER TO |COMMENT ON SCHEMA public|GRANT |REVOKE |ALTER DEFAULT PRIVILEGES |SET SESSION AUTHORIZATION |"
    r"COMMENT ON (?:EVENT TRIGGER|PUBLICATION) "
)
# what only a superuser may make; whatever needs it is refused when its own turn comes
_OF_SUPERUSERS = re.compile(
    r"CREATE (EXTENSION|EVENT TRIGGER|PUBLICATION) (?:IF NOT EXISTS )?"
    r'("(?:[^"]|"")+"|[\w$]+)|ALTER (PUBLICATION) ("(?:[^"]|"")+"|[\w$]+) ADD '
)
# its query may lean on a search_path, which pg_dump empties; pg_restore leaves it unfilled
_FILLING = re.compile(r"REFRESH MATERIALIZED VIEW (.+);")


@dataclass
class Complaint:
    """An error of pg_restore: at which entry of the archive, in which words, for which command."""

    entry: str = ""
    words: str = ""
    command: str = ""


def passed_over(complaint: Complaint, target: Target) -> bool:
    """Whether the copy is good without what could not be done; `target` then knows what that was."""
    refused = "ERROR:" in complaint.words  # and not lost on the way
    if _HARMLESS.match(complaint.command):
        return True
    if refused and (match := _FILLING.match(complaint.command)):
        target.unfilled.append(match[1])
        return True
    if target.superuser:
        return False
    if refused and (match := _OF_SUPERUSERS.match(complaint.command)):
        kind, name = filter(None, match.groups())
        target.unmade.append(f"{kind.lower()} {name}")
        return True
    if _HARMLESS_WITHOUT_SUPERUSER.match(complaint.command):
        target.passed_over.append(complaint.entry)
        return True
    return False
