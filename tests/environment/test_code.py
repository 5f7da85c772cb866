from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.environment.code import readings

REGISTRY = Path("config/environment.py")
ROOT = Path(__file__).resolve().parents[2]


def what(directory: Path) -> list[str]:
    return [f"{path.relative_to(directory)}:{line}: {what}" for path, line, what in readings(directory, REGISTRY)]


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import os\nx = os.environ['A']\n", ["2: os.environ"]),
        ("import os\nx = os.environ.get('A')\n", ["2: os.environ"]),
        ("import os\nx = os.getenv('A')\n", ["2: os.getenv"]),
        ("import os as system\nx = system.getenv('A')\n", ["2: os.getenv"]),
        ("def f():\n    import os as o\n    return o.environb[b'A']\n", ["3: os.environb"]),
        ("from os import environ\n", ["1: from os import environ"]),
        ("from os import path, getenv as g\n", ["1: from os import getenv"]),
        ("from os import *\n", ["1: from os import *"]),
        ("import os\nos.putenv('A', 'b')\n", ["2: os.putenv"]),
        ("import os\nx = getattr(os, 'environ')\n", ["2: os.environ"]),
        ("x = __import__('os').environ\n", ["1: os.environ"]),
        ("from importlib import import_module\nx = import_module('os').getenv('A')\n", ["2: os.getenv"]),
        ("import os.path\nx = os.environ\n", ["2: os.environ"]),
        ("import environ\nenv = environ.Env()\n", ["1: import environ"]),
        ("from decouple import config\n", ["1: from decouple import"]),
        ("def f(:\n", ["1: it is not Python, and cannot be checked"]),
        ("def application(environ, start):\n    return environ['PATH_INFO']\n", []),
        ("import os\nx = os.path.join('environ')\nrequest.environ\n# os.environ\n'os.environ'\n", []),
        ("from config.environ import thing\n", []),
    ],
)
def test_readings_of_a_file(tmp_path: Path, code: str, found: list[str]) -> None:
    (tmp_path / "views.py").write_text(code)
    assert what(tmp_path) == [f"views.py:{line}" for line in found]


@pytest.mark.parametrize("name", ["manage.py", "wsgi.py", "asgi.py"])
def test_choosing_the_settings_module_is_excepted_and_nothing_else(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(
        "import os\n"
        "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'a.b')\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'a.b'\n"
        "os.getenv('DJANGO_SETTINGS_MODULE')\n"
        "os.environ.setdefault('DJANGO_DB_HOST', 'x')\n"
        "os.environ['DJANGO_DB_HOST']\n"
    )
    assert what(tmp_path) == [f"{name}:5: os.environ", f"{name}:6: os.environ"]


def test_another_file_may_not_choose_the_settings_module(tmp_path: Path) -> None:
    (tmp_path / "views.py").write_text("import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'a.b')\n")
    assert what(tmp_path) == ["views.py:2: os.environ"]


def test_the_registry_and_what_is_not_ours_are_passed_over(tmp_path: Path) -> None:
    for name in ("config/environment.py", ".venv/a.py", "venv/a.py", "build/a.py", "node_modules/a.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("import os\nos.environ\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "environment.py").write_text("import os\nos.environ\n")
    assert what(tmp_path) == ["other/environment.py:2: os.environ"]


def test_the_app_reads_nothing_past_its_registry() -> None:
    assert what(ROOT / "app") == []
