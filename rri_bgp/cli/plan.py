"""``rri-bgp plan``: what would a policy change?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rri_bgp.cli.changes import change_lines
from rri_bgp.cli.options import as_json, print_json, say, socket_option, warn
from rri_bgp.cli.words import count
from rri_bgp.control.client import ask
from rri_bgp.control.protocol import Ask, Request
from rri_bgp.errors import ProtocolError, UnreachableError

if TYPE_CHECKING:
    from rri_bgp.control.foretell import World
    from rri_bgp.model import SaKey, SaPair
    from rri_bgp.policy import Config

__all__ = ["plan"]

Item = dict[str, Any]


@click.command()
@click.argument("file", metavar="NEW.yaml", type=click.Path(path_type=Path))
@click.option("--recording", type=click.Path(path_type=Path), metavar="FILE",
              help="With the SA pairs that a recording ends with, and not those of a controller.")  # fmt: skip
@click.option("--from", "old", type=click.Path(path_type=Path), metavar="OLD.yaml",
              help="With --recording: the policy to compare with; without it all routes are new.")  # fmt: skip
@socket_option
@as_json
def plan(file: Path, recording: Path | None, old: Path | None, socket: Path, is_json: bool) -> None:
    """What the policy NEW.yaml would change: announced (+), changed (~), withdrawn (-), by map entry. Nothing happens.

    It asks the running controller for its policy, its SA pairs and what it knows of this machine, and works out both
    tables by the same rules: `rri-bgp reload NEW.yaml` then does exactly that, as long as no SA changes in between.

    Exit code 0: it would change nothing. 1: it would change something. 2: it has mistakes, or no controller answers.
    """
    from rri_bgp.policy import load  # noqa: PLC0415  # slow to import, and `--help` does without

    config = load(file)
    if recording is None:
        before, after, later = _against_controller(socket, config)
        against = f"the controller at {socket}"
    else:
        before, after = _against_recording(recording, old, config)
        against, later = f"the recording {recording}", ()
    report = _report(config, before, after) | {"against": against, "later": list(later)}
    if is_json:
        print_json(report)
    else:
        warn(report["warnings"])
        for line in _tell(report):
            say(line)
    sys.exit(1 if report["changes"] else 0)


def _against_controller(socket: Path, config: Config) -> tuple[World, World, tuple[str, ...]]:
    """How it is, how it would be, and what would be taken at the next start only."""
    from rri_bgp.control.around import around  # noqa: PLC0415  # slow to import
    from rri_bgp.control.foretell import world  # noqa: PLC0415
    from rri_bgp.control.views.state import read_state  # noqa: PLC0415
    from rri_bgp.policy.load import parse  # noqa: PLC0415
    from rri_bgp.reload import later  # noqa: PLC0415

    try:
        state = read_state(ask(socket, Request(Ask.STATE)))
    except ProtocolError as error:
        raise UnreachableError(error.what, where=str(socket)) from None
    running = parse(state.text, state.file)
    return (
        world(running.policy, state.surroundings, state.candidates),
        world(config.policy, around(state, running, config), state.candidates),
        later(running, config),
    )


def _against_recording(recording: Path, old: Path | None, config: Config) -> tuple[World, World]:
    from rri_bgp.control.foretell import world  # noqa: PLC0415  # slow to import
    from rri_bgp.policy import load  # noqa: PLC0415
    from rri_bgp.rri import Policy  # noqa: PLC0415
    from rri_bgp.rri.candidates import Candidate  # noqa: PLC0415
    from rri_bgp.rri.surroundings import Surroundings  # noqa: PLC0415

    candidates = [Candidate(sa) for sa in _last_state(recording)]
    policy = Policy() if old is None else load(old).policy
    return world(policy, Surroundings(), candidates), world(config.policy, Surroundings(), candidates)


def _last_state(recording: Path) -> list[SaPair]:
    from rri_bgp.sources.recording import read  # noqa: PLC0415  # not needed with a controller

    known: dict[SaKey, SaPair | None] = {}
    for moment in read(recording, "recording"):
        if moment.is_snapshot:
            known.clear()
        known.update(moment.changes)
    return [sa for sa in known.values() if sa is not None]


def _report(config: Config, before: World, after: World) -> Item:
    from rri_bgp.control.foretell import foretell  # noqa: PLC0415  # slow to import

    changes = foretell(before, after)
    actions = [change["action"] for change in changes]
    return {
        "file": str(config.file),
        "announced": actions.count("announce"),
        "withdrawn": actions.count("withdraw"),
        "changed": actions.count("change"),
        "routes": len(after[1]),
        "warnings": list(config.warnings),
        "changes": changes,
    }


def _tell(report: Item) -> Iterator[str]:
    yield from change_lines(report["changes"])
    if report["later"]:
        yield f"would be taken at the next start only: {', '.join(report['later'])}"
    kept = count(report["routes"] - report["announced"] - report["changed"], "route")
    if not report["changes"]:
        yield f"{report['file']} would change nothing: {kept} as they are, against {report['against']}"
        return
    yield (
        f"{report['file']} would announce {report['announced']}, change {report['changed']} and withdraw "
        f"{report['withdrawn']}; {kept} as they are, against {report['against']}"
    )
