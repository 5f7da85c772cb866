"""What the image costs: building it again, its size, its start, and its requests a second against bare gunicorn.

The bare side (tests/bench/bare/) has the same views, models, templates, PostgreSQL and Python packages, the middleware
of `startproject`, and gunicorn without a configuration file: as many workers and threads, and no log of requests. Both
run in containers of the same image and are asked in turn by the same visitors.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from tests.bench.figures import at_most, rate
from tests.bench.visitors import requests_a_second
from tests.integration.images import (
    BASE,
    NAME,
    PUBLISHED,
    Database,
    container,
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
ROUNDS = 25  # each with connections of its own: which worker takes how many of them is chance
ROUND_SECONDS = 1.5
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
    network = ("--network", database.network, *PUBLISHED)
    with container(*network, DJANGO_DB_HOST="db", DJANGO_DB_SSLMODE="prefer") as ours:
        assert get(f"{url(ours)}/readyz")[0] == 200
        bare = bare_command(workers(ours))
        mounted = (*network, "--volume", f"{BARE}:/bare:ro", "--workdir", "/bare")
        with container(*mounted, command=bare, DJANGO_DB_HOST="db", PYTHONPATH="/app") as theirs:
            assert get(f"{url(theirs)}/livez")[0] == 200
            return [compared(page, url(ours), url(theirs), cookie) for page in ("/livez", "/")]


def workers(made: str) -> int:
    """Of the container that answers already: all have been started by then."""
    time.sleep(1)
    return sum(line["message"].startswith("Booting worker") for line in logged(made))


def bare_command(workers: int) -> tuple[str, ...]:
    """Gunicorn's words."""
    words = f"gunicorn --bind 0.0.0.0:8000 --worker-class gthread --workers {workers} --threads 4 --no-control-socket"
    return (*words.split(), "bare:application")


def compared(page: str, ours: str, theirs: str, cookie: str) -> bool:
    """In turn, each round begun by the other side."""
    sides: dict[str, list[float]] = {ours: [], theirs: []}
    for side in sides:
        asked(side, page, cookie, 1.0)  # templates are loaded, connections made
    for number in range(ROUNDS):
        for side in (ours, theirs) if number % 2 else (theirs, ours):
            sides[side].append(asked(side, page, cookie, ROUND_SECONDS))
    pairs = [mine / its for mine, its in zip(sides[ours], sides[theirs], strict=True)]
    print(f"  {page}: ratios of the rounds {min(pairs):.3f} to {max(pairs):.3f}, median {median(pairs):.3f}")
    return rate(f"requests for {page}", sides[ours], sides[theirs], LEAST_RATIO, "a second")


def asked(side: str, page: str, cookie: str, seconds: float) -> float:
    """Requests a second of one side."""
    parts = urlsplit(side)
    return requests_a_second((str(parts.hostname), int(parts.port or 80)), page, cookie, seconds, VISITORS)
