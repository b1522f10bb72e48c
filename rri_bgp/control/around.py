"""What will be around once a controller has taken another configuration: what it knows, and a look of our own.

The look is for what only the new configuration names: host names, redundancy groups, VRFs. It is taken on the machine
that this runs on, which is the controller's: the control socket is a local one.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from rri_bgp.control.views.state import State
from rri_bgp.model import Address
from rri_bgp.policy import Config
from rri_bgp.rri.surroundings import Surroundings
from rri_bgp.surroundings import look_now
from rri_bgp.surroundings.resolver import resolve

__all__ = ["around"]


def around(state: State, running: Config, config: Config) -> Surroundings:
    """The surroundings under ``config``, of a controller in this state under ``running``. May block, for seconds."""
    known, groups = state.surroundings, config.policy.groups
    others = {name for name in groups if _group(config, name) != _group(running, name)}
    names = {name: known.names[name] for name in config.names if name in known.names}
    names.update(_resolved(sorted(config.names - running.names)))
    held, networks = known.held & (groups.keys() - others), known.networks
    if state.looks and (others or config.policy.vrfs != running.policy.vrfs):
        look = look_now(config.policy)
        held |= look.held & others
        networks = look.networks if known.addresses else networks  # none are known: it goes by recordings alone
    return replace(known, held=held, networks=networks, names=names)


def _group(config: Config, name: str) -> tuple[object, object]:
    """What decides who holds a group."""
    return config.policy.groups.get(name), config.groups.get(name)


def _resolved(names: list[str]) -> dict[str, tuple[Address, ...]]:
    if not names:
        return {}
    with ThreadPoolExecutor(len(names)) as pool:
        found = dict(zip(names, pool.map(_lookup, names), strict=True))
    return {name: addresses for name, addresses in found.items() if addresses}


def _lookup(name: str) -> tuple[Address, ...]:
    """As the controller keeps them: the lowest first."""
    with contextlib.suppress(OSError):
        return tuple(sorted(resolve(name), key=lambda one: (one.version, int(one))))
    return ()
