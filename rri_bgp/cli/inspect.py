"""``rri-bgp inspect``: does the upstream router have exactly what the controller wants?"""

from __future__ import annotations

import ipaddress
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path as File

import click

from rri_bgp.cli.options import as_json, print_json, print_table, socket_option
from rri_bgp.control.client import ask, ask_one
from rri_bgp.control.protocol import Ask, Request
from rri_bgp.errors import UnreachableError, UsageError
from rri_bgp.inspect import Difference, Upstream, compare, parse_upstream, read
from rri_bgp.inspect.given import Session, given, sessions_of, sessions_with
from rri_bgp.model import Address

__all__ = ["inspect"]

_AGAIN = 0.5
"""Seconds between two looks: a change needs some 100 ms to arrive, and looking is not free for the router."""


@dataclass(frozen=True, slots=True)
class _Found:
    wanted: int
    differences: tuple[Difference, ...]


@click.command()
@socket_option
@click.option("--upstream", default="local", show_default=True, help="Where FRR runs: local, or container:NAME.")
@click.option(
    "--neighbor",
    "neighbors",
    multiple=True,
    metavar="ADDRESS",
    help="Our address in the session, as the upstream names its neighbor; from the controller otherwise.",
)
@click.option("--wait", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS", help="Look until equal, so long.")
@as_json
def inspect(socket: File, upstream: str, neighbors: tuple[str, ...], wait: float, is_json: bool) -> None:
    """Compare what the controller wants with what an FRR upstream has, prefix by prefix.

    \b
      missing         wanted, and no path of ours is there
      stale           a path of ours that nobody wants
      wrong next hop  it points elsewhere
      wrong tag       a wanted community is not on it (standard, large, route target)
      wrong MED       its MED is another
      not best        another path was preferred
      not installed   best, but not in the FIB with its next hop resolved

    It looks at the sessions that this router has with us, and at what the policy gives it there: plain routes, several
    paths (overlap: ecmp), VPN routes, FlowSpec rules.

    It reads `vtysh -c 'show …'`, changes nothing, and tells only what two looks in a row agree on.

    Exit code 0: equal. 1: differences, in a table. 2: cannot look.
    """
    router, ours = parse_upstream(upstream), _addresses(neighbors)
    found = _look_until_equal(socket, router, ours, time.monotonic() + wait)
    if is_json:
        _print_json(router, found)
    else:
        _print(router, found)
    sys.exit(1 if found.differences else 0)


def _addresses(texts: Collection[str]) -> tuple[Address, ...]:
    try:
        return tuple(ipaddress.ip_address(text) for text in texts)
    except ValueError as error:
        raise UsageError(f"{error}; allowed: an address", where="--neighbor") from None


def _look_until_equal(socket: File, router: Upstream, ours: Collection[Address], deadline: float) -> _Found:
    before: _Found | None = None
    while True:
        found: _Found | UnreachableError
        try:
            found = _look(socket, router, ours)
        except UnreachableError as error:
            found = error
        is_over = time.monotonic() >= deadline
        if isinstance(found, UnreachableError):
            if is_over:
                raise found
        elif not found.differences:
            return found
        elif is_over and before is not None:
            return replace(found, differences=tuple(one for one in found.differences if one in before.differences))
        before = None if isinstance(found, UnreachableError) else found
        time.sleep(_AGAIN)


def _look(socket: File, router: Upstream, ours: Collection[Address]) -> _Found:
    routes = list(ask(socket, Request(Ask.ROUTES)))
    table = read(router)
    sessions = sessions_with(_our_sessions(socket, ours), table)
    wanted = given(routes, sessions, table)
    return _Found(len({key for keys in wanted.values() for key in keys}), compare(wanted, table))


def _our_sessions(socket: File, named: Collection[Address]) -> tuple[Session, ...]:
    """Those that the controller knows; where some are named those alone, also ones that it does not know."""
    found = sessions_of(ask_one(socket, Request(Ask.STATUS)))
    if named:
        known = {session.local: session for session in found}
        return tuple(known.get(address, Session(address)) for address in named)
    if not found:
        hint = "`rri-bgp show status` says whether ExaBGP answers; `--neighbor ADDRESS` names our address"
        raise UnreachableError("the controller knows of no BGP neighbor yet", where=str(socket), hint=hint)
    return found


def _print(router: Upstream, found: _Found) -> None:
    routes = f"{found.wanted} wanted {'route' if found.wanted == 1 else 'routes'}"
    if not found.differences:
        click.echo(f"equal: {router.where} has exactly the {routes}: next hop, tag, best, installed")
        return
    rows = ((str(one.prefix), one.kind.value, one.wanted, one.found) for one in found.differences)
    print_table(("PREFIX", "DIFFERENCE", "WANTED", "FOUND"), rows, "")
    count = len(found.differences)
    click.echo(f"{count} {'difference' if count == 1 else 'differences'} between {router.where} and the {routes}")


def _print_json(router: Upstream, found: _Found) -> None:
    print_json({
        "upstream": router.where,
        "equal": not found.differences,
        "wanted": found.wanted,
        "differences": [
            {"prefix": str(one.prefix), "kind": one.kind.value, "wanted": one.wanted, "found": one.found}
            for one in found.differences
        ],
    })  # fmt: skip
