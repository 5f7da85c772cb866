"""`python -m greenroom.smoke URL`: the part without the browser, by the standard library alone."""

from __future__ import annotations

import argparse
import os
import sys

from greenroom.smoke.member import PASSWORD, USER, Credentials
from greenroom.smoke.site import BadUrl, NothingAnswers, Site
from greenroom.smoke.suite import failed, smoke, table


def main() -> int:
    """0: all is well; 1: a check failed; 2: nothing answers."""
    parser = argparse.ArgumentParser(
        prog="python -m greenroom.smoke", description=f"A member is named by {USER} and {PASSWORD}."
    )
    parser.add_argument("url", help="such as https://ledger.example.com")
    given = parser.parse_args()
    user, password = (os.environ.get(name) for name in (USER, PASSWORD))  # noqa: TID251
    try:
        site = Site(given.url)
        outcomes = smoke(site, credentials=Credentials(user, password) if user and password else None)
    except BadUrl as error:
        return _refused(str(error))
    except NothingAnswers as error:
        return _refused(f"nothing answers at {given.url}: {error}.")
    print(table(site, outcomes))
    return 1 if failed(outcomes) else 0


def _refused(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
