"""``python -m tests.kernel [OPTIONS]``: the kernel tier, several of its tests at a time; the options are pytest's.

Most of these tests wait: for a lifetime that ends, a peer that does not answer, a source that holds back. So when all
are collected a few forks share them out among themselves, each in a network and a mount namespace of its own: network
namespaces have names below /run. What each prints is shown when it has ended. Exit code 0: all passed.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

_WORKERS = 6
_NAMESPACES = 0x40000000 | 0x00020000  # CLONE_NEWNET, CLONE_NEWNS
_OPTIONS = ("-p", "pytest_asyncio.plugin", "-p", "pytest_timeout", "-p", "no:cacheprovider", "--capture=sys")
"""Without other plugins, which take longer to import than some of the tests. What programs print goes to their worker's
output, as a fork cannot tell pytest to catch it elsewhere."""


class Shares:
    """A plugin: in the place of running all tests, each of some forks runs its share of them."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Returns in a fork, which has a part of the tests; the process itself ends here, with the forks."""
        if session.testsfailed or session.config.option.collectonly:
            return
        sys.stdout.flush()
        outputs = [tempfile.TemporaryFile("w+") for _ in range(_WORKERS)]  # noqa: SIM115  # ends with the process
        workers = []
        for number, output in enumerate(outputs):
            worker = os.fork()
            if not worker:
                for stream in (1, 2):
                    os.dup2(output.fileno(), stream)
                for one in outputs:
                    one.close()
                _enter_namespaces()
                session.items[:] = session.items[number::_WORKERS]
                return
            workers.append(worker)
        codes = []
        for worker, output in zip(workers, outputs, strict=True):
            codes.append(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]))
            output.seek(0)
            sys.stdout.write(output.read())
            sys.stdout.flush()
        os._exit(max(map(abs, codes)))


def _enter_namespaces() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NAMESPACES):
        raise OSError(ctypes.get_errno(), "unshare")
    for words in ("mount --make-rprivate /", "mount -t tmpfs tmp /run", "ip link set lo up"):
        subprocess.run(words.split(), check=True)


if __name__ == "__main__":
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    folder = str(Path(__file__).parent.relative_to(Path.cwd()))
    sys.exit(pytest.main([*_OPTIONS, *sys.argv[1:], folder], plugins=[Shares()]))
