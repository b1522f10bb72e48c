"""What the source may do is what its user may: CAP_NET_ADMIN is enough, and without it nothing breaks."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.gateways import run

_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that anybody may write to."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.mark.parametrize("what", ["lost", "snapshot"])
def test_a_user_with_and_without_the_right(folder: Path, what: str) -> None:
    """Nobody, and nobody with CAP_NET_ADMIN, records the kernel's SAs."""
    rights = ("--inh-caps=+net_admin", "--ambient-caps=+net_admin") if what == "snapshot" else ()
    file = folder / "history.jsonl"
    run(*_NOBODY, *rights, sys.executable, "-m", "rri_bgp", "record", str(file), "--xfrm", "--seconds", "0.3")
    _, first, *_ = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
    wanted = "xfrm: cannot read the kernel's SAs: Operation not permitted; it takes CAP_NET_ADMIN"
    assert first[what] == ([] if what == "snapshot" else wanted)
