"""``rri-bgp exabgp``: ExaBGP, without the pauses that its garbage collector makes in a large table."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import click

from rri_bgp.errors import EnvironmentProblem

__all__ = ["THRESHOLDS", "exabgp"]

THRESHOLDS = (20_000, 10, 1_000)
"""Python looks through everything whenever it has grown by a quarter: 0.4 s at 60,000 routes, and no UPDATE meanwhile.
With these it looks through what is young as before, in some 20 ms at the most, and through everything very seldom."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def exabgp(arguments: tuple[str, ...]) -> None:
    """Run ExaBGP: `rri-bgp exabgp ARGUMENTS` is `exabgp ARGUMENTS`, with a garbage collector set for large tables.

    ExaBGP is a Python program. While its table grows Python stops it now and then to look for garbage, for 0.4 s at
    60,000 routes: a withdraw that is due then waits. This sets the collector before ExaBGP starts and changes nothing
    else. Its exit codes are ExaBGP's.
    """
    try:
        from exabgp.application.main import main  # noqa: PLC0415  # slow, and another program
    except ImportError:
        raise EnvironmentProblem(
            "there is no ExaBGP 5 in this Python", where=sys.prefix, hint="install exabgp into the same environment"
        ) from None
    gc.set_threshold(*THRESHOLDS)
    # ExaBGP finds its folders by the name that it was called with.
    sys.argv = [str(Path(sys.prefix) / "bin" / "exabgp"), *arguments]
    sys.exit(main())
