"""``rri-bgp completion``: the shell's part of completion."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

__all__ = ["completion"]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what SHELL needs to complete verbs and options.

    \b
      bash:  rri-bgp completion bash > /etc/bash_completion.d/rri-bgp
      zsh:   rri-bgp completion zsh > /usr/share/zsh/site-functions/_rri-bgp
      fish:  rri-bgp completion fish > ~/.config/fish/completions/rri-bgp.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101  # the three of the choice above
    click.echo(kind(ctx.find_root().command, {}, "rri-bgp", "_RRI_BGP_COMPLETE").source())
