"""The index finds what a walk through all entries finds (rules E1, E2), and ``explain`` tells the same story."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from rri_bgp.model import Address, SaPair
from rri_bgp.rri.acl import covers
from rri_bgp.rri.entries import EntryKind, MapEntry, Match, Policy
from rri_bgp.rri.match import Matcher
from tests.values import acl, entry, sa

PEERS = ("203.0.113.2", "203.0.113.3", "2001:db8::2", "::203.0.113.2")
NAMES = ("", "a", "b", "ab", "ba", "aab", "abb")
GLOBS = ("*", "*", "**", "a", "ab", "a*", "ab*", "*b", "*ab", "*a*", "?", "a?", "[ab]b", "[!a]*", "?*b")
LINES = (
    "permit any 10.1.0.0/16", "permit 192.168.1.0/24 10.0.0.0/8", "deny any 10.1.1.0/24", "permit any any",
    "deny 192.168.1.0/24 10.1.0.0/17", "permit 192.168.0.0/16,2001:db8:1::/48 2001:db8:2::/48,10.1.1.0/24",
    "permit 192.168.1.0/25 10.1.0.0/16 6",
)  # fmt: skip
REMOTE = ("10.1.0.0/16", "10.1.1.0/24", "10.0.0.0/8", "10.2.0.0..10.2.0.9", "2001:db8:2:1::/64", "0.0.0.0/0")
LOCAL = ("192.168.1.0/24", "192.168.1.0/25", "192.168.0.0/16", "2001:db8:1::/48", "0.0.0.0/0")

access_lists = st.lists(st.sampled_from(LINES), max_size=4).map(lambda lines: acl(*lines))
matches = st.builds(
    Match,
    st.sampled_from(GLOBS),
    st.sampled_from(GLOBS),
    st.sampled_from(GLOBS),
    st.sampled_from((None, None, None, 0, 5)),
    st.sampled_from((None, None, None, (0, 0), (1, 1), (3, 2), (2, 0xFF))),
    st.sampled_from((None, None, None, "", "red")),
)
entries = st.builds(
    lambda peers, match, access_list: entry(peers=tuple(peers), match=match, access_list=access_list),
    st.one_of(
        st.just([]),
        st.lists(st.sampled_from((*PEERS, "one.example.org", "two.example.org", "lost.example.org")), max_size=3),
    ),
    matches,
    st.one_of(st.none(), st.none(), access_lists),
)
sas = st.builds(
    lambda remote, local, peer, connection, child, identity, if_id, mark, vrf: sa(
        1, *remote, local_ts=local, peer=peer, connection=connection, child=child, identity=identity, if_id=if_id,
        mark=mark, vrf=vrf,
    ),
    st.lists(st.sampled_from(REMOTE), max_size=2),
    st.lists(st.sampled_from(LOCAL), max_size=2),
    st.sampled_from(PEERS),
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
    st.sampled_from((0, 5)),
    st.integers(0, 3),
    st.sampled_from(("", "red")),
)  # fmt: skip
resolved = st.dictionaries(
    st.sampled_from(("one.example.org", "two.example.org")),
    st.lists(st.sampled_from(PEERS), max_size=2).map(lambda found: tuple(ip_address(one) for one in found)),
)


def fits(wanted: MapEntry, one: SaPair, names: Mapping[str, tuple[Address, ...]]) -> bool:
    """The words of the rule, one after the other."""
    match = wanted.match
    peers = [names.get(peer, ()) if isinstance(peer, str) else (peer,) for peer in wanted.peers]
    return (
        (wanted.kind is EntryKind.DYNAMIC or any(one.peer in found for found in peers))
        and fnmatchcase(one.connection, match.connection)
        and fnmatchcase(one.child, match.child)
        and fnmatchcase(one.identity, match.identity)
        and match.if_id in (None, one.if_id)
        and (match.mark is None or one.mark & match.mark[1] == match.mark[0] & match.mark[1])
        and match.vrf in (None, one.vrf)
        and (wanted.access_list is None or covers(wanted.access_list, one))
    )


@given(st.lists(entries, max_size=8), st.lists(sas, min_size=1, max_size=4), resolved)
def test_e1_e2_the_index_finds_the_first_entry_that_fits(
    found: list[MapEntry], many: list[SaPair], names: dict[str, tuple[Address, ...]]
) -> None:
    matcher = Matcher(Policy(tuple(found)), names)
    for one in many:
        expected = next((rank for rank, wanted in enumerate(found) if fits(wanted, one, names)), None)
        assert matcher.rank(one) == expected
        verdicts = matcher.explain(one)
        assert [verdict.rank for verdict in verdicts] == list(range(len(found) if expected is None else expected + 1))
        assert [verdict.rank for verdict in verdicts if verdict.takes] == ([] if expected is None else [expected])
        assert all(verdict.reason for verdict in verdicts)
