"""Text that others chose: names and identities that a peer sends."""

from __future__ import annotations

__all__ = ["plain"]


def plain(text: str, limit: int = 256) -> str:
    """Without control characters, and short: it goes to terminals and logs."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:limit])
