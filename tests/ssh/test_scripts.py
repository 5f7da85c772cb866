"""What a host's shell is handed, tried in the shells that are here."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from greenroom.secret import Secret
from greenroom.ssh import scripts

SHELLS = [shell for shell in ("dash", "bash", "busybox", "zsh", "mksh") if shutil.which(shell)]


def started(shell: str, script: str, words: list[str], text: bytes) -> subprocess.CompletedProcess[bytes]:
    program = [shell, *(["sh"] if shell == "busybox" else []), "-c", scripts.BOOT, "greenroom", *words]
    return subprocess.run(program, input=text, capture_output=True, timeout=20)


def test_command_line_holds_neither_script_nor_secret() -> None:
    line = scripts.command_line(["pg_dump", "-h", "it's here"])
    assert line == (
        'exec /bin/sh -c \'read -r n && s= && while [ "$n" -gt 0 ]; do IFS= read -r l || exit 255; '
        's="$s$l$(printf "\\n_")"; s="${s%_}"; n=$((n-1)); done && eval "$s"\' greenroom pg_dump -h '
        "'it'\"'\"'s here'"
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_script_reads_its_lines_and_leaves_the_rest(shell: str) -> None:
    text = scripts.opening('read -r l\nprintf "%s|" "$1" "$SECRET" "$l"\nexit 3', {"SECRET": Secret("a'b\n$c\\")})
    done = started(shell, "", ["x y"], text + b"the rest\n")
    assert (done.stdout, done.stderr, done.returncode) == (b"x y|a'b\n$c\\|the rest|", b"", 3)


@pytest.mark.parametrize("shell", SHELLS)
def test_program_gets_its_input_to_the_byte(shell: str) -> None:
    content = bytes(range(256)) * 3 + b"%s %d \\0101 \\c '"
    with subprocess.Popen(
        [shell, *(["sh"] if shell == "busybox" else []), "-c", scripts.BOOT, "greenroom", "cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin and process.stdout
        process.stdin.write(scripts.opening(scripts.PROGRAM, stdin=content))
        process.stdin.flush()
        assert process.stdout.read() == content
        assert process.wait() == 0


@pytest.mark.parametrize("shell", SHELLS)
def test_program_ends_when_standard_input_closes(shell: str) -> None:
    done = started(shell, "", ["sleep", "30"], scripts.opening(scripts.PROGRAM))
    assert done.returncode == 143 and done.stdout == b""


@pytest.mark.parametrize("shell", SHELLS)
def test_half_an_opening_runs_nothing(shell: str) -> None:
    done = started(shell, "", ["echo", "ran"], scripts.opening(scripts.PROGRAM)[:-20])
    assert done.returncode == 255 and done.stdout == b""
