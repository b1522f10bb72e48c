"""``rri-bgp reload``: has the running controller take a policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rri_bgp.cli.changes import change_lines, counted
from rri_bgp.cli.options import as_json, print_json, say, socket_option, warn
from rri_bgp.control.client import ask
from rri_bgp.control.protocol import Ask, Request

__all__ = ["reload"]

Item = dict[str, Any]


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--confirm", type=click.FloatRange(min=0, min_open=True, max=1_000_000), metavar="SECONDS",
              help="Go back to the last good policy unless `rri-bgp confirm` comes in that time.")  # fmt: skip
@click.option("--verbose", "-v", is_flag=True, help="Each route that changed, as `rri-bgp plan` shows it.")
@socket_option
@as_json
def reload(file: Path | None, confirm: float | None, verbose: bool, socket: Path, is_json: bool) -> None:
    """Take a policy while the controller runs, as one change: only differences go out, withdraws last.

    Without FILE it is the file that the controller was started with, as SIGHUP does. Another FILE is taken until the
    next reload or start, and the controller must be able to read it.

    `sources`, `resolve`, `sinks` and `control` are taken at the next start only; it says so where they differ. A policy
    with mistakes is not taken. While one waits for `confirm`, a reload without --confirm is refused, and one
    with it takes its place: both go back to the same last good policy.

    Exit code 0: it is taken. 2: it is not; the one before it holds.
    """
    arguments: dict[str, str | float] = {}
    if file is not None:
        arguments["file"] = str(_checked(file))
    if confirm is not None:
        arguments["confirm"] = confirm
    changes: list[Item] = []
    report: Item = {}
    for item in ask(socket, Request(Ask.RELOAD, arguments)):
        if "change" in item:
            changes.append(item["change"])
        else:
            report = item
    if is_json:
        print_json({**report, "changes": changes})
        return
    warn(report["warnings"])
    for line in change_lines(changes) if verbose else ():
        say(line)
    for line in _report(report):
        say(line)


def _checked(file: Path) -> Path:
    """Its absolute path; here its mistakes are shown with their lines."""
    from rri_bgp.policy import load  # noqa: PLC0415  # slow to import, and not needed without a file

    load(file)
    return file.absolute()


def _report(report: Item) -> list[str]:
    lines = [f"{report['file']} is taken: {counted(report)}"]
    if report["later"]:
        lines.append(f"taken at the next start only: {', '.join(report['later'])}")
    if report["confirm"] is not None:
        lines.append(f"the policy before it comes back in {report['confirm']:g} s unless you say: rri-bgp confirm")
    return lines
