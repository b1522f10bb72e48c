"""The hand-off: the real controller, real BIRD and FRR as the how-to configures them, and what upstream learns."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.kernel.gateways import run
from tests.kernel.speakers import Learnt, Network

TAGS = (None, 0, 1, 100, 1024, 65535, 65536, 70000, 2**24 - 1, 2**24, 2**32 - 2, 2**32 - 1)
OF_FRR = (None, 0, 100, 70000)
"""Those that the how-to's route-map has."""

_POLICY = """\
version: 1
local: {{as: 65000, next-hop: [198.51.100.1, "2001:db8:100::1"]}}
sources: [replay: {{file: none.jsonl}}]
sinks: {{hand-off: {{table: 4242, on-exit: {on_exit}}}{more}}}
control: {{socket: {folder}/control.sock}}
access-lists:
{lists}
crypto-maps:
  map:
    entries:
{entries}
"""


def pair(number: int) -> tuple[str, str]:
    """A prefix of each family."""
    return f"10.{number}.0.0/16", f"2001:db8:{number:x}::/48"


class Hub:
    """The controller, with static routes: a pair of prefixes for each tag that it is given."""

    def __init__(self, folder: Path, network: Network) -> None:
        self.folder = folder
        self.network = network
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "none.jsonl").write_text(
            '{"format":"rri-bgp sa history","version":1}\n{"at":0.0,"snapshot":[]}\n', encoding="utf-8"
        )

    def write(self, tags: Mapping[int, int | None], on_exit: str = "keep", more: str = "") -> None:
        """The policy file; of each number's pair of prefixes the tag. ``more``: another sink."""
        lists = [f'  list{one}: ["permit ip any {pair(one)[0]}", "permit ip any {pair(one)[1]}"]' for one in tags]
        entries = [
            f"      - {{seq: {number + 1}, type: static, set-peer: 203.0.113.2, match-address: list{number}, "
            f"reverse-route: {{static: true{'' if tag is None else f', tag: {tag}'}}}}}"
            for number, tag in tags.items()
        ]
        text = _POLICY.format(
            folder=self.folder, on_exit=on_exit, more=more, lists="\n".join(lists), entries="\n".join(entries)
        )
        (self.folder / "policy.yaml").write_text(text, encoding="utf-8")

    def start(self) -> None:
        """Starts it."""
        policy = self.folder / "policy.yaml"
        self.process = self.network.start("hub", sys.executable, "-m", "rri_bgp", "run", "--config", str(policy))

    def tell(self, what: signal.Signals) -> None:
        """Sends it a signal; it is the ``ip`` that has become it."""
        assert self.process is not None
        self.process.send_signal(what)

    def table(self, *which: str) -> set[str]:
        """The hand-off table, or another one, in ip-route's words."""
        which = which or ("table", "4242")
        found = run("ip", "-n", "hub", "route", "show", *which, check=False)
        found += run("ip", "-n", "hub", "-6", "route", "show", *which, check=False)
        return {" ".join(line.replace("dev lo ", "").replace("pref medium", "").split()) for line in found.splitlines()}


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    made = Network(tmp_path)
    made.build()
    yield made
    made.clean()


@pytest.fixture
def hub(tmp_path: Path, network: Network) -> Hub:
    return Hub(tmp_path, network)


def expected(tags: Mapping[int, int | None], med: str = "") -> dict[str, Learnt]:
    """What upstream should have."""
    found = {}
    for number, tag in tags.items():
        standard = frozenset() if tag is None or tag > 65535 else frozenset({f"65000:{tag}"})
        large = frozenset() if tag is None else frozenset({f"65000:1:{tag}"})
        for prefix, hop in zip(pair(number), ("198.51.100.1", "2001:db8:100::1"), strict=True):
            found[prefix] = Learnt(hop, standard, large, med)
    return found


@pytest.mark.parametrize(("daemon", "tags", "med"), [("bird", TAGS, ""), ("frr", OF_FRR, "0")])
def test_n8_every_tag_arrives_and_follows(hub: Hub, daemon: str, tags: tuple[int | None, ...], med: str) -> None:
    network, wanted = hub.network, dict(enumerate(tags, 1))
    hub.write(wanted)
    hub.start()
    network.announce(daemon)
    network.until(lambda: network.routes() == expected(wanted, med), "upstream has every tag")
    # Every route gets another tag: so many updates, and no withdraw between (rule E13).
    updates, withdraws = network.updates()
    turned = dict(zip(wanted, [*tags[1:], tags[0]], strict=True))
    hub.write(turned)
    hub.tell(signal.SIGHUP)
    network.until(lambda: network.routes() == expected(turned, med), "upstream has the other tags")
    assert network.updates() == (updates + 2 * len(tags), withdraws)
    # Some routes go (rule E4).
    left = {number: tag for number, tag in turned.items() if number % 2}
    hub.write(left)
    hub.tell(signal.SIGHUP)
    network.until(lambda: network.routes() == expected(left, med), "upstream has what is left")
    assert len(hub.table()) == 2 * len(left)


def test_g7_a_crash_changes_nothing_upstream_and_the_next_start_adopts(hub: Hub) -> None:
    network = hub.network
    hub.write({1: 100, 2: None, 3: 0})
    hub.start()
    network.announce("bird")
    network.until(lambda: network.routes() == expected({1: 100, 2: None, 3: 0}), "upstream has all")
    before, table = network.updates(), hub.table()
    hub.tell(signal.SIGKILL)
    assert hub.process is not None
    hub.process.wait(30)
    assert hub.table() == table
    hub.write({1: 100, 2: None, 4: 7})
    hub.start()
    network.until(lambda: network.routes() == expected({1: 100, 2: None, 4: 7}), "the difference only")
    updates, withdraws = before
    assert network.updates() == (updates + 2, withdraws + 2)


def test_g6_others_routes_are_left_alone_and_ours_come_back(hub: Hub) -> None:
    network = hub.network
    foreign = {"10.9.0.0/16 dev lan scope link", "blackhole 10.1.0.0/16 proto static metric 100"}
    network.ip("route add 10.9.0.0/16 dev lan table 4242")
    network.ip("route add blackhole 10.1.0.0/16 metric 100 table 4242 proto static")
    hub.write({1: 100, 2: 200}, on_exit="withdraw")
    hub.start()
    ours = {"blackhole 10.2.0.0/16 proto 82 metric 200"}
    ours |= {f"blackhole 2001:db8:{number}::/48 proto 82 metric {number}00" for number in (1, 2)}
    network.until(lambda: hub.table() == foreign | ours, "all but the one whose place is taken")
    for family in ("-4", "-6"):
        run("ip", "-n", "hub", family, "route", "flush", "table", "4242", "proto", "82")
    network.until(lambda: hub.table() == foreign | ours, "they are back")
    network.ip("route add blackhole 10.2.0.0/16 metric 7 table 4242 proto 82")
    network.until(lambda: hub.table() == foreign | ours, "what nobody wants of our number is gone")
    hub.tell(signal.SIGTERM)
    assert hub.process is not None
    assert hub.process.wait(30) == 0
    assert hub.table() == foreign


def test_g3_the_kernel_has_a_route_before_it_is_handed_off_and_until_it_is_not(hub: Hub) -> None:
    """Both sinks in one kernel: each leaves alone what is the other's, though the number is the same."""
    network, more = hub.network, ", kernel: {unresolved: blackhole}"
    main = ("table", "main", "proto", "82")
    hub.write({1: 100, 2: 200}, more=more)
    hub.start()
    ours = {f"blackhole 10.{one}.0.0/16 proto 82 metric {one}00" for one in (1, 2)}
    ours |= {f"blackhole 2001:db8:{one}::/48 proto 82 metric {one}00" for one in (1, 2)}
    network.until(lambda: hub.table() == ours and len(hub.table(*main)) == 4, "both tables are whole")
    # A foreign route of the same place: what the kernel cannot have is not handed off either (rules G6, N7).
    network.ip("route add 10.3.0.0/16 dev lan metric 1")
    hub.write({1: 100, 3: 300}, more=more)
    hub.tell(signal.SIGHUP)
    left = {"blackhole 10.1.0.0/16 proto 82 metric 100", "blackhole 2001:db8:1::/48 proto 82 metric 100"}
    new = {"blackhole 2001:db8:3::/48 proto 82 metric 300"}
    network.until(lambda: hub.table() == left | new and len(hub.table(*main)) == 3, "the difference")
    network.ip("route del 10.3.0.0/16 dev lan metric 1")
    new |= {"blackhole 10.3.0.0/16 proto 82 metric 300"}
    network.until(lambda: hub.table() == left | new and len(hub.table(*main)) == 4, "its place is free")


def test_without_the_right_it_ends_and_says_which(hub: Hub) -> None:
    hub.write({1: 100})
    policy = str(hub.folder / "policy.yaml")
    rights = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
    command = ["ip", "netns", "exec", "hub", *rights, sys.executable, "-m", "rri_bgp", "run", "--config", policy]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    said = "rri-bgp: sinks: hand-off: this user may not change routes: it takes CAP_NET_ADMIN"
    assert said in done.stderr
