"""The command line: one file per verb, imported when it is called.

Rules of this folder: everything that is printed is printed here. Exit codes are those of diff(1): 0 same or well, 1
different or not well, 2 trouble (usage, bad input, cannot reach). An ``RriError`` is one clear line on stderr, with a
hint below it where there is one; never a traceback.
"""

from __future__ import annotations

import gc
import importlib
import sys

import click

from rri_bgp import __version__
from rri_bgp.errors import RriError

__all__ = ["main", "program"]


class _Verbs(click.Group):
    """Verb ``x`` is the command ``x`` in the module ``rri_bgp.cli.x``: only the one that is called is imported."""

    _names = (
        "run", "attach", "check", "help", "plan", "reload", "confirm", "show", "explain", "watch", "events",
        "inspect", "record", "demo", "exabgp", "completion",
    )  # fmt: skip

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the order in which a newcomer meets them."""
        return list(self._names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, None for no such verb."""
        if cmd_name not in self._names:
            return None
        command = getattr(importlib.import_module(f"rri_bgp.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101  # one of ours
        return command


@click.command(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 same or well, 1 different or not well, 2 trouble. Each verb's --help says more.",
)
@click.version_option(__version__, prog_name="rri-bgp")
def program() -> None:
    """Reverse route injection for VPN gateways: a BGP route for each network behind each tunnel that is up.

    ExaBGP runs `rri-bgp run` as its helper; it follows the SAs of the gateway and announces what the policy says. The
    other verbs look at it from outside:

    \b
      rri-bgp check hub.yaml         is the policy right?
      rri-bgp show status            is all well?
      rri-bgp show sas               which map entry took each SA, and what was refused?
      rri-bgp explain 10.1.0.0/16    why is this prefix announced, or why not?
      rri-bgp plan new.yaml          what would this policy change?
      rri-bgp watch                  what happens now?
      rri-bgp inspect                does the upstream router have exactly that?
    """


def main() -> None:
    """Entry point of ``rri-bgp``."""
    gc.set_threshold(100_000, 50, 100)  # what is imported stays: to look through it for garbage makes each start slower
    try:
        program(prog_name="rri-bgp")
    except RriError as error:
        click.echo(f"rri-bgp: {error}", err=True)
        sys.exit(2)
