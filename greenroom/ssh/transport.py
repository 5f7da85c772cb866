"""paramiko's transport, set up for large streams, and one that notices when nobody answers any more."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import paramiko
from paramiko.common import cMSG_GLOBAL_REQUEST
from paramiko.packet import Packetizer

WINDOW_BYTES = 16 * 1024 * 1024  # what may be under way: 160 MB/s at 100 ms
PACKET_BYTES = 248 * 1024  # OpenSSH takes packets of 256 KiB; with paramiko's 32 KiB a stream is half as fast
ASK_SECONDS = 7.5
UNANSWERED = 3  # so a dead connection is found in 30 s
BANNER_SECONDS = 10
AUTH_SECONDS = 30
CHANNEL_SECONDS = 15

# The first two encrypt and sign in one pass. CBC, 3DES, MD5 and SHA-1 are left out.
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
DIGESTS = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512")

logging.getLogger("paramiko").addHandler(logging.NullHandler())  # else its tracebacks go to standard error


class Asking(Packetizer):
    """Packets, with a count of the questions that stand open since the other side was last heard."""

    unanswered = 0

    def read_message(self) -> tuple[int, paramiko.Message]:
        """The next message; whatever it is, somebody is there."""
        found: tuple[int, paramiko.Message] = super().read_message()
        self.unanswered = 0
        return found


def factory(host_keys: Callable[[tuple[str, ...]], tuple[str, ...]]) -> Callable[..., paramiko.Transport]:
    """What SSHClient makes its transport with; `host_keys` puts the kinds of host keys into the order to ask for."""

    def transport(sock: Any, **options: Any) -> paramiko.Transport:
        made = paramiko.Transport(
            sock,
            default_window_size=WINDOW_BYTES,
            default_max_packet_size=PACKET_BYTES,
            packetizer_class=Asking,
            **options,
        )
        security = made.get_security_options()
        security.ciphers, security.digests = CIPHERS, DIGESTS
        security.key_types = host_keys(tuple(security.key_types))
        made.packetizer.set_keepalive(ASK_SECONDS, lambda: _ask(made))
        return made

    return transport


def _ask(transport: Any) -> None:
    """Called by the reading thread when nothing was written for ASK_SECONDS: anything that demands an answer.

    paramiko's own keepalive wants none, so that a cut cable shows after a quarter of an hour.
    """
    if transport.packetizer.unanswered >= UNANSWERED:
        raise EOFError("nothing was heard")
    transport.packetizer.unanswered += 1
    message = paramiko.Message()
    message.add_byte(cMSG_GLOBAL_REQUEST)
    message.add_string("keepalive@openssh.com")
    message.add_boolean(True)
    transport._send_user_message(message)
