"""The heart: which routes exist, where they point, and why. Pure: values in, values out.

``entries`` is the policy as the core sees it, ``match`` finds an SA's map entry, ``guard`` says what is never believed,
``routes`` turns one SA pair into claims, ``rib`` keeps the best claim per prefix, ``explain`` tells the story.
"""

from rri_bgp.rri.entries import EntryKind, MapEntry, Policy
from rri_bgp.rri.explain import Explanation, explain
from rri_bgp.rri.rib import Rib, routes_from_scratch

__all__ = ["EntryKind", "Explanation", "MapEntry", "Policy", "Rib", "explain", "routes_from_scratch"]
