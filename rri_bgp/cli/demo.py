"""``rri-bgp demo``: the whole chain on one machine, with nothing set up and no rights."""

from __future__ import annotations

import asyncio
import sys

import click
from rich.console import Console
from rich.text import Text

from rri_bgp.demo.script import prepare
from rri_bgp.demo.show import Kind, Line, Outcome, play
from rri_bgp.model import Path

__all__ = ["demo"]

_STYLES = {
    Kind.STAGE: "dim",
    Kind.LEARNED: "green",
    Kind.WITHDRAWN: "yellow",
    Kind.SILENT: "cyan",
    Kind.WRONG: "bold red",
}


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="For the session; a free one otherwise.")
def demo(port: int) -> None:
    """Show what an upstream router learns while a recorded hub's tunnels come, rekey and go.

    Two real ExaBGPs meet on loopback (127.0.0.1 and 127.0.0.2, a free port): one runs this program as its helper, fed
    by the recording that is shipped with the package, the other plays the upstream. Needs no root and no docker, and
    takes about ten seconds.

    Exit code 0: the upstream learned exactly what it should, and a rekey sent it nothing. 1: it did not. 2: it could
    not be tried; the line says why.
    """
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 140
    outcome = asyncio.run(play(prepare, lambda line: console.print(_render(line)), port))
    _summary(console, outcome)
    sys.exit(1 if outcome.wrong else 0)


def _render(line: Line) -> Text:
    text = Text(f"{line.at:6.2f} s  ", "dim")
    text.append(line.text, _STYLES[line.kind])
    if line.change is not None and line.change.path is not None:
        text.append(_details(line.change.path))
    return text


def _details(path: Path) -> str:
    attributes = path.attributes
    words = [f"  next hop {path.next_hop}"]
    for name, found in (("community", attributes.communities), ("large", attributes.large_communities)):
        if found:
            words.append(f"{name} {' '.join(':'.join(map(str, one)) for one in found)}")
    return "  ".join(words)


def _summary(console: Console, outcome: Outcome) -> None:
    for wrong in outcome.wrong:
        console.print(Text(f"wrong: {wrong}", "bold red"))
    verdict = "as it should" if not outcome.wrong else "NOT as it should"
    replaced = f"{outcome.replaced} SAs were replaced with {outcome.silent_updates} UPDATEs"
    console.print(
        f"The upstream learned {outcome.learned} routes, lost {outcome.withdrawn} and holds {outcome.routes}, "
        f"{verdict}; {replaced}. {outcome.seconds:.1f} s."
    )
