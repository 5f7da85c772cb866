"""The AfterAllowTestTraffic hook as a zip for AWS Lambda: its handler, and the functional tests that it runs.

Standard library alone, but for boto3, which Lambda has. Equal code makes an equal zip, so that Terraform changes the
function when its code has changed, and only then.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from greenroom.errors import GreenroomError

HANDLER = Path("ci/after_allow_test_traffic.py")
ZIP = Path("build/hook.zip")  # from the root, where infra/terraform looks for it
LEFT_OUT = {"browser.py"}  # there is no Chromium in Lambda
OLDEST = (1980, 1, 1, 0, 0, 0)  # that a zip can say


def package(root: Path) -> Path:
    """Write it; its place. Raises GreenroomError where the handler is not there."""
    entries = dict(_entries(root))
    place = root / ZIP
    place.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(place, "w") as archive:
        for name, source in sorted(entries.items()):
            facts = ZipInfo(name, OLDEST)
            facts.compress_type, facts.external_attr = ZIP_DEFLATED, 0o644 << 16
            archive.writestr(facts, source.read_bytes())
    return place


def _entries(root: Path) -> Iterator[tuple[str, Path]]:
    """Names in the zip, and the files."""
    if not (root / HANDLER).is_file():
        raise GreenroomError(
            f"there is no {HANDLER} in {root}: the hook cannot be packaged.",
            "Copy it from Greenroom's own repository; it is the handler that CodeDeploy calls.",
        )
    yield HANDLER.name, root / HANDLER
    library = Path(__file__).resolve().parents[1]
    yield "greenroom/__init__.py", library / "__init__.py"
    for source in (library / "smoke").glob("*.py"):
        if source.name not in LEFT_OUT:
            yield f"greenroom/smoke/{source.name}", source
