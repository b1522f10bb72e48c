"""``python -m tests.kernel [OPTIONS]``: the kernel tier with its files at the same time; the options are pytest's.

Most of these tests wait: for a lifetime that ends, a peer that does not answer, a source that holds back. So each file
has a process of its own, in a network namespace and a mount namespace of its own (a named network namespace is a file
below /run). What a file prints is shown when it has ended. Exit code 0: all passed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_ALONE = 'mount -t tmpfs tmp /run && ip link set lo up && exec "$@"'
_PLUGINS = ("-p", "asyncio", "-p", "timeout", "-p", "no:cacheprovider")
"""What these tests use: to import the others takes longer than some of the files."""

_NO_TESTS = 5


def main(options: list[str]) -> int:
    """Runs them; the exit code."""
    files = sorted(Path(__file__).parent.glob("test_*.py"))
    with ThreadPoolExecutor(len(files)) as threads:
        codes = list(threads.map(lambda file: _run(file, options), files))
    wrong = [code for code in codes if code not in (0, _NO_TESTS)]
    return wrong[0] if wrong else min(codes)


def _run(file: Path, options: list[str]) -> int:
    pytest = [sys.executable, "-m", "pytest", *_PLUGINS, *options, str(file.relative_to(Path.cwd()))]
    done = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", _ALONE, "sh", *pytest],
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    sys.stdout.write(done.stdout)
    sys.stdout.flush()
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
