"""The agent as a process: its output and input, what it imports from, and that it ends."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.agent_stage import AGENT, SETTINGS, Stage, stage

__all__ = ["stage"]


def test_output_of_the_app_is_no_event_and_its_input_is_empty(stage: Stage) -> None:
    stage.write("settings.py", 'import os\nos.write(1, b"{}\\n")\nprint(\'{"event": "done"}\')\n' + SETTINGS)
    stage.python_step(
        "0002_noise",
        """
        import os, sys
        print('{"event": "done"}')
        sys.stdout.write("no newline")
        os.system("echo from a child")
        print("input:", repr(sys.stdin.read()))
        """,
    )
    told = stage.rehearse()
    assert told.code == 0, told.events[-1]
    assert told.names.count("done") == 1 and told.names[-1] == "done"
    for words in ("{}", "no newline", "from a child", "input: ''"):
        assert words in told.printed


@pytest.mark.parametrize("environment", [{}, {"PYTHONSAFEPATH": "1"}], ids=["as usual", "safe path"])
def test_directory_of_the_agent_is_no_place_to_import_from(stage: Stage, environment: dict[str, str]) -> None:
    """It holds modules named like others': events, run, session, settings; so does the directory around it."""
    stage.write("settings.py", "import sys\nprint('\\n'.join(sys.path))\n" + SETTINGS)
    stage.write("sql.py", "here = True")
    stage.write("events.py", "here = True")
    stage.python_step(
        "0002_import",
        """
        import events, importlib.util, sql, sys
        assert events.here and sql.here
        assert "greenroom" not in sys.modules
        assert importlib.util.find_spec("planner") is None
        """,
    )
    told = stage.rehearse(environment=environment)
    assert told.code == 0, told.events[-1]
    assert told.printed.splitlines()[0] == str(stage.directory)
    assert not {str(AGENT), str(AGENT.parent)} & set(told.printed.splitlines())


def test_exit_handlers_and_threads_of_the_app_do_not_hold_the_agent(stage: Stage) -> None:
    stage.python_step(
        "0002_stray",
        """
        import atexit, threading, time
        atexit.register(time.sleep, 60)
        threading.Thread(target=time.sleep, args=(60,)).start()
        """,
    )
    told = stage.rehearse()
    assert (told.code, told.names[-1]) == (0, "done")


def test_agent_without_a_listener_ends(stage: Stage) -> None:
    stage.python_step("0002_slow", "for n in range(1000):\n    editor.execute('SELECT pg_sleep(0.05)')")
    with stage.running() as process:
        assert process.stdin and process.stdout
        while json.loads(process.stdout.readline())["event"] != "plan":
            pass
        process.stdin.write('{"go": true}\n')
        process.stdin.flush()
        process.stdout.close()
        assert process.wait(10) == 1


def test_agent_without_a_request_ends_quietly() -> None:
    start_without_a_request(AGENT)


def test_agent_is_compiled_once_for_each_version_of_python(tmp_path: Path) -> None:
    agent = Path(shutil.copytree(AGENT, tmp_path / "agent", ignore=shutil.ignore_patterns("__pycache__")))
    start_without_a_request(agent)
    compiled = {path.name.partition(".")[0] for path in agent.glob(f"__pycache__/*.{sys.implementation.cache_tag}.pyc")}
    assert compiled == {path.stem for path in AGENT.glob("*.py")}


def test_agent_runs_where_nothing_can_be_written(tmp_path: Path) -> None:
    agent = Path(shutil.copytree(AGENT, tmp_path / "agent", ignore=shutil.ignore_patterns("__pycache__")))
    (agent / "__pycache__").write_text("in the way, even of root")
    start_without_a_request(agent)


def start_without_a_request(agent: Path) -> None:
    words = [sys.executable, str(agent)]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, env={}, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
