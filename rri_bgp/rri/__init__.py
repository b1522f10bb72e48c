"""The heart: which routes exist, where they point, and why. Pure: values in, values out.

``entries`` is the policy as the core sees it and ``surroundings`` the machine around it. ``match`` finds an SA's map
entry, ``routes`` turns an owner into claims (with ``guard``, ``fence``, ``acl``, ``paths`` and ``ages``), ``limits``
counts them, ``rib`` keeps who wants what and ``best`` says what that comes to; ``scratch`` is the same in one go.
``kernel`` says which kernel routes are meant, ``explain`` tells the story; who wants these two asks them by name.
"""

from rri_bgp.rri.entries import EntryKind, MapEntry, Policy
from rri_bgp.rri.rib import Rib
from rri_bgp.rri.scratch import routes_from_scratch
from rri_bgp.rri.surroundings import Surroundings

__all__ = ["EntryKind", "MapEntry", "Policy", "Rib", "Surroundings", "routes_from_scratch"]
