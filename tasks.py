"""The tasks of this repository: Greenroom's own, and the checks of its code. `./inv --list` shows them."""

from greenroom.tasks import add, checks, namespace

add(namespace, checks)
