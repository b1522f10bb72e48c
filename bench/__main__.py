"""``python -m bench [NAMES…]``: measures, prints tables, writes .lab/bench.json and .lab/bench.svg."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import importlib
import importlib.metadata
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench import BenchError, plot, report
from bench.cases import Runs
from bench.figures import Result
from bench.stage import ROOT
from rri_bgp import __version__
from rri_bgp.errors import RriError

__all__ = ["CASES", "main"]

CASES = ("core", "policy", "xfrm", "kernel", "follow", "bulk", "urgent", "rekey", "memory", "flat", "cold", "handoff")
_FOLDER = ROOT / ".lab"
_PAGE = ROOT / "docs" / "results" / "bench.md"


def main(arguments: Sequence[str]) -> int:
    """Runs what is asked for; returns the exit code."""
    asked = _parser().parse_args(arguments)
    wrong = [name for name in asked.names if name not in CASES]
    if wrong:
        sys.stderr.write(f"bench: no measurement {', '.join(wrong)}; there are {', '.join(CASES)}\n")
        return 2
    names = [name for name in CASES if name in (asked.names or CASES)]
    about = _about(asked.rounds, asked.scale)
    try:
        with tempfile.TemporaryDirectory(prefix="rri-bgp-bench-") as folder:
            runs = Runs(Path(folder), asked.rounds, asked.scale, _tell)
            results = asyncio.run(_measure(names, runs))
    except (BenchError, RriError) as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.stderr.write("bench: given up\n")
        return 130
    _publish(report.document(about, results), results, is_docs=asked.docs)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures rri-bgp beside its peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure, all if none: {', '.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is run (3)")
    parser.add_argument("--scale", type=float, default=1.0, help="1.0 is the published size; 0.05 is a quick try")
    parser.add_argument(
        "--docs", action="store_true", help="also write docs/results/bench.md; what is not measured now stays"
    )
    return parser


async def _measure(names: Sequence[str], runs: Runs) -> list[Result]:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  # called from a coroutine
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return [await importlib.import_module(f"bench.cases.{name}").measure(runs) for name in names]


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _publish(document: dict[str, object], results: Sequence[Result], *, is_docs: bool) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 110
    console.print(report.tables(results))
    _FOLDER.mkdir(exist_ok=True)
    file = _FOLDER / "bench.json"
    if is_docs and file.exists():
        document = report.together(json.loads(file.read_text(encoding="utf-8")), document, CASES)
    file.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (_FOLDER / "bench.svg").write_text(plot.svg(results), encoding="utf-8")
    if is_docs:
        _PAGE.parent.mkdir(parents=True, exist_ok=True)
        _PAGE.write_text(report.markdown(document), encoding="utf-8")


def _about(rounds: int, scale: float) -> dict[str, object]:
    """What the figures depend on; no name of this machine, no path on it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "cpus": os.cpu_count(),
        "cpu": _cpu(),
        "memory": f"{memory:.0f} GiB",
        "load": " ".join(f"{one:.2f}" for one in os.getloadavg()),
        "python": platform.python_version(),
        "exabgp": importlib.metadata.version("exabgp"),
        "rri-bgp": __version__,
        "revision": _revision(),
        "linux": ".".join(platform.release().split(".")[:2]),
        "rounds": rounds,
        "scale": scale,
    }


def _cpu() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _revision() -> str:
    """The commit that was measured; empty where this is no checkout."""
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude", "*"]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run(git, capture_output=True, text=True, check=False, timeout=10).stdout.strip()
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
