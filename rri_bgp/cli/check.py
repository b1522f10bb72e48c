"""``rri-bgp check``: is a policy file right, and is it meant?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rri_bgp.cli.options import as_json, print_json, say
from rri_bgp.errors import PolicyError, PolicyErrors

if TYPE_CHECKING:
    from rri_bgp.policy import Config

__all__ = ["check"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Warnings count too.")
@click.option("--elsewhere", is_flag=True, help="The policy is for another machine: do not compare it with this one's.")
@as_json
def check(file: Path, strict: bool, elsewhere: bool, is_json: bool) -> None:
    """Read the policy FILE as `run` would, and say all that is wrong with it; nothing else happens.

    Each mistake is shown with its line, column, a caret and a hint. Every key is in docs/reference/policy.md.

    Warnings are of what is right and can hardly be meant: entries that no SA reaches or that overlap, lines of access
    lists that never match, static routes that their own guard refuses, tags that upstream cannot tell apart, names that
    nobody uses, and next hops that are no address of this machine.

    Exit code 0: it is right, warnings or not. 1: it is right, with warnings, and --strict. 2: it is not right.
    """
    from rri_bgp.policy import load  # noqa: PLC0415  # slow to import, and `--help` does without

    try:
        config = load(file)
    except PolicyError as error:
        if not is_json:
            raise
        print_json({"file": str(file), "right": False, "errors": _errors(error), "warnings": []})
        sys.exit(2)
    warnings = sorted((*config.warnings, *_more_warnings(config, elsewhere)), key=lambda text: _line(text, file))
    entries, maps = len(config.policy.entries), len({entry.map_name for entry in config.policy.entries})
    if is_json:
        found = {"file": str(file), "right": True, "errors": [], "warnings": warnings}
        print_json({**found, "maps": maps, "entries": entries})
    else:
        for warning in warnings:
            say(f"warning: {warning}", is_error=True)
        what = f"{maps} crypto {_plural(maps, 'map')}, {entries} {_plural(entries, 'entry', 'entries')}"
        click.echo(f"{file}: right; {what}")
    sys.exit(1 if strict and warnings else 0)


def _more_warnings(config: Config, elsewhere: bool) -> tuple[str, ...]:
    from rri_bgp.policy.lint import lint, lint_here  # noqa: PLC0415
    from rri_bgp.surroundings import look_now  # noqa: PLC0415

    return lint(config) if elsewhere else lint_here(config, look_now(config.policy))


def _line(warning: str, file: Path) -> int:
    """The line that a warning is of, 0 where it is of the whole file."""
    number = warning.removeprefix(f"{file}:").partition(":")[0]
    return int(number) if number.isdecimal() else 0


def _errors(error: PolicyError) -> list[dict[str, str]]:
    found = error.errors if isinstance(error, PolicyErrors) else (error,)
    return [{"where": one.where, "what": one.what, "hint": one.hint} for one in found]


def _plural(count: int, one: str, many: str = "") -> str:
    return one if count == 1 else many or f"{one}s"
