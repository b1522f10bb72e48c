"""BIRD and FRR for a measurement: those of this machine or of the lab's tree, configured as the how-to says.

Rules of this file: a daemon is ended by the process that was started. The lab's tree (``lab/setup.sh kernel``) is
entered in a mount namespace, so nothing of that is left behind; ``folder`` is /run in it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import BenchError

__all__ = ["UPSTREAM", "ask", "bird", "configuration", "frr"]

UPSTREAM = """\
router id 198.51.100.2;
protocol device {}
protocol bgp hub {
  local 198.51.100.2 as 65000;
  neighbor 198.51.100.1 as 65000;
  connect delay time 1;
  error wait time 1, 2;
  ipv4 { import all; export none; };
  ipv6 { import all; export none; };
}
"""
"""A BIRD that learns from the how-to's hub."""

_ROOT = Path(__file__).resolve().parent.parent
_HOW_TO = _ROOT / "docs" / "howto" / "hand-off.md"
_TREE = _ROOT / ".lab" / "kernel" / "tree"
_PATIENCE = 30.0
_ENTER = """\
set -e
mount --make-rprivate /
mount --bind /proc "$1/proc"
mount --bind /dev "$1/dev"
mount --bind "$2" "$1/run"
tree=$1
shift 2
exec chroot "$tree" "$@"
"""


def configuration(language: str) -> str:
    """What the how-to has for ``bird`` or ``frr``."""
    found = re.search(rf"^```{language}\n(.*?)^```", _HOW_TO.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert found is not None  # noqa: S101  # it has both
    return found[1]


def ask(control: Path, question: str) -> str:
    """The answer of a BIRD, in the language of birdc: its lines without the numbers before them."""
    with socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(_PATIENCE)
        asked.connect(str(control))
        with asked.makefile("rwb") as stream:
            stream.readline()
            stream.write(question.encode() + b"\n")
            stream.flush()
            lines = []
            while line := stream.readline():
                lines.append(line.decode())
                if re.match(rb"[089]\d\d\d ", line):  # an answer's last line, well or not
                    break
    return "".join(re.sub(r"^(\d{4}[- ]| )", "", one) for one in lines)


@contextlib.contextmanager
def bird(
    folder: Path, name: str, text: str, before: Sequence[str] = ()
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A BIRD, and the socket where it is asked; ``before``: a command that runs it."""
    (folder / f"{name}.conf").write_text(text)
    enter, there = ([], folder) if shutil.which("bird") else (_enter(folder), Path("/run"))
    files = [str(there / f"{name}.{ending}") for ending in ("conf", "ctl", "pid")]
    command = [*before, *enter, "bird", "-f", "-c", files[0], "-s", files[1], "-P", files[2]]
    with _running(folder / f"{name}.log", command) as process:
        yield process, folder / f"{name}.ctl"


@contextlib.contextmanager
def frr(folder: Path, text: str) -> Iterator[None]:
    """The zebra and bgpd of the lab's tree, with the options that Debian has."""
    home = folder / "frr"
    home.mkdir(exist_ok=True)
    (home / "frr.conf").write_text(text)
    folder.chmod(0o755)
    user, group = _frr_user()
    for one in (home, home / "frr.conf"):
        os.chown(one, user, group)
    started = ("-A", "127.0.0.1", "-f", "/run/frr/frr.conf")
    with contextlib.ExitStack() as stack:
        for daemon, more in (("zebra", ("-s", "90000000")), ("bgpd", ())):
            command = [*_enter(folder), f"/usr/lib/frr/{daemon}", *started, *more]
            stack.enter_context(_running(folder / f"{daemon}.log", command))
        yield


def _frr_user() -> tuple[int, int]:
    """The numbers of FRR's user and group in the lab's tree."""
    for line in (_TREE / "etc" / "passwd").read_text(encoding="utf-8").splitlines():
        name, _, user, group, *_ = line.split(":")
        if name == "frr":
            return int(user), int(group)
    raise BenchError("no FRR in the lab's tree: lab/setup.sh kernel")


def _enter(folder: Path) -> list[str]:
    if not _TREE.exists():
        raise BenchError("no BIRD here: install bird2, or make the lab's tree: lab/setup.sh kernel")
    return ["unshare", "--mount", "sh", "-c", _ENTER, "sh", str(_TREE), str(folder)]


@contextlib.contextmanager
def _running(log: Path, command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(_PATIENCE)
