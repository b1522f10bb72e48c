"""``rri-bgp attach``: what ExaBGP runs where the controller is a service of its own."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
from pathlib import Path

import click

from rri_bgp.errors import UsageError
from rri_bgp.paths import EXABGP_SOCKET
from rri_bgp.sinks.exabgp.relay import Relay
from rri_bgp.sinks.exabgp.stdio import check_stdio

__all__ = ["attach"]

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@click.command()
@click.option("--socket", type=click.Path(path_type=Path), default=EXABGP_SOCKET, show_default=True,
              help="The controller's `sinks.exabgp.listen`.")  # fmt: skip
@click.option("--name", default="exabgp", show_default=True, help="This ExaBGP's name; each needs its own.")
def attach(socket: Path, name: str) -> None:
    """Join this ExaBGP to a controller that runs by itself. ExaBGP starts this; it may run as any user.

    \b
    In exabgp.conf:
      process rri { run /opt/rri-bgp/bin/rri-bgp attach; encoder json; }
    and in the policy: sinks: {exabgp: {listen: /run/rri-bgp/exabgp.sock}}

    It waits for a controller that is away, and ends only when ExaBGP does: exit code 0.
    """
    if not _NAME.fullmatch(name):
        raise UsageError("up to 64 letters, digits, `.`, `-` and `_` are allowed", where="--name")
    check_stdio()
    logging.basicConfig(stream=sys.stderr, level="INFO", format="rri-bgp attach %(levelname)s %(message)s")
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    commands = os.dup(1)
    os.dup2(2, 1)  # a stray print is a log line and no command
    try:
        Relay(socket, name, 0, commands).run()
    except BrokenPipeError:
        return  # ExaBGP is gone
