"""``rri-bgp events``: what happens, for programs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rri_bgp.cli.options import socket_option
from rri_bgp.control.client import ask
from rri_bgp.control.protocol import Ask, Request

__all__ = ["events"]


@click.command()
@click.option("--json", "is_json", is_flag=True, help="The only form there is; may be left out.")
@socket_option
def events(socket: Path, is_json: bool) -> None:
    """All there is, and then what changes, as it does: lines of JSON (docs/reference/json.md), until Ctrl-C.

    Lines of the first part have `"origin": "snapshot"`, of the second `"live"`. A line says how something is now, so a
    reader that misses nothing, keeps the last line of each thing and drops those that are null, has all of it. One that
    is slow is told less often and never delays the controller.

    Exit code 2: no controller answers, or it has ended.
    """
    del is_json
    try:
        for item in ask(socket, Request(Ask.EVENTS)):
            click.echo(json.dumps(item, separators=(",", ":")))
    except KeyboardInterrupt:
        return
