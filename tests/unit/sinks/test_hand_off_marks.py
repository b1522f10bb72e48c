"""What a tag is in the hand-off table."""

from __future__ import annotations

import pytest

from rri_bgp.sinks.handoff.marks import BLACKHOLE, PROHIBIT, UNREACHABLE, Mark, mark_of


@pytest.mark.parametrize(
    ("tag", "mark"),
    [
        (None, Mark(UNREACHABLE, 4294967295)),
        (0, Mark(PROHIBIT, 4294967294)),
        (1, Mark(BLACKHOLE, 1)),
        (1024, Mark(BLACKHOLE, 1024)),
        (4294967294, Mark(BLACKHOLE, 4294967294)),
        (4294967295, Mark(BLACKHOLE, 4294967295)),
    ],
)
def test_n8_every_tag_has_a_mark_of_its_own(tag: int | None, mark: Mark) -> None:
    assert mark_of(tag) == mark
    assert mark_of(tag) is mark_of(tag), "one value for all routes"


def test_n8_no_mark_has_the_metric_that_ipv6_cannot_have() -> None:
    tags = [None, *range(3), 2**16, 2**32 - 2, 2**32 - 1]
    assert all(mark_of(tag).metric for tag in tags)
    assert len({mark_of(tag) for tag in tags}) == len(tags)
