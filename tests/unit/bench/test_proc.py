"""Lines of /proc, and the end of a process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.proc import end, machine_busy, parse_machine_stat, parse_stat, parse_status, usage


def test_a_name_may_hold_anything() -> None:
    numbers = " ".join(str(number) for number in range(4, 30))
    assert parse_stat(f"42 (a) b (c)) S {numbers}") == 14 + 15


def test_only_what_is_in_kib_is_read() -> None:
    assert parse_status("Name:\tx y kB\nVmRSS:\t  123 kB\nThreads:\t1\n") == {"VmRSS": 123}


def test_the_machine_is_busy_where_it_is_not_idle() -> None:
    assert (
        parse_machine_stat("cpu  1 2 4 800 1600 8 16 32 64 128\ncpu0 1 1 1 1 1 1 1 1 1 1\n") == 1 + 2 + 4 + 8 + 16 + 32
    )
    assert machine_busy() > 0


def test_of_a_process_that_lives_and_of_one_that_does_not() -> None:
    found = usage(os.getpid())
    assert found.cpu > 0
    assert 0 < found.rss <= found.peak
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        end(child.pid)
    finally:
        assert child.stdin is not None
        child.stdin.close()
        child.wait(10)
    end(child.pid)
    with pytest.raises(ProcessLookupError):
        usage(child.pid)
