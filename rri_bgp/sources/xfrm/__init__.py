"""The kernel as a source of SA state, over NETLINK_XFRM: any IKE daemon, or keys set by hand.

``wire.py`` is what a datagram says, ``table.py`` what SAs and policies there are and which pairs of SAs they make,
``sockets.py`` how the kernel is asked, ``source.py`` in which order.
"""

from rri_bgp.sources.xfrm.source import XfrmSource

__all__ = ["XfrmSource"]
