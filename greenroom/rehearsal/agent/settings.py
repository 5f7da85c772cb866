"""Where the app connects: its settings, with one alias pointed at the copy."""

from __future__ import annotations

import os
import re
from typing import Any, Dict

from .events import Stop
from .failures import one_line

ELSEWHERE = (
    "service servicefile passfile host hostaddr port dbname user password target_session_attrs load_balance_hosts pool"
).split()


def load_settings(request: Dict[str, Any]) -> Any:
    """The project's settings, with the alias pointed at the copy. Raises Stop when they cannot be used."""
    from django.conf import settings

    if request.get("settings"):
        os.environ["DJANGO_SETTINGS_MODULE"] = request["settings"]
    module = os.environ.get("DJANGO_SETTINGS_MODULE")
    if not module:
        raise Stop("No settings module is named, neither by --settings nor by DJANGO_SETTINGS_MODULE.")
    try:
        databases: Dict[str, Any] = settings.DATABASES
    except (Exception, SystemExit) as error:
        raise Stop("The settings module %s cannot be imported: %s" % (module, one_line(error))) from error
    alias = request["alias"]
    if alias not in databases:
        raise Stop("The settings know no database alias %s; they have: %s." % (alias, ", ".join(databases) or "none"))
    databases[alias] = point_at_copy(databases[alias], request)
    return settings


def point_at_copy(entry: Dict[str, Any], request: Dict[str, Any]) -> Dict[str, Any]:
    """One entry of DATABASES for the copy: what the project tunes stays, what says where to connect is replaced."""
    options = dict(entry.get("OPTIONS") or {})
    entry = {**entry, "OPTIONS": options}
    options.pop("pool", None)
    database = request.get("database")
    if database:
        for word in ELSEWHERE:
            options.pop(word, None)
        for variable in ("PGSERVICE", "PGHOSTADDR", "PGTARGETSESSIONATTRS"):
            os.environ.pop(variable, None)
        for key in ("host", "port", "name", "user", "password"):
            entry[key.upper()] = database.get(key) or ""
        more = dict(database.get("options") or {})
        _append_option(options, more.pop("options", ""))
        options.update(more)
    if request.get("drop_sslmode"):
        for word in [word for word in options if word.startswith("ssl") or word in ("requiressl", "channel_binding")]:
            del options[word]
        for variable in [name for name in os.environ if name.startswith("PGSSL") or name == "PGCHANNELBINDING"]:
            del os.environ[variable]
    if request.get("role"):
        options.pop("assume_role", None)
        _append_option(options, "-c role=" + re.sub(r"([\\\s])", r"\\\1", request["role"]))
    return entry


def _append_option(options: Dict[str, Any], words: str) -> None:
    """libpq's `options` is one string of server options: the project's own timeouts in it stay."""
    if words:
        options["options"] = " ".join(filter(None, [options.get("options"), words]))


def target_connection(alias: str) -> Any:
    """Django's connection object of the alias, not yet connected."""
    from django.db import connections

    wrapper = connections[alias]
    if wrapper.vendor != "postgresql":
        engine = wrapper.settings_dict["ENGINE"]
        raise Stop("The database alias %s is not PostgreSQL but %s: greenroom cannot rehearse it." % (alias, engine))
    return wrapper
