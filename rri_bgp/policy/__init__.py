"""From the YAML file to a checked configuration. ``load`` is the only way in; errors carry line and column."""

from rri_bgp.policy.config import (
    Config,
    ControlSettings,
    ExabgpSettings,
    HandOffSettings,
    KernelSettings,
    NotifySettings,
    OnExit,
    ReplaySettings,
    ResolveSettings,
    SourceSettings,
    Unresolved,
    ViciSettings,
    XfrmSettings,
)
from rri_bgp.policy.load import load

__all__ = [
    "Config",
    "ControlSettings",
    "ExabgpSettings",
    "HandOffSettings",
    "KernelSettings",
    "NotifySettings",
    "OnExit",
    "ReplaySettings",
    "ResolveSettings",
    "SourceSettings",
    "Unresolved",
    "ViciSettings",
    "XfrmSettings",
    "load",
]
