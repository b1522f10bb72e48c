"""strongSwan over VICI.

``wire.py`` is the protocol, ``sas.py`` and ``selectors.py`` what charon says in it, ``table.py``
what is known and what to ask next, ``client.py`` a connection, ``source.py`` the source.
"""

from rri_bgp.sources.vici.source import ViciSource

__all__ = ["ViciSource"]
