"""What several verbs share: options, and how tables and JSON are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from rri_bgp.control.protocol import SCHEMA
from rri_bgp.paths import CONTROL_SOCKET

__all__ = ["as_json", "plain", "print_json", "print_table", "say", "socket_option", "warn"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def socket_option(command: _Command) -> _Command:
    """``--socket``: the controller's control socket."""
    return click.option(
        "--socket",
        type=click.Path(path_type=Path),
        default=CONTROL_SOCKET,
        show_default=True,
        envvar="RRI_BGP_SOCKET",
        help="The controller's control socket; also from RRI_BGP_SOCKET.",
    )(command)


def as_json(command: _Command) -> _Command:
    """``--json``: for programs."""
    return click.option("--json", "is_json", is_flag=True, help="For programs: docs/reference/json.md.")(command)


def print_json(document: dict[str, Any]) -> None:
    """One versioned JSON document on stdout."""
    click.echo(json.dumps({"schema": SCHEMA, **document}, indent=2))


def say(line: str, *, is_error: bool = False) -> None:
    """A line for people, without what a terminal would act on: some of it may be a peer's words."""
    click.echo(plain(line), err=is_error)


def warn(warnings: Iterable[str]) -> None:
    """Warnings of a policy, as ``check`` has them."""
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)


def plain(text: str) -> str:
    """A text without what a terminal would act on."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def print_table(columns: Iterable[str], rows: Iterable[Iterable[str]], empty: str) -> None:
    """A table for people: cut to a terminal's width, and whole lines where it goes into a file or a pipe."""
    cells = [[plain(cell) for cell in row] for row in rows]
    if not cells:
        click.echo(empty)
    elif sys.stdout.isatty():
        _print_on_terminal(columns, cells)
    else:
        widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
        for row in (tuple(columns), *cells):
            click.echo("  ".join(map(str.ljust, row, widths)).rstrip())


def _print_on_terminal(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415  # slow to import, and not needed for --json
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        # Text and not str: brackets in a peer's identity are no markup.
        table.add_row(*map(Text, row))
    Console(highlight=False).print(table)
