"""ExaBGP's helper, looked over the shoulder: ``python -m tests.integration.tap FILE PID COMMAND…``.

Runs COMMAND as the helper. Of each destination that a command names it notes in FILE, before ExaBGP has the command,
whether the kernel of PID's network namespace has a route of ours to it: a JSON line ``[verb, destination, has it]``. A
withdraw it keeps for a moment first, as a busy ExaBGP would.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

_BUSY = 0.3
_USER = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")


def main(file: str, namespace: str, *command: str) -> int:
    """See the head of this file."""
    with (
        open(file, "a", encoding="utf-8") as notes,  # noqa: PTH123
        subprocess.Popen(command, stdout=subprocess.PIPE) as helper,
    ):
        assert helper.stdout is not None
        for line in helper.stdout:
            verb, _, words = line.decode().partition(" ")
            if verb == "withdraw":
                time.sleep(_BUSY)
            if verb in ("announce", "withdraw"):
                found = words.partition(" nlri ")[2].split()
                notes.writelines(json.dumps([verb, one, _is_there(namespace, one)]) + "\n" for one in found)
                notes.flush()
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
    return helper.returncode


def _is_there(namespace: str, destination: str) -> bool:
    words = ("ip", "-6" if ":" in destination else "-4", "route", "show", destination, "proto", "82")
    enter = ("nsenter", f"--target={namespace}", "--net", *_USER)
    return bool(subprocess.run([*enter, *words], capture_output=True, check=True).stdout)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
