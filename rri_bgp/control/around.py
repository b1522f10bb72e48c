"""What will be around once a controller has taken another configuration: what it knows, and a look of our own.

The look is for what only the new configuration names: host names, redundancy groups, VRFs. It is taken on the machine
that this runs on, which is the controller's: the control socket is a local one.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from rri_bgp.model import Address
from rri_bgp.policy import Config
from rri_bgp.rri.surroundings import Surroundings
from rri_bgp.surroundings import look_now
from rri_bgp.surroundings.resolver import resolve

__all__ = ["around"]


def around(known: Surroundings, running: Config, config: Config) -> Surroundings:
    """The surroundings under ``config``, where they are ``known`` under ``running``. May block, for seconds."""
    names = {name: known.names[name] for name in config.names if name in known.names}
    names.update(_resolved(sorted(config.names - running.names)))
    found = replace(known, names=names)
    others = {name for name in config.policy.groups if _group(config, name) != _group(running, name)}
    found = replace(found, held=(known.held & config.policy.groups.keys()) - others)
    if not (known.addresses or known.networks):  # the controller cannot see either
        return found
    if others or config.policy.vrfs != running.policy.vrfs:
        look = look_now(config.policy)
        found = replace(found, networks=look.networks, held=found.held | (look.held & others))
    return found


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
