"""The kernel tier: what needs ESP in the kernel, and root. ``lab/kernel-tier`` runs it, and says on which kernel."""

from __future__ import annotations

import os

import pytest

_TIER = os.environ.get("RRI_BGP_KERNEL_TIER", "")


def pytest_report_header() -> str:
    """Names the tier."""
    return f"kernel tier: {_TIER or 'none'}"


@pytest.fixture(autouse=True, scope="session")
def tier() -> str:
    """These tests flush every SA and policy there is: never those of the machine itself."""
    if not _TIER:
        pytest.fail("these tests want a network namespace of their own: make test-kernel")
    return _TIER
