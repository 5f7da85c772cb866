"""What runs on the VPN host: small POSIX sh scripts, given to its shell on standard input.

So neither they nor a secret ever stand in a remote command line; `ps` there shows BOOT and the program's own words.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from greenroom.secret import Secret

# Reads a number of lines, then runs them. `read` takes byte by byte, so what follows stays on standard input.
BOOT = (
    'read -r n && s= && while [ "$n" -gt 0 ]; do IFS= read -r l || exit 255; '
    's="$s$l$(printf "\\n_")"; s="${s%_}"; n=$((n-1)); done && eval "$s"'
)

# Runs "$@" and ends it, with all its children, as soon as standard input closes: our process or the connection is gone.
PROGRAM = """
unset s l n
exec 3<&0
own=
if command -v setsid >/dev/null 2>&1; then own=-; set -- setsid "$@"; fi
if [ -n "$given" ]; then
    printf '%b' "$given" | "$@" 3<&- &
else
    "$@" </dev/null 3<&- &
fi
p=$!
end() { kill -s "$1" -- "$own$p" 2>/dev/null || kill -s "$1" "$p" 2>/dev/null; }
(
    exec >/dev/null 2>&1
    while IFS= read -r l; do :; done <&3
    end TERM
    i=0
    while end 0 && [ "$i" -lt 5 ]; do sleep 1; i=$((i+1)); done
    end KILL
) &
w=$!
wait "$p"
c=$?
kill "$w" 2>/dev/null
exit "$c"
"""

# Makes the directory $1, says where, and removes it on the word `remove`. When standard input closes without it, a
# transfer may go on over a new connection: then it is removed $2 seconds after the last sign of life (a file .alive).
HOLDER = """
umask 077
cd /
for b in "$TMPDIR" /var/tmp /tmp; do
    case $b in /*) d=$b/$1; mkdir "$d" 2>/dev/null && break;; esac
    d=
done
if [ -z "$d" ]; then echo "no place for a directory in /var/tmp or /tmp" >&2; exit 1; fi
trap 'rm -rf -- "$d"; exit' TERM
trap '' HUP PIPE
printf '%s\\n' "$d"
w=
IFS= read -r w
if [ "$w" != remove ]; then
    exec >/dev/null 2>&1
    i=0
    while [ -d "$d" ] && [ "$i" -lt "$2" ]; do
        sleep 1
        i=$((i+1))
        if [ -e "$d/.alive" ]; then rm -f "$d/.alive"; i=0; fi
    done
fi
rm -rf -- "$d"
"""

# Removes the directory $1 wherever HOLDER may have made it; its holder ends by itself when it is gone.
REMOVAL = """
for b in "$TMPDIR" /var/tmp /tmp; do
    case $b in /*) rm -rf -- "$b/$1" || exit 1;; esac
done
"""

# The SHA-256 of the first $2 bytes of the file $1.
CHECKSUM = """
head -c "$2" "$1" | if command -v sha256sum >/dev/null 2>&1; then sha256sum
elif command -v shasum >/dev/null 2>&1; then shasum -a 256
else openssl dgst -sha256 -r
fi
"""


def command_line(words: Sequence[str]) -> str:
    """What the host's sshd hands to the user's login shell."""
    return "exec " + shlex.join(["/bin/sh", "-c", BOOT, "greenroom", *words])


def opening(script: str, secrets: Mapping[str, Secret] = {}, stdin: bytes = b"") -> bytes:
    """What BOOT reads: the number of lines, then the secrets as exports, the program's standard input, the script."""
    exports = [f"export {name}={shlex.quote(secret.reveal())}" for name, secret in secrets.items()]
    text = "\n".join([*exports, f"given={shlex.quote(_escaped(stdin))}", script.strip()])
    return f"{text.count(chr(10)) + 1}\n{text}\n".encode()


def _escaped(content: bytes) -> str:
    """For printf's %b: whatever is no plain letter as an octal number."""
    return "".join(chr(byte) if 32 <= byte < 127 and byte != 92 else f"\\0{byte:03o}" for byte in content)
