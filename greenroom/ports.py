"""Ports of this machine."""

from __future__ import annotations

import socket

HIGHEST = 65535  # that there is


def number(word: str) -> int | None:
    """The port that it names; None where it names none."""
    found = int(word) if word.isdecimal() and len(word) <= len(str(HIGHEST)) else 0
    return found if 0 < found <= HIGHEST else None


def why_not(host: str, port: int) -> str:
    """Why nothing of ours can listen there; empty where it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            return (error.strerror or "it is taken").lower()
    return ""
