"""``python -m tests.kernel [OPTIONS]``: the kernel tier, several of its tests at a time; the options are pytest's.

Most of these tests wait: for a lifetime that ends, a peer that does not answer, a source that holds back. So a few
processes share them out among themselves (``conftest``), each in a network and a mount namespace of its own: network
namespaces have names below /run. They are forks of one that has imported what takes long to import. What each prints is
shown when it has ended. Exit code 0: all passed.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import IO

import pytest

import tests.kernel.gateways  # noqa: F401  # as are all that it imports: once, and not in each process

_WORKERS = 6
_NAMESPACES = 0x40000000 | 0x00020000  # CLONE_NEWNET, CLONE_NEWNS
_NO_TESTS = 5
_PLUGINS = ("-p", "pytest_asyncio.plugin", "-p", "pytest_timeout", "-p", "no:cacheprovider")
"""What these tests use: to import the others takes longer than some of the tests."""


def main(options: list[str]) -> int:
    """Runs them; the exit code."""
    outputs = [tempfile.TemporaryFile("w+") for _ in range(_WORKERS)]  # noqa: SIM115  # closed below
    workers = [_start(number, output, options) for number, output in enumerate(outputs)]
    codes = []
    for worker, output in zip(workers, outputs, strict=True):
        codes.append(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]))
        with output:
            output.seek(0)
            sys.stdout.write(output.read())
            sys.stdout.flush()
    wrong = [code for code in codes if code not in (0, _NO_TESTS)]
    return abs(wrong[0]) if wrong else min(codes)


def _start(number: int, output: IO[str], options: list[str]) -> int:
    """Starts a process; its id."""
    worker = os.fork()
    if not worker:
        try:
            code = _work(number, output.fileno(), options)
        except BaseException:  # noqa: BLE001  # nobody else says it
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return worker


def _work(number: int, output: int, options: list[str]) -> int:
    for stream in (1, 2):
        os.dup2(output, stream)
    os.environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "RRI_BGP_KERNEL_SHARE": f"{number}/{_WORKERS}"}
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NAMESPACES):
        raise OSError(ctypes.get_errno(), "unshare")
    for words in ("mount --make-rprivate /", "mount -t tmpfs tmp /run", "ip link set lo up"):
        subprocess.run(words.split(), check=True)
    return pytest.main([*_PLUGINS, *options, str(Path(__file__).parent.relative_to(Path.cwd()))])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
