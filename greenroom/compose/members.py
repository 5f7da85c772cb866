"""An admin user and a little demo data for the app that runs in its container."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from greenroom import shell
from greenroom.compose.project import Project
from greenroom.errors import GreenroomError
from greenroom.secret import Secret

SERVICE = "app"
USER = "admin"
PASSWORD_VARIABLE = "DJANGO_SUPERUSER_PASSWORD"  # Django's own name  # noqa: S105
# the password comes by standard input: words of a command can be seen by others
_MAKE = f"""
import sys
from django.contrib.auth import get_user_model
users = get_user_model()._default_manager
if not users.filter(username="{USER}").exists():
    users.create_superuser("{USER}", "{USER}@localhost", sys.stdin.readline().rstrip("\\n"))
    print("made")
"""


def admit(project: Project) -> str:
    """Make the admin user where there is none yet; what to tell. Raises GreenroomError."""
    given = shell.variable(PASSWORD_VARIABLE)
    password = Secret(given or secrets.token_urlsafe(12))
    made = _manage(project, "shell", "--verbosity", "0", "--command", _MAKE, stdin=f"{password.reveal()}\n")
    if "made" not in made.stdout:
        return f"{USER} is there already: ./inv shell, then: python manage.py changepassword {USER}"
    shown = f"the one of {PASSWORD_VARIABLE}" if given else f"{password.reveal()} (made now, and shown this once)"
    return f"log in as {USER} with the password {shown}"


def load(project: Project, words: Sequence[str]) -> None:
    """Load the data, where the command finds none. Raises GreenroomError."""
    _manage(project, *words)


def _manage(project: Project, *words: str, stdin: str | None = None) -> shell.Result:
    done = project.run("exec", "-T", SERVICE, "python", "manage.py", *words, stdin=stdin, check=False)
    if done.code != 0:
        raise GreenroomError(
            f"manage.py {words[0]} failed in the container: {shell.last_line(done.stderr)}",
            f"./inv logs --service {SERVICE}; or try it there: ./inv shell",
        )
    return done
