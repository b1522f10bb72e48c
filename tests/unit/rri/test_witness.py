"""What the kernel says of a daemon's SA pairs, and whose a pair is (rules E6, E7, E8, G7)."""

from __future__ import annotations

import pytest

from rri_bgp.model import Mode, SaKey, SaPair
from rri_bgp.rri.witness import GRACE, Told, Witness
from tests.values import sa, ts

LOCAL = ("10.0.0.0/16",)


def daemon(uniqueid: int = 1, *remote: str, peer: str = "203.0.113.2", if_id: int = 0, mark: int = 0) -> SaPair:
    return sa(uniqueid, *(remote or ("10.1.0.0/16",)), peer=peer, local_ts=LOCAL, if_id=if_id, mark=mark)


def kernel(uniqueid: int = 1, *remote: str, peer: str = "203.0.113.2", if_id: int = 0, mark: int = 0) -> SaPair:
    chosen = remote or ("10.1.0.0/16",)
    return sa(uniqueid, *chosen, peer=peer, local_ts=LOCAL, if_id=if_id, mark=mark, source="xfrm", connection="")


class Watch:
    """A witness between ``vici`` and ``xfrm``, and what it has told."""

    def __init__(self, installed: tuple[SaPair, ...] = (), carried: tuple[SaPair, ...] = ()) -> None:
        """Both sources have said all of that, and nothing is left to look at."""
        self.witness = Witness({"vici"}, {"xfrm"})
        self.now = 100.0
        self.snapshot("vici", *installed)
        self.snapshot("xfrm", *carried)
        self.look()

    def snapshot(self, source: str, *sas: SaPair) -> Told:
        return self.witness.snapshot(source, sas, self.now)

    def hear(self, *sas: SaPair, gone: tuple[SaPair, ...] = ()) -> Told:
        """An update, and a look."""
        changes = {one.key: one for one in sas} | {one.key: None for one in gone}
        return merged(self.witness.heard(changes), self.look())

    def look(self, after: float = 0.0) -> Told:
        self.now += after
        return self.witness.look(self.now)

    def due(self) -> float | None:
        return self.witness.due

    @property
    def missing(self) -> dict[int, list[str]]:
        return {
            one.key.uniqueid: [*map(str, one.not_in_kernel)] for one in self.witness.shown("vici") if one.not_in_kernel
        }

    @property
    def own(self) -> dict[int, list[str]]:
        return {one.key.uniqueid: [*map(str, one.remote_ts)] for one in self.witness.shown("xfrm")}


def merged(one: Told, other: Told) -> Told:
    return Told({**one.come, **other.come}, {**one.installed, **other.installed}, {**one.gone, **other.gone})


NOTHING = Told()
_BIT = 0.01


def test_e8_what_the_kernel_has_lost_is_missing_after_a_while_and_back_at_once() -> None:
    watch = Watch((daemon(),), (kernel(),))
    assert (watch.missing, watch.own, watch.due()) == ({}, {}, None)
    assert watch.hear(gone=(kernel(),)) == NOTHING
    assert watch.due() == watch.now + GRACE
    assert watch.look(GRACE - _BIT) == NOTHING
    told = watch.look(_BIT)
    assert told == Told(installed={SaKey("vici", 1): sa_missing(daemon(), "10.1.0.0/16")})
    assert (watch.missing, watch.due()) == ({1: ["10.1.0.0/16"]}, None)
    assert watch.hear(kernel(2)) == Told(installed={SaKey("vici", 1): daemon()})
    assert (watch.missing, watch.own) == ({}, {})


def sa_missing(one: SaPair, *selectors: str) -> SaPair:
    return sa(one.key.uniqueid, *one.remote_ts, peer=str(one.peer), local_ts=one.local_ts, not_in_kernel=selectors)


def test_e8_a_part_of_a_pair_is_missing() -> None:
    """One policy of two has been deleted; the other goes later, and both are back one by one."""
    both, one = ("10.1.0.0/16", "10.2.0.0/16"), ("10.2.0.0/16",)
    watch = Watch((daemon(1, *both),), (kernel(1, *both),))
    watch.hear(kernel(1, *one))
    watch.look(GRACE)
    assert watch.missing == {1: ["10.1.0.0/16"]}
    watch.hear(gone=(kernel(),))
    assert watch.missing == {1: ["10.1.0.0/16"]}
    watch.look(GRACE)
    assert watch.missing == {1: [*both]}
    watch.hear(kernel(2, *one))
    assert watch.missing == {1: ["10.1.0.0/16"]}


def test_e8_what_comes_back_meanwhile_is_told_at_once_though_something_else_has_gone() -> None:
    both = ("10.1.0.0/16", "10.2.0.0/16")
    watch = Watch((daemon(1, *both),), ())
    watch.look(GRACE)
    watch.hear(kernel(1, "10.2.0.0/16"))
    assert watch.missing == {1: ["10.1.0.0/16"]}
    watch.hear(kernel(1, "10.1.0.0/16"))
    assert watch.missing == {}
    watch.look(GRACE)
    assert watch.missing == {1: ["10.2.0.0/16"]}


def test_e8_a_pair_that_never_came_into_the_kernel_is_missing() -> None:
    watch = Watch()
    assert watch.hear(daemon()) == Told(installed={SaKey("vici", 1): daemon()})
    watch.look(GRACE)
    assert watch.missing == {1: ["10.1.0.0/16"]}


def test_e8_what_changes_of_a_missing_pair_leaves_it_missing() -> None:
    watch = Watch((daemon(1, "10.1.0.0/16", "10.2.0.0/16"),))
    watch.look(GRACE)
    told = watch.hear(daemon(1, "10.2.0.0/16"))
    assert told == Told(installed={SaKey("vici", 1): sa_missing(daemon(1, "10.2.0.0/16"), "10.2.0.0/16")})
    told = watch.hear(daemon(1, "10.3.0.0/16"))
    assert told == Told(installed={SaKey("vici", 1): daemon(1, "10.3.0.0/16")})
    watch.look(GRACE)
    assert watch.missing == {1: ["10.3.0.0/16"]}


def test_e8_one_that_goes_is_missing_no_more_and_nothing_waits_for_it() -> None:
    watch = Watch((daemon(1), daemon(2, "10.2.0.0/16")))
    watch.look(GRACE)
    assert watch.hear(gone=(daemon(1),)) == Told(installed={SaKey("vici", 1): None})
    assert watch.missing == {2: ["10.2.0.0/16"]}
    watch.hear(daemon(3, "10.3.0.0/16"))
    assert watch.due() is not None
    watch.hear(gone=(daemon(3, "10.3.0.0/16"),))
    assert watch.due() is None
    assert watch.hear(gone=(daemon(9),)) == NOTHING


def test_e6_a_rekey_under_the_same_policy_is_no_news() -> None:
    watch = Watch((daemon(1),), (kernel(),))
    assert watch.hear(daemon(2)) == Told(installed={SaKey("vici", 2): daemon(2)})
    assert watch.hear(gone=(daemon(1),)) == Told(installed={SaKey("vici", 1): None})
    assert watch.look(GRACE) == NOTHING
    assert (watch.missing, watch.own) == ({}, {})


@pytest.mark.parametrize("gap", [0.0, GRACE - _BIT])
def test_e6_a_gap_in_the_kernel_is_no_loss(gap: float) -> None:
    """A peer that moves, a reauthentication that breaks before it makes."""
    watch = Watch((daemon(),), (kernel(),))
    watch.hear(gone=(kernel(),))
    assert watch.look(gap) == NOTHING
    assert watch.hear(kernel(2)) == NOTHING
    assert watch.look(2 * GRACE) == NOTHING


def test_e6_a_peer_that_moves_is_the_same_in_whatever_order_it_is_heard_of() -> None:
    """The kernel's pair has other ends, so it is another one; the daemon says later that its own has them too."""
    watch = Watch((daemon(),), (kernel(),))
    moved, there = daemon(1, peer="203.0.113.9"), kernel(2, peer="203.0.113.9")
    assert watch.hear(there, gone=(kernel(),)) == NOTHING
    assert watch.look(GRACE - _BIT) == NOTHING
    assert watch.hear(moved) == Told(installed={SaKey("vici", 1): moved})
    assert watch.look(2 * GRACE) == NOTHING
    assert watch.hear(daemon()) == Told(installed={SaKey("vici", 1): daemon()})
    assert watch.hear(kernel(), gone=(there,)) == NOTHING
    assert watch.look(2 * GRACE) == NOTHING


def test_e13_of_two_children_for_one_selector_the_kernel_serves_one() -> None:
    """Their policy is one, and leads to the one or the other: none is missing."""
    one, other = daemon(1), daemon(2, peer="203.0.113.3")
    watch = Watch((one, other), (kernel(1, peer="203.0.113.3"),))
    watch.look(GRACE)
    assert (watch.missing, watch.own) == ({}, {})
    watch.hear(kernel(2), gone=(other, kernel(1)))
    watch.look(GRACE)
    assert (watch.missing, watch.own) == ({}, {})


@pytest.mark.parametrize(
    ("installed", "carried"),
    [
        (daemon(1, "10.1.0.17..10.1.0.20"), kernel(1, "10.1.0.16/29")),
        (daemon(1, if_id=5), kernel(1, if_id=5)),
        (daemon(1, mark=7), kernel(1, mark=7)),
        (sa(1, ts("10.1.0.0/16", 6, (443, 443)), local_ts=LOCAL), sa(1, "10.1.0.0/16", local_ts=LOCAL, source="xfrm")),
        (sa(1, "10.1.0.0/16"), kernel()),
        (sa(1, "10.1.0.0/16", local_ts=LOCAL), sa(1, "10.1.0.0/16", local_ts=("fd00::/64", *LOCAL), source="xfrm")),
        (sa(1, "10.1.0.0/16", local_ts=("fd00::/64", *LOCAL)), kernel()),
    ],
    ids=["range", "if_id", "mark", "port", "no local side", "more local sides", "local side of another family"],
)
def test_e8_what_the_kernel_calls_otherwise_is_the_same(installed: SaPair, carried: SaPair) -> None:
    watch = Watch((installed,), (carried,))
    watch.look(GRACE)
    assert (watch.missing, watch.own) == ({}, {})


@pytest.mark.parametrize(
    "carried",
    [
        kernel(1, "10.1.0.0/17"),
        kernel(1, "10.0.0.0/8"),
        kernel(1, if_id=5),
        kernel(1, mark=7),
        sa(1, "10.1.0.0/16", local_ts=("10.9.0.0/16",), source="xfrm"),
    ],
    ids=["longer", "shorter", "if_id", "mark", "local side"],
)
def test_e8_another_policy_carries_nothing_of_it(carried: SaPair) -> None:
    watch = Watch((daemon(),), (carried,))
    watch.look(GRACE)
    assert (watch.missing, list(watch.own)) == ({1: ["10.1.0.0/16"]}, [1])


def test_e1_a_transport_mode_pair_is_not_looked_for() -> None:
    one = sa(1, "10.1.0.1/32", mode=Mode.TRANSPORT)
    watch = Watch((one,), (kernel(1, "10.1.0.1/32"),))
    watch.look(GRACE)
    assert (watch.missing, watch.own) == ({}, {1: ["10.1.0.1/32"]})


def test_e1_what_no_daemon_knows_is_a_pair_of_its_own_after_a_while() -> None:
    """Another daemon, keys set by hand: both sources tell of each change, so one has to wait for the other."""
    watch = Watch((daemon(),), (kernel(),))
    other = kernel(2, "10.2.0.0/16", peer="203.0.113.3")
    assert watch.hear(other) == NOTHING
    assert watch.look(GRACE) == Told(come={other.key: other})
    assert watch.hear(gone=(other,)) == Told(gone={other.key: None})
    assert watch.own == {}


def test_e1_what_is_a_daemons_pair_in_a_while_never_is_one_of_the_kernels() -> None:
    watch = Watch()
    assert watch.hear(kernel()) == NOTHING
    assert watch.hear(daemon()) == Told(installed={SaKey("vici", 1): daemon()})
    assert watch.look(2 * GRACE) == NOTHING


def test_e1_the_kernels_pair_has_what_the_daemon_does_not_know_of() -> None:
    both = ("10.1.0.0/16", "10.2.0.0/16")
    watch = Watch((daemon(),), (kernel(1, *both),))
    watch.look(GRACE)
    assert watch.own == {1: ["10.2.0.0/16"]}
    assert watch.hear(daemon(1, *both)).gone == {SaKey("xfrm", 1): None}
    told = watch.hear(daemon(1, "10.2.0.0/16"))
    assert (told.come, told.gone, watch.own) == ({}, {}, {})
    assert watch.look(GRACE).come == {SaKey("xfrm", 1): kernel(1, "10.1.0.0/16")}
    told = watch.hear(gone=(daemon(1, "10.2.0.0/16"),))
    assert watch.own == {1: ["10.1.0.0/16"]}
    assert watch.look(GRACE).come == {SaKey("xfrm", 1): kernel(1, *both)}
    assert watch.hear(daemon(2)).gone == {SaKey("xfrm", 1): kernel(1, "10.2.0.0/16")}


def test_e1_a_pair_that_a_daemon_ends_is_not_the_kernels_while_that_takes_it_away() -> None:
    watch = Watch((daemon(),), (kernel(),))
    assert watch.hear(gone=(daemon(),)) == Told(installed={SaKey("vici", 1): None})
    assert watch.look(GRACE - _BIT) == NOTHING
    assert watch.hear(gone=(kernel(),)) == NOTHING
    assert watch.look(GRACE) == NOTHING


def test_e8_a_pair_that_a_daemon_ends_and_leaves_in_the_kernel_is_the_kernels() -> None:
    watch = Watch((daemon(),), (kernel(),))
    watch.hear(gone=(daemon(),))
    assert watch.look(GRACE) == Told(come={SaKey("xfrm", 1): kernel()})


def test_g7_what_a_dead_daemon_has_left_is_the_kernels_without_a_gap() -> None:
    """charon was killed, and the next one knows nothing of it; told before the daemon's pair goes."""
    watch = Watch((daemon(),), (kernel(),))
    watch.witness.lost("vici")
    assert watch.look(GRACE) == NOTHING
    assert watch.snapshot("vici") == Told(come={SaKey("xfrm", 1): kernel()})
    assert watch.witness.shown("vici") == []
    assert watch.look(GRACE) == NOTHING
    assert watch.hear(daemon(5)).gone == {SaKey("xfrm", 1): None}


def test_e8_the_kernel_counts_while_the_daemon_is_dead() -> None:
    watch = Watch((daemon(),), (kernel(),))
    watch.witness.lost("vici")
    watch.hear(gone=(kernel(),))
    watch.look(GRACE)
    assert watch.missing == {1: ["10.1.0.0/16"]}


def test_g7_at_the_start_nobody_has_to_wait_in_whatever_order_they_speak() -> None:
    alone = kernel(2, "10.2.0.0/16", peer="203.0.113.3")
    kernel_first = Witness({"vici"}, {"xfrm"})
    assert kernel_first.snapshot("xfrm", (kernel(), alone), 0.0) == NOTHING
    assert kernel_first.shown("xfrm") == []
    assert kernel_first.look(0.0) == NOTHING
    assert kernel_first.due is None
    assert kernel_first.snapshot("vici", (daemon(),), 9.0) == Told(come={alone.key: alone})
    daemon_first = Witness({"vici"}, {"xfrm"})
    assert daemon_first.snapshot("vici", (daemon(),), 0.0) == NOTHING
    assert daemon_first.look(9.0) == NOTHING
    assert daemon_first.snapshot("xfrm", (kernel(), alone), 9.0) == NOTHING
    assert daemon_first.shown("xfrm") == [alone]


def test_g7_a_daemon_that_is_not_there_at_the_start_keeps_nobody_waiting_for_long() -> None:
    both = Witness({"vici", "other"}, {"xfrm"})
    both.snapshot("xfrm", (kernel(),), 0.0)
    both.snapshot("other", (), 0.0)
    assert both.look(GRACE) == NOTHING
    both.lost("vici")
    assert both.look(10.0) == NOTHING
    assert both.look(10.0 + GRACE) == Told(come={SaKey("xfrm", 1): kernel()})
    assert both.snapshot("vici", (daemon(),), 20.0) == NOTHING
    assert both.look(20.0) == Told(gone={SaKey("xfrm", 1): None})


def test_e8_who_cannot_see_is_no_witness() -> None:
    """Nothing is missing while a kernel's source is lost, and no pair becomes one of its own; what is stays."""
    alone = kernel(2, "10.2.0.0/16", peer="203.0.113.3")
    watch = Watch((daemon(1), daemon(3, "10.3.0.0/16")), (alone, kernel(3, "10.3.0.0/16")))
    watch.look(GRACE)
    assert (watch.missing, watch.own) == ({1: ["10.1.0.0/16"]}, {2: ["10.2.0.0/16"]})
    watch.hear(gone=(daemon(3, "10.3.0.0/16"),))
    watch.witness.lost("xfrm")
    assert watch.look() == Told(installed={SaKey("vici", 1): daemon()})
    assert watch.due() is None
    watch.hear(daemon(4, "10.4.0.0/16"))
    assert watch.look(2 * GRACE) == NOTHING
    assert (watch.missing, watch.own) == ({}, {2: ["10.2.0.0/16"]})
    assert watch.snapshot("xfrm", alone) == NOTHING
    watch.look()
    watch.look(GRACE)
    assert watch.missing == {1: ["10.1.0.0/16"], 4: ["10.4.0.0/16"]}


def test_e8_with_two_kernels_both_have_to_see_and_one_that_carries_is_enough() -> None:
    two = Witness({"vici"}, {"xfrm", "red"})
    two.snapshot("vici", (daemon(),), 0.0)
    two.snapshot("xfrm", (), 0.0)
    assert two.look(GRACE) == NOTHING
    there = sa(1, "10.1.0.0/16", local_ts=LOCAL, source="red")
    two.snapshot("red", (there,), 5.0)
    two.look(5.0)
    assert two.due is None
    two.heard({there.key: None})
    two.look(6.0)
    assert two.look(6.0 + GRACE).installed == {SaKey("vici", 1): sa_missing(daemon(), "10.1.0.0/16")}


def test_many_are_looked_at_in_pieces() -> None:
    nets = [f"10.{number}.0.0/16" for number in range(1, 8)]
    watch = Watch(tuple(daemon(number, net) for number, net in enumerate(nets)))
    watch.now += GRACE
    found = [len(watch.witness.look(watch.now, 3).installed) for _ in range(3)]
    assert (found, watch.due()) == ([3, 3, 1], None)
    assert len(watch.missing) == 7
    watch.witness.heard({one.key: one for one in (kernel(number, net) for number, net in enumerate(nets))})
    looks = 0
    while watch.witness.is_behind:
        watch.witness.look(watch.now, 3)
        looks += 1
    assert looks > 2
    assert (watch.missing, watch.own, watch.due()) == ({}, {}, None)


def test_e8_three_pairs_of_one_traffic_are_told_apart() -> None:
    """All are missing together, and one that goes takes nothing from the others."""
    pairs = [daemon(number, peer=f"203.0.113.{number}") for number in (1, 2, 3)]
    watch = Watch(tuple(pairs))
    watch.look(GRACE)
    assert list(watch.missing) == [1, 2, 3]
    watch.hear(gone=(pairs[0],))
    watch.hear(pairs[1])
    assert watch.hear(kernel(1, peer="203.0.113.3")).installed == {one.key: one for one in pairs[1:]}
    watch.hear(gone=tuple(pairs[1:]))
    assert watch.look(GRACE).come == {SaKey("xfrm", 1): kernel(1, peer="203.0.113.3")}
