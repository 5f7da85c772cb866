"""What pg_restore complains of, and which of it a copy can do without: that is told in the report."""

from __future__ import annotations

import errno
import os
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
# what pg_restore says of an archive that it cannot read on in, by its sources up to 18: of all formats and compressions
_OF_ARCHIVE = re.compile(
    r"could not (?:read from input file|read input file|uncompress|decompress|find (?:block ID|file)|close data file|"
    r"(?:determine|set) seek position in archive|open (?:input|large object TOC) file .*No such file)|"
    r"found unexpected block ID|unexpected (?:end of file|data offset flag|section code)|did not find magic string|"
    r".*(?:corrupt |does not appear to be a valid)|input file is too short|unsupported version|expected format|"
    r"sanity check on integer size|error (?:during file seek|reading large object TOC)|actual file length|"
    r"invalid (?:line in large object TOC|OID for large object|ENCODING|STDSTRINGS|SEARCHPATH|creation date)"
)
_OF_SYSTEM = frozenset(map(os.strerror, errno.errorcode))


@dataclass
class Complaint:
    """An error of pg_restore: at which entry of the archive, in which words, for which command."""

    entry: str = ""
    words: str = ""
    command: str = ""


def of_archive(words: str) -> bool:
    """Whether they say that the archive itself is truncated or damaged."""
    return bool(_OF_ARCHIVE.match(words)) and "ERROR:" not in words


def own(words: str) -> str:
    """What of them is pg_restore's own, which quotes no row: up to the first colon, then only a reason of the system's.

    Behind a colon it puts what the server says, in whatever language.
    """
    before, _, reason = words.partition(": ")
    return words if reason in _OF_SYSTEM else before.rstrip(".:")


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
