"""What the image costs: building it again, its size, its start, and its requests a second against bare gunicorn.

The bare side (tests/bench/bare/) has the same views, models, templates, PostgreSQL and Python packages, the middleware
of `startproject`, and gunicorn without a configuration file: as many threads, and no log of requests. Both run in
containers of the same image and are asked by the same visitors, in turn and in short slices; each with one worker,
since which of several takes how many connections is chance. What else the machine does meets both. The figure beside
it, requests for a second of the server's processor time, it hardly meets at all.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.bench.figures import at_most, paired
from tests.bench.visitors import requests_a_second
from tests.integration.images import (
    BASE,
    NAME,
    PUBLISHED,
    Database,
    container,
    docker,
    get,
    image_of,
    inspect,
    inv,
    logged,
    manage,
    postgres,
    url,
)

BARE = Path(__file__).parent / "bare"
RUNS = 7
ONE_WORKER = ("--memory", "250m")  # there is no room for two
PAIRS = 200  # of slices, one of each side
SLICE_SECONDS = 0.3
VISITORS = 24
MOST_UNCHANGED_SECONDS = 1.5
MOST_CHANGED_SECONDS = 4.0
MOST_OVER_BASE_MB = 90.0
MOST_START_SECONDS = 2.0
LEAST_RATIO = 0.95
PERSON = (
    "from django.contrib.auth import get_user_model, login;"
    "from django.contrib.sessions.backends.db import SessionStore;"
    "from django.test import RequestFactory; person = get_user_model().objects.create_superuser('bench');"
    "asked = RequestFactory().get('/'); asked.session = SessionStore(); login(asked, person);"
    "asked.session.save(); print('session', asked.session.session_key)"
)


def run() -> bool:
    """Print every figure against its limit; true when all are reached."""
    with tempfile.TemporaryDirectory() as directory, image_of(Path(directory)) as root:
        reached = [
            at_most("build again, nothing changed", builds(root), MOST_UNCHANGED_SECONDS, "s"),
            at_most("build again, a Python file changed", builds(root, changed=True), MOST_CHANGED_SECONDS, "s"),
            at_most("image over its base", [over_base()], MOST_OVER_BASE_MB, "MB"),
            at_most("container's start to the first 200", [start() for _ in range(RUNS)], MOST_START_SECONDS, "s"),
        ]
        with postgres() as database:
            reached += served(database)
    return all(reached)


def builds(root: Path, *, changed: bool = False) -> list[float]:
    """Seconds of `./inv build`, each with another file where they are to change."""
    file = root / "app" / "config" / "urls.py"
    text = file.read_text()
    lasted = []
    for number in range(RUNS):
        file.write_text(f"{text}# {time.time()} {number}\n" if changed else text)
        begun = time.perf_counter()
        said = inv(root, "build")
        lasted.append(time.perf_counter() - begun)
        assert said.code == 0, said.error
    file.write_text(text)
    return lasted


def over_base() -> float:
    """MB, unpacked."""
    return float(inspect(f"{NAME}:latest")["Size"] - inspect(BASE)["Size"]) / 1e6


def start() -> float:
    """Seconds from `docker run` to the first answer of /livez."""
    begun = time.perf_counter()
    with container(*PUBLISHED) as made:
        assert get(f"{url(made)}/livez", pause=0.01)[0] == 200
        return time.perf_counter() - begun


def served(database: Database) -> list[bool]:
    """Requests a second, ours against bare."""
    manage(database, "load_demo", "--rows", "2000")
    said = manage(database, "shell", "--command", PERSON)
    cookie = f"sessionid={said.rpartition('session ')[2].strip()}"
    network = ("--network", database.network, *PUBLISHED, *ONE_WORKER)
    with container(*network, DJANGO_DB_HOST="db", DJANGO_DB_SSLMODE="prefer") as ours:
        assert get(f"{url(ours)}/readyz")[0] == 200
        bare = bare_command(workers(ours))
        mounted = (*network, "--volume", f"{BARE}:/bare:ro", "--workdir", "/bare")
        with container(*mounted, command=bare, DJANGO_DB_HOST="db", PYTHONPATH="/app") as theirs:
            assert get(f"{url(theirs)}/livez")[0] == 200
            return [compared(page, Side(ours, cookie), Side(theirs, cookie)) for page in ("/livez", "/")]


def workers(made: str) -> int:
    """Of the container that answers already: all have been started by then."""
    time.sleep(1)
    return sum(line["message"].startswith("Booting worker") for line in logged(made))


def bare_command(workers: int) -> tuple[str, ...]:
    """Gunicorn's words."""
    words = f"gunicorn --bind 0.0.0.0:8000 --worker-class gthread --workers {workers} --threads 4 --no-control-socket"
    return (*words.split(), "bare:application")


def compared(page: str, ours: Side, theirs: Side) -> bool:
    """In slices by turns, each pair begun by the other side."""
    for side in (ours, theirs):
        side.asked(page, 1.0)  # templates are loaded, connections made
    slices: dict[Side, list[Slice]] = {ours: [], theirs: []}
    for number in range(PAIRS):
        for side in (ours, theirs) if number % 2 else (theirs, ours):
            slices[side].append(side.asked(page, SLICE_SECONDS))
    rates = ([found.rate for found in slices[side]] for side in (ours, theirs))
    efforts = ([found.for_a_processor_second for found in slices[side]] for side in (ours, theirs))
    paired(f"  the same by processor time, {page}", *efforts, LEAST_RATIO, "a processor's second")
    return paired(f"requests for {page}", *rates, LEAST_RATIO, "a second")


class Slice(NamedTuple):
    """What one side did: requests a second, and requests for each second that a processor was at it."""

    rate: float
    for_a_processor_second: float


class Side:
    """A container with a web server, on this machine."""

    def __init__(self, made: str, cookie: str) -> None:
        parts = urlsplit(url(made))
        self.address, self.cookie = (str(parts.hostname), int(parts.port or 80)), cookie
        self.processes = [int(line) for line in docker("top", made, "-eo", "pid").splitlines()[1:]]

    def asked(self, page: str, seconds: float) -> Slice:
        used, begun = self.processor_seconds(), time.perf_counter()
        rate = requests_a_second(self.address, page, self.cookie, seconds, VISITORS)
        requests = rate * (time.perf_counter() - begun)
        return Slice(rate, requests / (self.processor_seconds() - used))

    def processor_seconds(self) -> float:
        """Of all threads, to the nanosecond."""
        threads = (task for process in self.processes for task in Path(f"/proc/{process}/task").iterdir())
        return sum(map(_nanoseconds, threads)) / 1e9


def _nanoseconds(thread: Path) -> int:
    """Of the processor; none of a thread that has ended since it was listed."""
    try:
        return int((thread / "schedstat").read_text().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        return 0
