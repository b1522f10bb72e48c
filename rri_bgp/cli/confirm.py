"""``rri-bgp confirm``: the policy of ``reload --confirm`` is good."""

from __future__ import annotations

from pathlib import Path

import click

from rri_bgp.cli.options import as_json, print_json, say, socket_option
from rri_bgp.control.client import ask_one
from rri_bgp.control.protocol import Ask, Request

__all__ = ["confirm"]


@click.command()
@socket_option
@as_json
def confirm(socket: Path, is_json: bool) -> None:
    """Keep the policy that `rri-bgp reload --confirm SECONDS` took: it is good, and does not go back.

    Exit code 0: it is kept. 2: no policy waits for that, or no controller answers.
    """
    item = ask_one(socket, Request(Ask.CONFIRM))
    if is_json:
        print_json(item)
    else:
        say(f"{item['file']} is confirmed")
