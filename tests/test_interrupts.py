from __future__ import annotations

import signal
import threading

import pytest

from greenroom.errors import Terminated
from greenroom.interrupts import answered, raise_when_terminated, shielded


def test_shielded_delivers_at_its_end() -> None:
    done = []

    def release() -> None:
        with shielded():
            signal.raise_signal(signal.SIGINT)
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        release()
    assert done == ["all of it"]


def test_shielded_nests() -> None:
    done = []

    def release() -> None:
        with shielded():
            with shielded():
                signal.raise_signal(signal.SIGINT)
                done.append("inner")
            done.append("outer")

    with pytest.raises(KeyboardInterrupt):
        release()
    assert done == ["inner", "outer"]


def test_shielded_restores_what_was_there() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with shielded():
        pass
    assert signal.getsignal(signal.SIGTERM) == before


def test_shielded_in_a_thread_only_runs_its_block() -> None:
    done = []

    def release() -> None:
        with shielded():
            done.append("released")

    thread = threading.Thread(target=release)
    thread.start()
    thread.join()
    assert done == ["released"]


def test_terminated_carries_the_signal() -> None:
    before = signal.getsignal(signal.SIGHUP)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        raise_when_terminated()
        with pytest.raises(Terminated) as caught:
            signal.raise_signal(signal.SIGHUP)
        assert caught.value.signal == signal.SIGHUP
    finally:
        signal.signal(signal.SIGHUP, before)


def test_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        raise_when_terminated()
        signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(("raised", "code"), [(KeyboardInterrupt(), 130), (Terminated(15), 143), (Terminated(1), 129)])
def test_answered_gives_an_interrupted_task_its_exit_code(raised: BaseException, code: int) -> None:
    with pytest.raises(SystemExit) as left, answered():
        raise raised
    assert left.value.code == code
