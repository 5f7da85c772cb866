"""A real registry of images on loopback, which lets in who has the password that moto's ECR gives."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import bcrypt
import pytest

USER, PASSWORD = "AWS", "123456789012-auth-token"  # moto's
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = f"application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json, {INDEX}"
CONFIGURATION = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}
http: {{addr: "{host}"}}
auth: {{htpasswd: {{realm: test, path: {root}/htpasswd}}}}
"""
READ_ONLY = "storage: {{maintenance: {{readonly: {{enabled: true}}}}, "


@dataclass(frozen=True)
class Registry:
    """`host` with its port."""

    host: str
    root: Path

    def let_in(self, password: str) -> None:
        """Whoever has this password, and nobody else; the registry reads the file when it has changed."""
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
        (self.root / "htpasswd").write_text(f"{USER}:{hashed}\n")

    def asked(self, path: str, put: bytes | None = None, kind: str = INDEX) -> Any:
        """An answer of its API, to whoever has the password."""
        secret = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        headers = {"Authorization": f"Basic {secret}", "Accept": MANIFEST, "Content-Type": kind}
        method = "GET" if put is None else "PUT"
        request = Request(f"http://{self.host}/v2/{path}", data=put, headers=headers, method=method)
        return urlopen(request, timeout=20)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with serving(tmp_path / "registry") as made:
        yield made


@contextmanager
def serving(root: Path, *, read_only: bool = False) -> Iterator[Registry]:
    """What the directory holds; `read_only`: whatever is pushed there is refused."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("needs Debian's docker-registry")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        made = Registry(f"127.0.0.1:{found.getsockname()[1]}", root)
    root.mkdir(exist_ok=True)
    made.let_in(PASSWORD)
    settings = CONFIGURATION.replace("storage: {{", READ_ONLY) if read_only else CONFIGURATION
    configuration = root / f"{made.host.rpartition(':')[2]}.yml"
    configuration.write_text(settings.format(root=root, host=made.host))
    with subprocess.Popen([program, "serve", str(configuration)], stderr=subprocess.DEVNULL) as server:
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
