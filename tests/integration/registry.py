"""A real registry of images on loopback, which lets in who has the password that moto's ECR gives."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import bcrypt
import pytest

USER, PASSWORD = "AWS", "123456789012-auth-token"  # moto's
CONFIGURATION = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}
http: {{addr: "{host}"}}
auth: {{htpasswd: {{realm: test, path: {root}/htpasswd}}}}
"""


@dataclass(frozen=True)
class Registry:
    """`host` with its port."""

    host: str
    root: Path

    def let_in(self, password: str) -> None:
        """Whoever has this password, and nobody else; the registry reads the file when it has changed."""
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
        (self.root / "htpasswd").write_text(f"{USER}:{hashed}\n")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("needs Debian's docker-registry")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        made = Registry(f"127.0.0.1:{found.getsockname()[1]}", tmp_path / "registry")
    made.root.mkdir()
    made.let_in(PASSWORD)
    (made.root / "config.yml").write_text(CONFIGURATION.format(root=made.root, host=made.host))
    with subprocess.Popen([program, "serve", str(made.root / "config.yml")], stderr=subprocess.DEVNULL) as server:
        try:
            _wait(made)
            yield made
        finally:
            server.terminate()


def _wait(made: Registry) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            urlopen(f"http://{made.host}/v2/", timeout=5)
        except HTTPError:  # 401: it asks who we are
            return
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.05)
