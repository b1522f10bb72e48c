"""``rri-bgp check``: is a policy file right?"""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["check"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Read the policy FILE as `run` would, and say all that is wrong with it; nothing else happens.

    Each mistake is shown with its line, column, a caret and a hint. Every key is in docs/reference/policy.md.

    Exit code 0: it is right, warnings or not. 2: it is not.
    """
    from rri_bgp.policy import load  # noqa: PLC0415  # slow to import, and `--help` does without

    config = load(file)
    for warning in config.warnings:
        click.echo(f"warning: {warning}", err=True)
    entries = len(config.policy.entries)
    maps = len({entry.map_name for entry in config.policy.entries})
    click.echo(f"{file}: right; {maps} crypto {_plural(maps, 'map')}, {entries} {_plural(entries, 'entry', 'entries')}")


def _plural(count: int, one: str, many: str = "") -> str:
    return one if count == 1 else many or f"{one}s"
