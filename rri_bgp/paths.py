"""Where things lie unless the policy or an option says otherwise. Imports nothing: every verb of the CLI reads it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["CONTROL_SOCKET", "EXABGP_SOCKET", "VICI_SOCKET"]

VICI_SOCKET = Path("/run/charon.vici")
"""charon's."""

CONTROL_SOCKET = Path("/run/rri-bgp/control.sock")
"""The controller's, for questions."""

EXABGP_SOCKET = Path("/run/rri-bgp/exabgp.sock")
"""Where a relay looks for the controller."""
