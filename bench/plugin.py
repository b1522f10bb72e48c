"""What ExaBGP runs as its helper where our plugin is measured.

``python -m bench.plugin GATE POLICY plain|noted|noted:STEP/STEP…``. Behind the gate it is ``rri-bgp run --config
POLICY``: ``plain`` by exec, so that all of a start is in the time; ``noted`` in this process, with one addition: before
the replay source tells the controller a moment of its recording (step 0, 1, …), or one of those named, the time is
noted.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from typing import TYPE_CHECKING

from bench.gate import Gate

if TYPE_CHECKING:
    from rri_bgp.sources import SaObserver
    from rri_bgp.sources.recording import Moment

__all__ = ["main"]


def main() -> None:
    """Waits at the gate, then is the plugin."""
    gate_path, policy, how = sys.argv[1:]
    gate = Gate(gate_path)
    arguments = ["run", "--config", policy, "--log-level", "warning"]
    if how == "plain":
        gate.note(0, gate.pass_through())
        os.execv(sys.executable, [sys.executable, "-m", "rri_bgp", *arguments])  # noqa: S606
    steps = how.partition(":")[2]
    _note_moments(gate, frozenset(map(int, steps.split("/"))) if steps else None)
    from rri_bgp.cli import main as program  # noqa: PLC0415  # `plain` must not have imported it

    gate.pass_through()
    sys.argv = ["rri-bgp", *arguments]
    program()


def _note_moments(gate: Gate, wanted: frozenset[int] | None) -> None:
    from rri_bgp.sources.recording import Moment  # noqa: PLC0415  # as above

    tell, steps = Moment.tell, itertools.count()

    def noted(moment: Moment, source: str, observer: SaObserver) -> None:
        step = next(steps)
        if wanted is None or step in wanted:
            gate.note(step, time.monotonic_ns())
        tell(moment, source, observer)

    setattr(Moment, "tell", noted)  # noqa: B010  # mypy knows that a method is not to be assigned


if __name__ == "__main__":
    main()
