"""Any number of inputs for the reader of ExaBGP's words: ``python -m tests.fuzz.answers COUNT [SEED]``.

What holds for every input is in ``check``. An input that breaks it is printed and ends the run with exit code 1.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from functools import partial

from rri_bgp.model import prefix_of
from rri_bgp.sinks.exabgp import answers
from rri_bgp.sinks.exabgp.dialects import EXABGP4, EXABGP5
from rri_bgp.sinks.exabgp.forms import destination_of
from rri_bgp.sinks.exabgp.held import held_route
from tests.fuzz.run import run

__all__ = ["REAL", "check", "inputs", "main", "target"]

REAL: tuple[bytes, ...] = (
    b"done",
    b"error",
    b"shutdown 12 11",
    b"exabgp 5.0.15",
    b"exabgp 4.2.25",
    b"Peer            AS        up/down state       |     #sent     #recvd",
    b"127.0.0.2       65000     0:00:03 established           3          2",
    (
        b"neighbor 127.0.0.2 local-ip 127.0.0.1 local-as 65000 peer-as 65000 router-id 127.0.0.1 "
        b"family-allowed in-open ipv4 unicast 10.1.0.0/24 next-hop 198.51.100.1 med 7 "
        b"local-preference 200 community [ 65000:1 no-export ] "
        b"large-community [ 65000:1:4294967295 ]"
    ),
    (
        b"neighbor 2001:db8::2 local-ip 2001:db8::1 ipv6 unicast 2001:db8:1::/48 next-hop 2001:db8:100::1 "
        b"community [ 65000:1 blackhole nopeer ]"
    ),
    (
        b'{ "exabgp": "5.0.0", "time": 1700000000.1, "host" : "hub", "pid" : 12, "ppid" : 11, "counter": 3, "type": '
        b'"state", "neighbor": { "address": { "local": "127.0.0.1", "peer": "127.0.0.2" }, "asn": { "local": 65000, '
        b'"peer": 65000 }, "router-id": "127.0.0.1", "state": "down", "reason": "peer reset [ \\u001b[31m ]"} }'
    ),
    b'{ "exabgp": "5.0.0", "type": "notification", "notification": "shutdown"}',
    b'{ "exabgp": "5.0.0", "type": "update", "neighbor": { "message": { "update": { } } } }',
    (
        b'[{"state": "down", "duration": 3, "fsm": "ESTABLISHED", "local": {"address": "127.0.0.1", "families": '
        b'{"ipv4 unicast": true}, "capabilities": {"graceful-restart": 60}}, "peer": {"address": "127.0.0.2"}, '
        b'"families": ["ipv4 unicast", "ipv6 unicast"]}]'
    ),
    b"Neighbor 127.0.0.2",
    b"   local                      127.0.0.1",
    b"   state                    ESTABLISHED",
    b"   graceful-restart:           disabled             n/a",
    b"   ipv4 unicast:                enabled         enabled        disabled",
    b"",
    (
        b"neighbor 127.0.0.2 local-ip 127.0.0.1 ipv4 mpls-vpn 10.1.0.0/24 path-information 198.51.100.1 label 100 "
        b"next-hop 198.51.100.1 rd 65000:1 extended-community [ target:65000:1 target:192.0.2.1:5 0x4300000000000001 ]"
    ),
    (
        b"neighbor 127.0.0.2 local-ip 127.0.0.1 ipv4 flow-vpn flow destination-ipv4 10.1.0.0/16 protocol =tcp "
        b"destination-port [ >=1024&<=http-alt ] rd 65000:1 next-hop 198.51.100.1 community 65000:100 "
        b"extended-community redirect-to-nexthop"
    ),
    (
        b"neighbor 127.0.0.2 local-ip 127.0.0.1 ipv6 flow flow destination-ipv6 2001:db8:1::/48/0 next-header =58 "
        b"icmp-type =unknown icmp type 128 icmp-code =0 next-hop 2001:db8:100::1 extended-community redirect-to-nexthop"
    ),
    b"neighbor 127.0.0.2 local-ip 127.0.0.1 ipv4 unicast 10.1.0.0/24 next-hop 198.51.100.1 as-path ( 65000 65000 )",
    b"   AS                             65000           65001                ",
)
"""Lines as ExaBGP 5.0.15 and 4.2.25 write them."""

_ALPHABET = b' \t\r\x00\x7f\xff"{}[]:,./\\-+_0123456789abcdefETud\xc3\xa9'
_BURSTS = (b"9" * 5000, b"[" * 3000, b'{"a":' * 2000, b"\\u0000" * 50, b"1e999", b"\\ud800", b"NaN", b"-" * 300)


def inputs(seed: int) -> Iterator[bytes]:
    """Without end: random bytes, real lines with a few bytes changed, and halves of two real lines."""
    dice = random.Random(seed)  # noqa: S311  # nobody's secret
    while True:
        kind = dice.random()
        if kind < 0.2:
            yield dice.randbytes(dice.randrange(200))
        elif kind < 0.7:
            yield _mutated(dice, dice.choice(REAL))
        else:
            one, other = dice.choice(REAL), dice.choice(REAL)
            yield one[: dice.randrange(len(one) + 1)] + other[dice.randrange(len(other) + 1) :]


def _mutated(dice: random.Random, line: bytes) -> bytes:
    found = bytearray(line)
    for _ in range(dice.randrange(1, 5)):
        at = dice.randrange(len(found) + 1)
        match dice.randrange(4):
            case 0:
                found[at : at + 1] = bytes((dice.choice(_ALPHABET),))
            case 1:
                del found[at : at + dice.randrange(1, 8)]
            case 2:
                found[at:at] = bytes((dice.choice(_ALPHABET),))
            case _:
                end = min(at + dice.randrange(1, 12), len(found))
                found[at:at] = dice.choice(_BURSTS) if dice.random() < 0.02 else found[at:end]
    return bytes(found)


def check(lines: answers.Lines, data: bytes) -> int:
    """Feeds an input and a newline; returns how many lines came. Raises where something is not as it must be."""
    count = 0
    for line in lines.feed(data + b"\n"):
        count += 1
        assert "\n" not in line
        _check_answer(answers.parse(line))
        route = held_route(line)
        if route is not None:
            assert all(str(prefix_of(destination_of(key)).length).isdecimal() for key in route.keys)
            assert route.path is None or hash(route.path) == hash(route.path)
            assert 1 <= len(route.keys) <= 64
        found = answers.version(line)
        assert found is None or (len(found) == 3 and all(0 <= part <= 9999 for part in found))
        for dialect in (EXABGP4, EXABGP5):
            for one in dialect.read_neighbors([line]):
                assert one.neighbor.peer.isprintable()
                assert one.neighbor.state.isprintable()
    return count


def _check_answer(answer: answers.Answer) -> None:
    if isinstance(answer, answers.NeighborEvent):
        for text in (answer.neighbor.local, answer.neighbor.peer, answer.neighbor.state, answer.neighbor.reason):
            assert text.isprintable()
            assert len(text) <= 256, "what ``rri_bgp.text.plain`` leaves of it"


def target() -> Callable[[bytes], object]:
    """What is given one input after another."""
    return partial(check, answers.Lines())


def main(arguments: list[str]) -> int:
    """Runs COUNT inputs; the exit code."""
    return run(arguments, inputs, target())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
