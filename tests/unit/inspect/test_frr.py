"""FRR's JSON, as FRR 10.3 printed it: ``frr-10.3/`` holds its answers, byte by byte.

The router had ExaBGP (198.51.100.1, iBGP) and another FRR (192.0.2.2 and 2001:db8:200::2, eBGP) as neighbors, a network
of its own, and a static route for 10.3.0.17/32 besides ExaBGP's.
"""

from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from rri_bgp.errors import UnreachableError
from rri_bgp.inspect import UpstreamPath, UpstreamRoute
from rri_bgp.inspect.frr import parse_paths, parse_routes
from tests.values import HUB4, HUB6, pfx

RECORDED = Path(__file__).parent / "frr-10.3"
NO_BGP = '{\n  "warning":"Default BGP instance not found"\n}\n'
EMPTY_BGP = """{
 "vrfId": 0,
 "vrfName": "default",
 "tableVersion": 16,
 "routerId": "198.51.100.2",
 "defaultLocPrf": 100,
 "localAS": 65000,
 "routes": {  } , "totalRoutes": 0, "totalPaths": 0 }
"""


def recorded(name: str) -> str:
    return (RECORDED / f"{name}.json").read_text()


def path_json(**changes: Any) -> str:
    """A table of one path, with some of its fields replaced."""
    path = {"valid": True, "nexthops": [{"ip": "198.51.100.1"}], "peer": {"peerId": "198.51.100.1"}} | changes
    return json.dumps({"routes": {"10.1.0.0/16": [path]}})


def test_a_path_that_another_one_beats() -> None:
    other, ours = parse_paths(recorded("bgp4"))[pfx("10.1.0.0/16")]
    peer = ip_address("192.0.2.2")
    assert other == UpstreamPath(pfx("10.1.0.0/16"), peer, peer, best=True, valid=True, med=0)
    assert ours == UpstreamPath(
        pfx("10.1.0.0/16"),
        peer=HUB4,
        next_hop=HUB4,
        communities=((65000, 10), (65000, 20)),
        large_communities=((65000, 1, 10),),
        best=False,
        valid=True,
    )


def test_all_prefixes_are_there_also_the_router_s_own() -> None:
    table = parse_paths(recorded("bgp4"))
    assert [str(prefix) for prefix in table] == [
        "10.1.0.0/16", "10.2.0.0/16", "10.3.0.17/32", "10.4.0.0/16", "10.5.0.0/16", "10.77.0.0/16", "192.0.2.0/24",
    ]  # fmt: skip
    assert table[pfx("192.0.2.0/24")][0].peer == ip_address("0.0.0.0")  # noqa: S104  # FRR's word for itself


def test_a_path_whose_next_hop_is_not_reachable_is_not_valid() -> None:
    (path,) = parse_paths(recorded("bgp4"))[pfx("10.4.0.0/16")]
    assert (path.valid, path.best, path.next_hop) == (False, False, ip_address("192.168.99.1"))


def test_well_known_communities_have_names() -> None:
    (path,) = parse_paths(recorded("bgp4"))[pfx("10.5.0.0/16")]
    well_known = [(65535, number) for number in (*range(10), 666, 65281, 65282, 65283, 65284)]
    assert sorted(path.communities) == [(0, 0), (65000, 10), *well_known]
    assert path.aliases == ()


def test_large_communities_have_32_bits() -> None:
    (path,) = parse_paths(recorded("bgp4"))[pfx("10.2.0.0/16")]
    assert path.large_communities == ((65000, 1, 10), (4294967295, 2, 3))
    assert path.communities == ((65000, 10), (65535, 65281))


def test_an_ipv6_path_over_an_ipv4_session() -> None:
    (path,) = parse_paths(recorded("bgp6"))[pfx("2001:db8:1::/48")]
    assert path == UpstreamPath(
        pfx("2001:db8:1::/48"), HUB4, HUB6, ((65000, 10),), ((65000, 1, 10),), best=True, valid=True
    )


def test_the_global_next_hop_counts_also_where_frr_uses_the_link_local_one() -> None:
    (path,) = parse_paths(recorded("bgp6"))[pfx("2001:db8:77::/48")]
    assert path.next_hop == ip_address("2001:db8:200::2")
    hops = [{"ip": "fe80::1", "scope": "link-local"}, {"ip": "2001:db8::1", "scope": "global"}]
    ((path,),) = parse_paths(path_json(nexthops=hops)).values()
    assert path.next_hop == ip_address("2001:db8::1")
    ((path,),) = parse_paths(path_json(nexthops=hops[:1])).values()
    assert path.next_hop == ip_address("fe80::1")


def test_an_alias_is_kept_as_the_word_it_is() -> None:
    community = {"string": "65000:10 branch", "list": ["65000:10", "branch"]}
    ((path,),) = parse_paths(path_json(community=community, largeCommunity={"list": ["big one"]})).values()
    assert (path.communities, path.large_communities, path.aliases) == (((65000, 10),), (), ("branch", "big one"))


def test_a_route_is_installed_where_zebra_has_it_in_the_fib() -> None:
    routes = parse_routes(recorded("route4"))
    assert routes[pfx("10.2.0.0/16")] == UpstreamRoute(pfx("10.2.0.0/16"), installed=True, next_hops=(HUB4,))
    six = parse_routes(recorded("route6"))
    assert six[pfx("2001:db8:1::/48")] == UpstreamRoute(pfx("2001:db8:1::/48"), installed=True, next_hops=(HUB6,))
    assert pfx("10.4.0.0/16") not in routes, "its next hop is not reachable"


def test_a_route_that_lost_to_a_static_one_is_not_installed() -> None:
    routes = parse_routes(recorded("route4"))
    assert routes[pfx("10.3.0.17/32")] == UpstreamRoute(pfx("10.3.0.17/32"), installed=False)
    assert '"fib":true' in recorded("route4").split('"10.3.0.17/32":')[1].split("\n")[0], "zebra says so all the same"


def test_a_recursive_next_hop_is_what_it_resolves_to() -> None:
    route = parse_routes(recorded("route4"))[pfx("10.5.0.0/16")]
    assert route == UpstreamRoute(pfx("10.5.0.0/16"), installed=True, next_hops=(ip_address("192.0.2.2"),))


@pytest.mark.parametrize(
    "change",
    [
        {"selected": False},
        {"installed": False},
        {"nexthops": []},
        {"nexthops": [{"ip": "198.51.100.1", "fib": True}]},
        {"nexthops": [{"ip": "198.51.100.1", "active": True, "recursive": True}]},
    ],
)
def test_every_one_of_zebra_s_flags_counts(change: dict[str, Any]) -> None:
    route = {"selected": True, "installed": True, "nexthops": [{"ip": "198.51.100.1", "fib": True, "active": True}]}
    (good,) = parse_routes(json.dumps({"10.1.0.0/16": [route]})).values()
    assert good.installed
    (bad,) = parse_routes(json.dumps({"10.1.0.0/16": [route | change]})).values()
    assert bad == UpstreamRoute(pfx("10.1.0.0/16"), installed=False)


def test_a_next_hop_may_be_an_interface() -> None:
    route = {"selected": True, "installed": True, "nexthops": [{"interfaceName": "gre1", "fib": True, "active": True}]}
    (found,) = parse_routes(json.dumps({"10.1.0.0/16": [route]})).values()
    assert (found.installed, found.next_hops) == (True, ())


@pytest.mark.parametrize("text", ["{}", EMPTY_BGP])
def test_no_paths(text: str) -> None:
    assert parse_paths(text) == {}


def test_no_routes() -> None:
    assert parse_routes("{}") == {}


def test_no_bgp_at_all_is_an_error_with_frr_s_words() -> None:
    with pytest.raises(UnreachableError) as caught:
        parse_paths(NO_BGP, "upstream local")
    assert str(caught.value).splitlines()[0] == "upstream local: FRR says: Default BGP instance not found"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "vtysh printed no JSON: nothing at all"),
        ("% Unknown command\n", "vtysh printed no JSON: '% Unknown command'"),
        ("[]", "the answer is not an object"),
        ('{"vrfId": 0}', "routes is not an object"),
        ('{"routes": {"10.1.0.0/16": {}}}', "routes.10.1.0.0/16 is not a list"),
        ('{"routes": {"10.1.0.1/16": []}}', "10.1.0.1/16 has host bits set"),
        ('{"routes": {"10.1.0.0/16": ["x"]}}', "path of 10.1.0.0/16 is not an object"),
        (path_json(peer=None), "peer of 10.1.0.0/16 is not an object"),
        (path_json(peer={}), "peerId of 10.1.0.0/16 is not an address"),
        (path_json(peer={"peerId": "hub"}), "'hub' does not appear to be an IPv4 or IPv6 address"),
        (path_json(nexthops=[]), "10.1.0.0/16 has a path without a next hop"),
        (path_json(nexthops=[{"ip": 1}]), "next hop of 10.1.0.0/16 is not an address"),
        (path_json(community={"string": "65000:10"}), "community of 10.1.0.0/16 is not a list"),
        (path_json(largeCommunity={"list": [1]}), "largeCommunity of 10.1.0.0/16 is not a list of words"),
    ],
)
def test_another_shape_is_one_clear_line(text: str, what: str) -> None:
    with pytest.raises(UnreachableError) as caught:
        parse_paths(text, "upstream local")
    assert caught.value.where == "upstream local"
    assert what in caught.value.what
    assert "\n" not in caught.value.what


@pytest.mark.parametrize("text", ["[]", '{"10.1.0.0/16": 1}', '{"10.1.0.0/16": [1]}', '{"x": []}'])
def test_another_shape_of_routes_is_an_error_too(text: str) -> None:
    with pytest.raises(UnreachableError, match="not the JSON that FRR prints"):
        parse_routes(text)
