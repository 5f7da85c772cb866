"""`python config/healthcheck.py PORT`: the container's health check. The standard library alone: it runs often."""

from __future__ import annotations

import sys
from http.client import HTTPConnection

SECONDS = 3


def main(port: int) -> int:
    """0 when `/livez` of this container answers 200, else 1."""
    connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", "/livez")
        status = connection.getresponse().status
    except OSError as error:
        print(f"/livez does not answer at port {port}: {type(error).__name__}")
        return 1
    print(f"/livez answers {status}")
    return int(status != 200)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
