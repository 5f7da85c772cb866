"""The app, running: `serve`, `smoke`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke import Context, Exit, task

from greenroom.errors import ANSWER_IS_NO, COULD_NOT_RUN, DONE, GreenroomError

if TYPE_CHECKING:
    from greenroom.config import Config
    from greenroom.serving import Serving
    from greenroom.smoke.member import Credentials


@task(
    help={"port": "of loopback (default: DJANGO_EXTERNAL_PORT_NUM, else the registry's default)"}, auto_shortflags=False
)
def serve(_context: Context, port: str | None = None) -> None:
    """Run the app in plain Python on a throw-away PostgreSQL, with demo data and an admin user, until Ctrl-C."""
    from greenroom import config, serving
    from greenroom.console import progress
    from greenroom.environment import external
    from greenroom.interrupts import answered

    with answered():
        loaded = config.load()
        display = progress()
        number = external.port(loaded) if port is None else serving.port_of(port)
        with serving.served(loaded, number, display) as app:
            display.close()
            print(_greeting(app), flush=True)
            raise Exit(code=DONE if app.wait() == 0 else COULD_NOT_RUN)


@task(
    help={
        "url": "of the running app (default: of DJANGO_EXTERNAL_PROTOCOL, _HOST_NAME and _PORT_NUM)",
        "browser": "--no-browser leaves the real browser out",
    },
    auto_shortflags=False,
)
def smoke(_context: Context, url: str | None = None, browser: bool = True) -> None:
    """Ask the running app what a visitor, a load balancer and a browser would. Exit code 1: something is wrong."""
    from greenroom import config
    from greenroom.environment import external
    from greenroom.interrupts import answered

    with answered():
        loaded = config.load()
        raise Exit(code=_smoke(loaded, url or external.url(loaded), browser=browser))


def _smoke(config: Config, url: str, *, browser: bool) -> int:
    from greenroom.smoke import suite
    from greenroom.smoke.browser import browse
    from greenroom.smoke.checks import Pages
    from greenroom.smoke.site import BadUrl, NothingAnswers, Site

    asked = config.smoke
    pages = Pages(tuple(asked.public_pages), tuple(asked.member_pages), asked.login_page)
    member = _member()
    try:
        site = Site(url)
        outcomes = suite.smoke(site, pages, member)
    except BadUrl as error:
        raise GreenroomError(str(error), "Give it so: --url https://ledger.example.com") from None
    except NothingAnswers as error:
        raise GreenroomError(
            f"nothing answers at {url}: {error}.", "Is it up? ./inv up, or ./inv serve; elsewhere: --url"
        ) from None
    if browser:
        outcomes.append(browse(site, pages, member if suite.let_in(outcomes) else None))
    print(suite.table(site, outcomes))
    return ANSWER_IS_NO if suite.failed(outcomes) else DONE


def _member() -> Credentials | None:
    from greenroom import shell
    from greenroom.smoke.member import PASSWORD, USER, Credentials

    user, password = shell.variable(USER), shell.variable(PASSWORD)
    if bool(user) != bool(password):
        raise GreenroomError(f"only one of {USER} and {PASSWORD} is set.", "Set both to log in, or none to only read.")
    return Credentials(user, password) if user and password else None


def _greeting(app: Serving) -> str:
    """The password is that of a user who goes with the database, and is shown this once."""
    who = app.note
    if app.password:
        who = f"log in as admin with the password {app.password.reveal()} (made now, and gone with the database)"
    return f"{app.url}\n  {who}\n  in another terminal: ./inv smoke --url {app.url}\n  Ctrl-C ends it; nothing stays."
