"""What an FRR upstream has, compared with what the controller wants: the library of ``rri-bgp inspect``.

``source`` has vtysh run, here or in a container; ``frr`` reads what it prints; ``compare`` finds the differences. Only
``source`` does I/O. Nothing here changes the router.
"""

from __future__ import annotations

from rri_bgp.inspect.compare import Difference, DifferenceKind, Given, WantedPath, compare
from rri_bgp.inspect.frr import Sessions, UpstreamPath, UpstreamRoute, UpstreamTable, VpnPrefix
from rri_bgp.inspect.source import ContainerVtysh, LocalVtysh, Upstream, parse_upstream, read

__all__ = [
    "ContainerVtysh",
    "Difference",
    "DifferenceKind",
    "Given",
    "LocalVtysh",
    "Sessions",
    "Upstream",
    "UpstreamPath",
    "UpstreamRoute",
    "UpstreamTable",
    "VpnPrefix",
    "WantedPath",
    "compare",
    "parse_upstream",
    "read",
]
