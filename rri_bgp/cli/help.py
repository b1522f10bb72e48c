"""``rri-bgp help``: what a policy file may hold."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rri_bgp.policy.keys import Key

__all__ = ["help"]

_WIDTH = 100


@click.group()
def help() -> None:  # noqa: A001  # the verb's name
    """What a policy file may hold: a key at a time, or as a JSON Schema."""


@help.command()
@click.argument("path", default="")
@click.option("--all", "is_all", is_flag=True, help="Every key below it too, not only the next ones.")
def config(path: str, is_all: bool) -> None:
    """Describe the key at PATH: type, what is allowed, default, rules, and the keys below it.

    \b
      rri-bgp help config
      rri-bgp help config crypto-maps.entries.guard
      rri-bgp help config 'crypto-maps.internet.entries[0].guard.allow'      as an error writes it

    Names and list indices may be left out. The rules are in docs/reference/rules.md.

    Exit code 0: described. 2: there is no such key.
    """
    from rri_bgp.policy.keys import find  # noqa: PLC0415  # slow to import, and `--help` does without

    for line in _described(find(path), is_all):
        click.echo(line)


@help.command()
def schema() -> None:
    """Print the JSON Schema of policy files, for editors and for CI.

    \b
      rri-bgp help schema > policy.schema.json
    and in the first line of a policy file:
      # yaml-language-server: $schema=policy.schema.json
    """
    from rri_bgp.policy.json_schema import schema_text  # noqa: PLC0415  # slow to import, and `--help` does without

    click.echo(schema_text(), nl=False)


def _described(key: Key, is_all: bool) -> list[str]:
    lines = []
    if key.path:
        facts = {"KEY": key.path, "TYPE": key.kind, "ALLOWED": key.allowed, "DEFAULT": key.default, "RULES": key.rules}
        for name, value in facts.items():
            if value:
                lines += textwrap.wrap(
                    _plain(value), _WIDTH, initial_indent=f"{name + ':':<10}", subsequent_indent=" " * 10
                )
        lines += ["", *textwrap.wrap(_plain(key.about), _WIDTH)]
    if key.model is not None and key.path and key.model.__doc__:
        lines += ["", *textwrap.wrap(_plain(key.model.__doc__), _WIDTH)]
    if key.children:
        lines += [""] if lines else []
        lines += ["KEYS:", *_listed(key, is_all, "  ")]
    return lines


def _listed(key: Key, is_all: bool, indent: str) -> list[str]:
    lines = []
    for child in key.children:
        is_required = " -required-" if child.default == "required" else ""
        rules = f"  ({child.rules})" if child.rules else ""
        lines.append(f"{indent}{child.name}  <{child.kind}>{is_required}{rules}")
        if is_all:
            lines += _listed(child, is_all, f"{indent}  ")
        else:
            about = textwrap.wrap(_plain(child.about), _WIDTH, initial_indent="      ", subsequent_indent="      ")
            lines += [*about, ""]
    return lines if is_all or not lines else lines[:-1]


def _plain(text: str) -> str:
    """Without the marks of the reference's pages."""
    return text.replace("`", "")
