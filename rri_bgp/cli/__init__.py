"""The command line: one file per verb, imported when it is called."""

__all__ = ["main"]


def main() -> None:
    """Entry point of ``rri-bgp``."""
    raise SystemExit("not yet")
