"""What the machine around us is like: one look at it. ``lookout`` keeps the core's ``Surroundings`` up to date."""

from __future__ import annotations

from rri_bgp.surroundings.look import look_now
from rri_bgp.surroundings.neighbors import neighbors_of

__all__ = ["look_now", "neighbors_of"]
