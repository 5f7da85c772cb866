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
        ("from dotenv import dotenv_values, load_dotenv\n", ["1: from dotenv import"]),
        ("import dj_database_url\nD = dj_database_url.config()\n", ["1: import dj_database_url"]),
        ("from pydantic_settings import BaseSettings\n", ["1: from pydantic_settings import"]),
        ("import os\nx = os.path.expandvars('$A')\n", ["2: os.path.expandvars"]),
        ("from posixpath import expandvars as e\n", ["1: from posixpath import expandvars"]),
        ("import click\n@click.option('--a', envvar='A')\ndef f(a): ...\n", ["2: envvar="]),
        ("import os\no = p = os\nx = o.environ, p.getenv('A')\n", ["3: os.environ", "3: os.getenv"]),
        ("import os\nclass A:\n    o: object = os\n    x = o.environ\n", ["4: os.environ"]),
        ("from shutil import os as o\nx = o.environ\n", ["2: os.environ"]),
        ("import shutil\nx = shutil.os.environ\n", ["2: os.environ"]),
        ("import sys\nx = sys.modules['os'].environ\n", ["2: os.environ"]),
        ("import os\nclass A:\n    def f(self):\n        self.o = os\n        self.o.environ\n", ["5: os.environ"]),
        ("from config.variables import BadEnvironment, variable\n", ["1: from config.variables import variable"]),
        ("from config.variables import Variables as V\nclass A(V):\n    a: str\n", ["2: class A(V)"]),
        ("from config import variables as v\nx = v.variable('A')\n", ["2: v.variable"]),
        ("import config.variables\nx = config.variables.variable('A')\n", ["2: config.variables.variable"]),
        ("import config.environment as e\nclass A(e.Environment): ...\n", ["2: class A(e.Environment)"]),
        ("from config.variables import BadEnvironment\nclass A(BadEnvironment): ...\n", []),
        ("from ledger import variables\nclass A(variables.V):\n    a = variables.variable('A')\n", []),
        ("from config.environment import Environment as E\nclass A(E):\n    a: str\n", ["2: class A(E)"]),
        ("from config import variables\nclass A(variables.Variables): ...\n", ["2: class A(variables.Variables)"]),
        ("from config.variables import Variables\ndef f(kind: type[Variables]): ...\n", []),
        ("from config.values import read\nfrom config.environment import Environment\ne = read(Environment)\n", []),
        ("class A:\n    def get(self):\n        return self.environ, self.request.environ['A'], o.getenv\n", []),
        ("from ledger.variables import Variables, variable\nclass A(Variables):\n    a = variable('A')\n", []),
        ("import os\nif o := os:\n    x = o.environ\n", ["3: os.environ"]),
        (
            "from importlib import import_module\nx = import_module('dotenv.main')\n",
            ["2: import_module('dotenv.main')"],
        ),
        ("import importlib\nx = importlib.import_module('decouple')\n", ["2: import_module('decouple')"]),
        ("x = __import__('environ')\n", ["1: __import__('environ')"]),
        (
            "from django.utils import module_loading as m\nx = m.import_string('os.getenv')\n",
            ["2: import_string('os.getenv')"],
        ),
        ("from importlib import import_module\nx = import_module('os'), import_module('ledger.environ')\n", []),
        ("def f(:\n", ["1: it is not readable Python, and cannot be checked"]),
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


def test_what_stands_beside_the_registry_may_use_its_library(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    text = "import os\nfrom pydantic_settings import BaseSettings\nfrom dotenv import load_dotenv\nos.environ\n"
    for name in ("variables", "values", "ssm"):
        (tmp_path / "config" / f"{name}.py").write_text(text)
    both = ["3: from dotenv import", "4: os.environ"]
    assert what(tmp_path) == [
        *(f"config/ssm.py:{line}" for line in ["2: from pydantic_settings import", *both]),
        *(f"config/{name}.py:{line}" for name in ("values", "variables") for line in both),
    ]


def test_declarations_by_an_import_that_is_relative(tmp_path: Path) -> None:
    (tmp_path / "config" / "settings").mkdir(parents=True)
    (tmp_path / "config" / "more.py").write_text("from .variables import Variables\nclass A(Variables): ...\n")
    (tmp_path / "config" / "settings" / "base.py").write_text(
        "from ..variables import *\nfrom . import x\nfrom .. import values\nclass A(values.B): ...\n"
    )
    assert what(tmp_path) == [
        "config/more.py:2: class A(Variables)",
        "config/settings/base.py:1: from config.variables import variable",
        "config/settings/base.py:4: class A(values.B)",
    ]


def test_what_is_no_file_is_no_code(tmp_path: Path) -> None:
    (tmp_path / "directory.py").mkdir()
    (tmp_path / "link.py").symlink_to("nowhere.py")
    (tmp_path / "deep.py").write_text(f"a{'.a' * 5000}\n")
    assert what(tmp_path) == ["deep.py:0: it is not readable Python, and cannot be checked"]


def test_the_registry_and_what_is_not_ours_are_passed_over(tmp_path: Path) -> None:
    for name in ("config/environment.py", ".venv/a.py", "venv/a.py", "build/a.py", "node_modules/a.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("import os\nos.environ\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "environment.py").write_text("import os\nos.environ\n")
    assert what(tmp_path) == ["other/environment.py:2: os.environ"]


def test_the_app_reads_nothing_past_its_registry() -> None:
    assert what(ROOT / "app") == []
