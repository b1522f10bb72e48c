"""What upstream may hear of: what the kernel has (rules G3, N7).

Rules of this file: pure. A destination is shut until its kernel route is there, whoever asks for it and why; drift that
is repaired does not shut it again. Flows have no place in the kernel and always pass.
"""

from __future__ import annotations

from collections.abc import Collection

from rri_bgp.model import Destination, FlowRule, Path, Route, vrf_of
from rri_bgp.rri.entries import Policy
from rri_bgp.sinks import Wanted

__all__ = ["Gate"]


class Gate:
    """The RIB as upstream may know it. See ``rri_bgp.sinks.Wanted``."""

    def __init__(self, rib: Wanted) -> None:
        self._rib = rib
        self._open: set[Destination] = set()
        self._moved: dict[Destination, None] = {}

    # -- for those who announce --------------------------------------------------------------------------------------

    @property
    def policy(self) -> Policy:
        """See ``Wanted``."""
        return self._rib.policy

    def path(self, destination: Destination, /) -> Path | None:
        """See ``Wanted``."""
        return self._rib.path(destination) if self.is_open(destination) else None

    def paths(self, destination: Destination, /) -> tuple[Path, ...]:
        """See ``Wanted``."""
        return self._rib.paths(destination) if self.is_open(destination) else ()

    def route(self, destination: Destination, /) -> Route | None:
        """See ``Wanted``."""
        return self._rib.route(destination) if self.is_open(destination) else None

    def destinations(self) -> Collection[Destination]:
        """See ``Wanted``."""
        return [one for one in self._rib.destinations() if self.is_open(one)]

    # -- for the one who has the kernel ------------------------------------------------------------------------------

    def is_open(self, destination: Destination) -> bool:
        """Whether upstream may hear of it."""
        return destination in self._open or isinstance(destination, FlowRule)

    def open(self, destination: Destination) -> None:
        """Its kernel route is there."""
        if destination not in self._open:
            self._open.add(destination)
            self._moved[destination] = None

    def shut(self, destination: Destination) -> None:
        """It is not, or traffic does not take it."""
        if destination in self._open:
            self._open.discard(destination)
            self._moved[destination] = None

    def forget(self, vrfs: Collection[str]) -> None:
        """The policy has these VRFs no more; where it has one again, that is another one."""
        if vrfs:
            self._open = {one for one in self._open if vrf_of(one) not in vrfs}

    def take_moved(self) -> Collection[Destination]:
        """Those that were opened or shut since, each once."""
        moved, self._moved = self._moved, {}
        return moved
