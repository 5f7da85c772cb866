"""The container's web server. Its load balancer is told to wait no longer than `graceful_timeout`, which is shorter
than the container's stopTimeout; its idle connections last longer than the load balancer's own (60 s).
"""

from __future__ import annotations

import sys

from config.environment import web_server
from config.health import CHECKS
from config.json_log import AccessFormatter, WithoutHealthChecks
from config.settings.base import logging
from config.variables import BadEnvironment
from config.workers import limits
from config.workers import workers as number_of_workers

try:
    values = web_server()
except BadEnvironment as error:
    sys.exit(str(error))

wsgi_app = "config.wsgi:application"
bind = f"0.0.0.0:{values.internal_port_num}"

worker_class = "gthread"
workers = number_of_workers(limits())
threads = 4
preload_app = True  # a bad environment ends the container before it serves, and workers share memory
worker_tmp_dir = "/dev/shm"  # noqa: S108  where the root file system may be read-only
control_socket_disable = True  # it would be made below $HOME

timeout = 60
graceful_timeout = 30
keepalive = 75

# The levels are the root's, which Django sets to DJANGO_LOG_LEVEL when the app is loaded.
access_log_format = "%(m)s %(U)s %(s)s"  # no query: it may hold what is nobody's business
logconfig_dict = logging("INFO", "json")
logconfig_dict["formatters"]["access"] = {"()": AccessFormatter}
logconfig_dict["filters"] = {"without health checks": {"()": WithoutHealthChecks, "paths": frozenset(CHECKS)}}
logconfig_dict["handlers"]["access"] = {
    **logconfig_dict["handlers"]["stdout"],
    "formatter": "access",
    "filters": ["without health checks"],
}
logconfig_dict["loggers"] |= {
    "gunicorn.error": {"level": "NOTSET", "handlers": ["stdout"], "propagate": False},
    "gunicorn.access": {"level": "NOTSET", "handlers": ["access"], "propagate": False},
}
