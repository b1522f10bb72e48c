"""Measurements of rri-bgp, each beside a peer that was measured in the same run: ``python -m bench [NAMES…]``.

``load.py`` makes SAs, recordings and command scripts; ``bgp.py`` and ``upstream.py`` are the router that counts;
``peer.py`` and ``plugin.py`` are what ExaBGP runs as its helper; ``stage.py`` joins these to a real ExaBGP;
``cases/`` holds one measurement a file; ``figures.py`` is what they return; ``report.py``, ``plot.py`` show it.

Rules of this folder: a figure never stands alone (spread, and a ratio to a peer or an aim); runs of the things that are
compared alternate; every wait has a deadline and says what it waited for; processes are ended by their id whatever
happens; nothing is written outside a temporary folder but ``.lab/bench.*`` and, with ``--docs``, docs/results/bench.md.
"""

__all__ = ["BenchError"]


class BenchError(Exception):
    """A measurement could not be made; the text says what was waited for and what was seen last."""
