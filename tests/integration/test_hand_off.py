"""The hand-off table in the real kernel: many routes, and what others do to it while nobody looks."""

from __future__ import annotations

from tests.integration.netns import Namespace, namespace

MANY = 5000


async def table(made: Namespace) -> list[str]:
    return await made.route_lines("route", "show", "table", "4242")


async def whole(made: Namespace) -> None:
    """Waits until it has handed off everything and has nothing to do."""
    await made.until(lambda said: said["ready"] and said["confirmed"] == MANY and not said["pending"])


async def test_g6_g7_a_table_that_others_fill_and_empty_ends_exact() -> None:
    """More events than a buffer holds while it stands still: what was lost is read."""
    async with namespace("tests.integration.hand_off", str(MANY), rights="net_admin") as made:
        await whole(made)
        assert made.said["capabilities"] == 1 << 12, "CAP_NET_ADMIN and nothing else"
        assert len(await table(made)) == MANY
        readings = made.said["readings"]
        made.pause()
        await made.run("ip", "route", "flush", "table", "4242")
        strange = [f"blackhole 172.16.{number >> 8}.{number & 255}/32 table 4242 proto 82" for number in range(50_000)]
        await made.ip(*(f"route add {one} metric 7" for one in strange))
        await made.ip(*(f"route add {one} metric 8" for one in strange))
        await made.ip(*(f"route del {one} metric 7" for one in strange))
        made.resume()
        await made.until(lambda said: said["readings"] > readings)
        await whole(made)
        assert len(await table(made)) == MANY
