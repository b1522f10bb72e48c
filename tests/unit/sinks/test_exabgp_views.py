"""Who is given what: neighbours by their terms, names inside a view, and what the views before leave to new ones."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from rri_bgp.model import Attributes, Destination, FlowRule, Path, VrfPrefix
from rri_bgp.rri.entries import NeighborPolicy, Overlap, Policy, Vrf
from rri_bgp.sinks import NeighborState
from rri_bgp.sinks.exabgp.answers import NeighborFamilies
from rri_bgp.sinks.exabgp.forms import Key, Numbered
from rri_bgp.sinks.exabgp.held import HeldRoute
from rri_bgp.sinks.exabgp.holdings import Held, Unknown
from rri_bgp.sinks.exabgp.paths import path_ids
from rri_bgp.sinks.exabgp.views import Terms, View, divide, holdings, inherited
from tests.values import HUB4, HUB6, entry, pfx, policy
from tests.wanted import Wanted

A, B, C = "192.0.2.1", "192.0.2.2", "192.0.2.3"
V4, V6, OTHER = pfx("10.1.0.0/16"), pfx("2001:db8:1::/48"), pfx("10.2.0.0/16")
FLOW = FlowRule(V4, 6, (443, 443))
RED, BLUE = Vrf("red", 10, rd="65000:1", label=100), Vrf("blue", 11)
FIRST, SECOND = Path(HUB4), Path(ip_address("198.51.100.2"))
UNICAST = frozenset(("ipv4 unicast",))


def neighbor(peer: str, asn: int = 65000, *, add_path: frozenset[str] = frozenset()) -> NeighborFamilies:
    return NeighborFamilies(NeighborState("192.0.2.254", peer, "up"), UNICAST, False, 65000, asn, add_path)


def view(wanted: Wanted, terms: Terms | None = None, *peers: str) -> View:
    return View(terms or Terms(), peers, wanted, selects=bool(peers))


def named(peer: str, **terms: object) -> NeighborPolicy:
    return NeighborPolicy(ip_address(peer), **terms)  # type: ignore[arg-type]


# -- terms -----------------------------------------------------------------------------------------------------------


def test_all_are_on_plain_terms_where_the_policy_says_nothing() -> None:
    found = divide(policy(), [neighbor(B, 65001), neighbor(A, add_path=UNICAST)])
    assert found == {Terms(): (A, B)}
    assert divide(policy(), []) == {Terms(): ()}


def test_neighbors_with_equal_policies_share_a_view() -> None:
    tags = frozenset((100, None))
    loaded = policy(neighbors=(named(A, tags=tags), named(B, tags=tags), named("192.0.2.9", vrf="red")))
    assert divide(loaded, [neighbor(A), neighbor(B), neighbor(C)]) == {Terms(tags=tags): (A, B), Terms(): (C,)}


def test_e13_add_path_matters_where_an_entry_has_several_paths() -> None:
    loaded = policy(entry(overlap=Overlap.ECMP))
    found = divide(loaded, [neighbor(A, add_path=UNICAST), neighbor(B)])
    assert found == {Terms(add_path=UNICAST): (A,), Terms(): (B,)}


def test_another_as_matters_where_a_tag_prepends() -> None:
    loaded = policy(entry(attributes=Attributes(as_path_prepend=1)))
    found = divide(loaded, [neighbor(A, 65001), neighbor(B)])
    assert found == {Terms(asn=65000): (A,), Terms(is_internal=True): (B,)}


# -- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("destination", "plain", "in_red"),
    [
        (V4, V4, None),
        (FLOW, FLOW, None),
        (VrfPrefix("red", V4), VrfPrefix("65000:1", V4), V4),
        (FLOW._replace(vrf="red"), FLOW._replace(vrf="65000:1"), FLOW),
        (VrfPrefix("blue", V4), None, None),
        (VrfPrefix("grey", V4), None, None),
    ],
)
def test_n10_what_a_destination_is_called(
    destination: Destination, plain: Destination | None, in_red: Destination | None
) -> None:
    wanted = Wanted({destination: FIRST}, policy=policy(vrfs=(RED, BLUE)))
    default, red = view(wanted), view(wanted, Terms(vrf="red"))
    assert (default.inward(destination), red.inward(destination)) == (plain, in_red)
    for one, here in ((default, plain), (red, in_red)):
        assert list(one.inwards([destination])) == ([] if here is None else [here])
        if here is not None:
            assert one.desired(here) == FIRST


@pytest.mark.parametrize("here", [VrfPrefix("65000:9", V4), FLOW._replace(vrf="65000:9")])
def test_n10_nothing_is_wanted_under_a_distinguisher_of_nobody(here: Destination) -> None:
    wanted = Wanted({VrfPrefix("red", V4): FIRST}, policy=policy(vrfs=(RED,)))
    assert view(wanted).desired(here) is None
    assert view(wanted, Terms(vrf="red")).desired(here) is None


def test_the_plain_case_makes_no_list() -> None:
    found = frozenset((V4, OTHER))
    assert view(Wanted()).inwards(found) is found


# -- what is wanted --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        (Terms(), ""),
        (Terms(entries=frozenset((0, 1))), ""),
        (Terms(entries=frozenset((1,))), "it is not given routes of entry mymap 10"),
        (Terms(tags=frozenset((100,))), ""),
        (Terms(tags=frozenset((None, 200))), "it is not given routes of tag 100"),
        (Terms(vrf="red"), "it is given the routes of VRF red only"),
    ],
)
def test_a_policy_keeps_a_route_back(terms: Terms, why: str) -> None:
    wanted = Wanted({V4: FIRST}, policy=policy(entry(10, tag=100), entry(20), vrfs=(RED,)))
    assert view(wanted, terms, A).why_not(V4) == why
    if terms.vrf is None:
        assert view(wanted, terms, A).desired(V4) == (None if why else FIRST)


def test_a_route_without_a_tag_is_told_so() -> None:
    one = view(Wanted({V4: FIRST}), Terms(tags=frozenset((100,))), A)
    assert one.why_not(V4) == "it is not given routes without a tag"
    assert one.why_not(OTHER) == ""


def test_n10_a_vrf_without_a_distinguisher_is_for_sessions_of_its_own() -> None:
    wanted = Wanted(policy=policy(vrfs=(BLUE,)))
    assert (
        view(wanted).why_not(VrfPrefix("blue", V4)) == "VRF blue has no rd: its routes go to sessions of their own only"
    )


def test_e11_a_flow_carries_neither_med_nor_preference_nor_prepends() -> None:
    communities = ((65000, 100),)
    path = Path(HUB4, Attributes(communities, med=5, local_preference=200, as_path_prepend=1))
    assert view(Wanted({FLOW: path})).desired(FLOW) == Path(HUB4, Attributes(communities))


def test_neighbors_in_our_own_as_get_no_prepends() -> None:
    path = Path(HUB4, Attributes(med=5, as_path_prepend=2))
    wanted = Wanted({V4: path, OTHER: FIRST})
    assert view(wanted, Terms(is_internal=True), A).desired(V4) == Path(HUB4, Attributes(med=5))
    assert view(wanted, Terms(is_internal=True), A).desired(OTHER) == FIRST
    assert view(wanted, Terms(asn=65000), A).desired(V4) == path


def test_e13_several_paths_have_identifiers_also_while_there_is_one() -> None:
    wanted = Wanted({V4: FIRST, OTHER: FIRST}, policy=policy(entry(10, overlap=Overlap.ECMP), entry(20)))
    wanted.others[V4] = (SECOND,)
    wanted.ranks[OTHER] = 1
    one = view(wanted, Terms(add_path=UNICAST), A)
    assert one.desired(V4) == {int(FIRST.next_hop): FIRST, int(SECOND.next_hop): SECOND}
    del wanted.others[V4]
    assert one.desired(V4) == {int(FIRST.next_hop): FIRST}
    assert one.desired(OTHER) == FIRST, "its entry has no several paths"
    wanted[V6] = Path(HUB6)
    assert one.desired(V6) == Path(HUB6), "no add-path in that family"
    assert one.desired(pfx("10.9.0.0/16")) is None


def test_e13_identifiers_are_stable_and_never_taken_twice() -> None:
    third = Path(HUB4, Attributes(med=1))
    number = int(HUB4)
    assert path_ids([FIRST, SECOND, third]) == {number: FIRST, int(SECOND.next_hop): SECOND, number + 2: third}
    last, nowhere = Path(ip_address("255.255.255.255")), Path(ip_address("0.0.0.0"))  # noqa: S104  # a value
    assert path_ids([last, replace_med(last)]) == {0xFFFFFFFF: last, 1: replace_med(last)}
    assert path_ids([nowhere]) == {1: nowhere}
    assert all(0 < one < 1 << 32 for one in path_ids([Path(HUB6), replace_med(Path(HUB6))]))


def replace_med(path: Path) -> Path:
    return Path(path.next_hop, Attributes(med=1))


# -- what there is already -------------------------------------------------------------------------------------------


def test_what_the_views_before_know_is_left_to_the_new_ones() -> None:
    wanted = Wanted()
    before = [view(wanted, Terms(), A, B), view(wanted, Terms(vrf="red"), C)]
    before[0].queue.adopt({V4: FIRST, OTHER: FIRST})
    before[1].queue.adopt({V4: FIRST, OTHER: SECOND, V6: Path(HUB6)})
    assert inherited(before, (A,)) == ({V4: FIRST, OTHER: FIRST}, {})
    assert inherited(before, (B, C)) == ({V4: FIRST, OTHER: Unknown.PATH, V6: Unknown.PATH}, {})
    assert inherited(before, ("192.0.2.9",)) == ({}, {})


def test_n10_labels_are_left_to_them_too_and_another_one_makes_a_route_outdated() -> None:
    key = VrfPrefix("65000:1", V4)
    before = view(Wanted(policy=policy(vrfs=(RED,))), Terms(), A)
    before.queue.adopt({key: FIRST, V4: FIRST})
    found, labels = inherited([before], (A,))
    assert labels == {key: 100}
    for label, verbs in ((100, []), (200, ["withdraw", "announce"])):
        wanted = Wanted(
            {VrfPrefix("red", V4): FIRST, V4: FIRST}, policy=policy(vrfs=(Vrf("red", 10, rd="65000:1", label=label),))
        )
        after = view(wanted, Terms(), A)
        after.queue.allow_withdraw()
        after.adopt(found, labels)
        said = []
        while command := after.queue.next_command():
            said.append(command.line().split()[2])
            after.queue.done()
        assert said == verbs


def test_e11_a_flow_of_a_vrf_has_no_label_that_could_change() -> None:
    key = FLOW._replace(vrf="65000:1")
    wanted = Wanted({FLOW._replace(vrf="red"): FIRST}, policy=policy(vrfs=(RED,)))
    one = view(wanted, Terms(), A)
    one.queue.allow_withdraw()
    one.adopt(*holdings(one, {A: {key: HeldRoute(A, (key,), FIRST)}}, {A: neighbor(A)}))
    assert one.queue.next_command() is None


def test_a_path_that_not_every_neighbor_of_the_family_has_goes_to_all_once_more() -> None:
    one = view(Wanted(), Terms(), A, B)
    neighbors = {A: neighbor(A), B: neighbor(B)}
    has: Held = FIRST
    tables: dict[str, dict[Key, HeldRoute]] = {
        A: {V4: HeldRoute(A, (V4,), FIRST), OTHER: HeldRoute(A, (OTHER,), FIRST), V6: HeldRoute(A, (V6,), Path(HUB6))},
        B: {V4: HeldRoute(B, (V4,), FIRST), OTHER: HeldRoute(B, (OTHER,), None)},
    }
    found, _ = holdings(one, tables, neighbors)
    assert found == {V4: has, OTHER: Unknown.PATH, V6: Unknown.PATH}


@pytest.mark.parametrize(
    ("asn", "as_path", "held"),
    [
        (65000, (), FIRST),
        (65000, (65000, 65000), Path(HUB4, Attributes(as_path_prepend=1))),
        (65000, (65000,), Unknown.PATH),
        (65000, (65000, 65001), Unknown.PATH),
        (0, (65000, 65000), Unknown.PATH),
    ],
)
def test_prepends_are_read_back(asn: int, as_path: tuple[int, ...], held: Held) -> None:
    one = view(Wanted(), Terms(asn=asn), A)
    assert one.held(HeldRoute(A, (V4,), FIRST, as_path)) == held
    assert one.held(HeldRoute(A, (V4,), None)) is Unknown.PATH
    assert one.held(None) is None


def test_e13_several_paths_are_outdated_in_a_session_that_takes_one() -> None:
    """On the wire they are one route: to withdraw one afterwards would take the best one with it."""
    wanted = Wanted({V4: SECOND}, policy=Policy((entry(overlap=Overlap.ECMP),)))
    one = view(wanted, Terms(), A)
    one.queue.allow_withdraw()
    one.adopt({Numbered(V4, 1): FIRST, Numbered(V4, 2): SECOND, V4: SECOND}, {})
    said = []
    while command := one.queue.next_command():
        said.append((command.verb.value, command.form.path_id))
        one.queue.done()
    assert said[-1] == ("announce", None)
    assert sorted(said[:-1], key=str) == [("withdraw", 1), ("withdraw", 2), ("withdraw", None)]
