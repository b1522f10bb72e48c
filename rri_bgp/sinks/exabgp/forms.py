"""The forms in which destinations go to ExaBGP: plain prefixes, VPN prefixes, flows.

Rules of this file: values only. What one command carries is of one form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from rri_bgp.model import Destination, FlowRule, Prefix, prefix_of, vrf_of

__all__ = ["FAMILIES", "MAX_NLRI", "PLAIN", "Form", "Key", "Numbered", "destination_of", "form_of"]

MAX_NLRI = 49
"""ExaBGP works 50 steps a turn; a grouped command costs one a prefix and one to finish."""


@dataclass(frozen=True, slots=True)
class Form:
    """How some destinations are written, besides their path.

    ``rd`` and ``label`` make VPN routes (RFC 4364), ``rd`` alone VPN flows; ``path_id`` is add-path's (RFC 7911 §3).
    """

    version: int
    rd: str = ""
    label: int = 0
    is_flow: bool = False
    path_id: int | None = None
    family: str = field(init=False, compare=False)
    """The address family, as ExaBGP names it."""
    most: int = field(init=False, compare=False)
    """How many destinations one command may carry. ExaBGP has no grouped form for flows."""
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        kind = ("flow-vpn" if self.rd else "flow") if self.is_flow else ("mpls-vpn" if self.rd else "unicast")
        object.__setattr__(self, "family", f"ipv{self.version} {kind}")
        object.__setattr__(self, "most", 1 if self.is_flow else MAX_NLRI)
        object.__setattr__(self, "_hash", hash((self.version, self.rd, self.label, self.is_flow, self.path_id)))

    def __hash__(self) -> int:
        return self._hash


PLAIN = {4: Form(4), 6: Form(6)}


class Numbered(NamedTuple):
    """One of several paths of a destination, told apart by its path identifier (RFC 7911)."""

    destination: Destination
    path_id: int

    def __str__(self) -> str:
        return f"{self.destination} path {self.path_id}"


Key = Destination | Numbered
"""What ExaBGP holds one path for, towards a neighbour."""


def destination_of(key: Key) -> Destination:
    """The destination of a key."""
    return key.destination if isinstance(key, Numbered) else key


@lru_cache(maxsize=4096)
def _form(version: int, rd: str, label: int, is_flow: bool, path_id: int | None) -> Form:
    return Form(version, rd, label, is_flow, path_id)


def form_of(key: Key, labels: Mapping[str, int] = MappingProxyType({})) -> Form:
    """The form of a key. Its VRF, where it has one, is a route distinguisher here; ``labels`` are by that."""
    if isinstance(key, Prefix):
        return PLAIN[key.version]
    path_id = None
    if isinstance(key, Numbered):
        key, path_id = key
    rd, is_flow = vrf_of(key), isinstance(key, FlowRule)
    return _form(prefix_of(key).version, rd, 0 if is_flow else labels.get(rd, 0), is_flow, path_id)


FAMILIES = tuple(
    Form(version, rd, is_flow=is_flow).family for is_flow in (False, True) for rd in ("", "0:0") for version in (4, 6)
)
"""All address families that we send."""
