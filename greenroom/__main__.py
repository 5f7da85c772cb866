"""`python -m greenroom TASK`: what `./inv` runs."""

from __future__ import annotations

import sys

from greenroom.errors import INTERRUPTED

if __name__ == "__main__":
    try:
        from greenroom.program import main

        main()
    except KeyboardInterrupt:  # before the program was there to answer it
        sys.exit(INTERRUPTED)
