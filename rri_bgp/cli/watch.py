"""``rri-bgp watch``: what happens, for people, as it does."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import click

from rri_bgp.cli.news import News
from rri_bgp.cli.options import say, socket_option
from rri_bgp.cli.picture import Picture
from rri_bgp.control.client import ask
from rri_bgp.control.protocol import Ask, Request
from rri_bgp.errors import RriError

__all__ = ["watch"]

_PERIOD = 0.25
"""Seconds between two pictures."""


@click.command()
@socket_option
def watch(socket: Path) -> None:
    """A live view: tunnels, routes, sinks, the last changes; until Ctrl-C.

    Into a file or a pipe it is a line for each change, and nothing as long as nothing changes.

    Exit code 2: no controller answers, or it has ended.
    """
    try:
        if sys.stdout.isatty():
            _draw(socket)
        else:
            _write(socket)
    except KeyboardInterrupt:
        return


def _write(socket: Path) -> None:
    news = News()
    for item in ask(socket, Request(Ask.EVENTS)):
        for line in news.take(item):
            say(f"{time.strftime('%H:%M:%S', time.localtime(item['time']))}  {line}")


def _draw(socket: Path) -> None:
    from rich.console import Console  # noqa: PLC0415  # slow to import, and not needed into a pipe
    from rich.live import Live  # noqa: PLC0415

    console, reader = Console(highlight=False), _Reader(socket)
    reader.start()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while reader.is_alive():
            with reader.lock:
                picture = reader.picture.draw(console.height)
            live.update(picture, refresh=True)
            reader.join(_PERIOD)
    if reader.error is not None:
        raise reader.error


class _Reader(threading.Thread):
    """Reads events into a picture: they come when they come, and it is drawn when it is time."""

    def __init__(self, socket: Path) -> None:
        super().__init__(daemon=True)  # does not keep the program from ending
        self._socket = socket
        self.lock = threading.Lock()
        self.picture = Picture()
        self.error: RriError | None = None

    def run(self) -> None:
        """Until the controller ends."""
        try:
            for item in ask(self._socket, Request(Ask.EVENTS)):
                with self.lock:
                    self.picture.take(item)
        except RriError as error:
            self.error = error
