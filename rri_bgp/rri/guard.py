"""What a remote peer proposes and nobody believes without being told to (rules E10, E11, G1).

A peer chooses its own traffic selectors. What stands here is the safe default; the settings that relax it
(``allow-default``, ``port-proxies``, ``guard``) belong here too once they exist.
"""

from __future__ import annotations

from rri_bgp.model import Prefix, Refusal, SaPair, TrafficSelector

__all__ = ["refuse_prefix", "refuse_selector"]

_NEVER_ROUTED = tuple(
    (Prefix.parse(text), what)
    for text, what in (
        ("0.0.0.0/8", "unspecified"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("224.0.0.0/4", "multicast"),
        ("255.255.255.255/32", "broadcast"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("fe80::/10", "link-local"),
        ("ff00::/8", "multicast"),
    )
)

_BOUNDS = {
    version: tuple((p.network, p.last, p, what) for p, what in _NEVER_ROUTED if p.version == version)
    for version in (4, 6)
}
"""The same by IP version, with both ends computed: every prefix of every SA passes here."""


def refuse_selector(sa: SaPair, selector: TrafficSelector) -> Refusal | None:
    """Why no prefix of this selector may become a route, or None (rule E11)."""
    if selector.whole:
        return None
    return Refusal(sa.key, None, "E11", f"{selector} is limited to a protocol or port")


def refuse_prefix(sa: SaPair, prefix: Prefix) -> Refusal | None:
    """Why this remote prefix may not become a route, or None (rules E10, G1)."""
    if prefix.length == 0:
        return Refusal(sa.key, prefix, "E10", f"{prefix} would be a default route")
    first, last = prefix.network, prefix.last
    for low, high, reserved, what in _BOUNDS[prefix.version]:
        if first <= high and last >= low:
            return Refusal(sa.key, prefix, "G1", f"{prefix} is or holds {what} addresses ({reserved})")
    if prefix.has_address(sa.peer):
        return Refusal(sa.key, prefix, "G1", f"{prefix} covers the peer's own address {sa.peer}")
    return None
