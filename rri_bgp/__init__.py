"""Reverse route injection for Linux VPN gateways, over BGP.

Data flows one way, and the folders are named for it: ``sources`` tell which SAs exist, ``rri`` (the pure core)
turns them into routes as ``policy`` says, ``sinks`` make the world agree. ``controller`` joins the three.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
