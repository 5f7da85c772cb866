"""The container's web server. Its load balancer is told to wait no longer than `graceful_timeout`, which is shorter
than the container's stopTimeout; its idle connections last longer than the load balancer's own (60 s).
"""

from __future__ import annotations

import gc
import sys

from config.settings.base import logging
from config.values import web_server
from config.variables import BadEnvironment
from config.workers import limits
from config.workers import workers as number_of_workers

gc.disable()  # until workers are made: whatever is loaded stays, and looking through it again and again takes time

try:
    values = web_server()
except BadEnvironment as error:
    sys.stderr.write(f"{error}\n")
    sys.exit(3)  # as wsgi.py does

wsgi_app = "config.wsgi:application"
bind = f"0.0.0.0:{values.internal_port_num}"

worker_class = "config.web_worker.Worker"
workers = number_of_workers(limits())
threads = 4  # and one for /livez
preload_app = True  # a bad environment ends the container before it serves, and workers share memory
worker_tmp_dir = "/dev/shm"  # noqa: S108  where the root file system may be read-only
control_socket_disable = True  # it would be made below $HOME

timeout = 60
graceful_timeout = 30
keepalive = 75

logger_class = "config.access_log.AccessLogger"
# The levels are the root's, which Django sets to DJANGO_LOG_LEVEL when the app is loaded.
logconfig_dict = logging("INFO", "json")
logconfig_dict["loggers"] |= {
    name: {"level": "NOTSET", "handlers": ["stdout"], "propagate": False}
    for name in ("gunicorn.error", "gunicorn.access")
}


def when_ready(_server: object) -> None:
    """Before the workers are made: the collector passes over what they all share, which stays shared so."""
    gc.collect()
    gc.freeze()


def pre_fork(_server: object, _worker: object) -> None:
    """At every worker, so that it also holds after this file was read anew, by SIGHUP."""
    gc.enable()
