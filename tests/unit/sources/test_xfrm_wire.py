"""NETLINK_XFRM, bytes to values: layouts, what is passed over, what is refused."""

from __future__ import annotations

import struct
import sys
from ipaddress import ip_address

import pytest

from rri_bgp.errors import NetlinkError
from rri_bgp.model import Mode
from rri_bgp.sources.xfrm import wire
from rri_bgp.sources.xfrm.wire import Direction, Ends, StateKey
from tests.unit.sources.netlink import attribute, datagram, message, template, userpolicy, usersa, usersa_id

LOCAL, PEER = "192.0.2.1", "192.0.2.2"
NEWSA, DELSA, NEWPOLICY, DELPOLICY, EXPIRE, UPDPOLICY, UPDSA, POLEXPIRE = 0x10, 0x11, 0x13, 0x14, 0x18, 0x19, 0x1A, 0x1B
KEYS = attribute(18, b"\xaa" * 72)
SECRET = b"\xaa" * 8


def packed(text: str) -> bytes:
    """An address as the kernel has it."""
    return ip_address(text).packed.ljust(16, b"\0")


def key(spi: int, mark: tuple[int, int] = (0, 0)) -> StateKey:
    """An SA to the peer."""
    return StateKey(packed(PEER), int.from_bytes(spi.to_bytes(4, "big"), sys.byteorder), 50, mark)


def ends() -> Ends:
    """From us to the peer."""
    return Ends(2, packed(LOCAL), packed(PEER), 7)


def parsed(*messages: bytes) -> list[wire.Message]:
    """All that a datagram says."""
    return list(wire.parse(datagram(*messages)))


@pytest.mark.parametrize("kind", [NEWSA, UPDSA])
def test_an_sa_is_read_whether_new_or_updated(kind: int) -> None:
    """Both ends, SPI, reqid, mode, interface id, mark."""
    extra = (attribute(31, struct.pack("=I", 5)), attribute(21, struct.pack("=II", 7, 0xFF)), KEYS)
    (sa,) = parsed(message(kind, usersa(LOCAL, PEER, 0x1000), *extra))
    assert sa == wire.Sa(key(0x1000, (7, 0xFF)), ends(), Mode.TUNNEL, 5, True)


def test_an_sa_without_keys_is_not_live() -> None:
    """An inbound SPI that is reserved has no algorithm yet."""
    (sa,) = parsed(message(NEWSA, usersa(LOCAL, PEER, 0x1000)))
    assert isinstance(sa, wire.Sa)
    assert not sa.is_live


@pytest.mark.parametrize(("spi", "protocol"), [(0, 50), (0x1000, 108)])
def test_larval_sas_and_ipcomp_are_passed_over(spi: int, protocol: int) -> None:
    """Neither carries traffic for anybody."""
    assert parsed(message(NEWSA, usersa(LOCAL, PEER, spi, protocol=protocol), KEYS)) == []


def test_ipv6() -> None:
    """Addresses take all sixteen bytes."""
    (sa,) = parsed(message(NEWSA, usersa("2001:db8::1", "2001:db8::2", 1, mode=4), KEYS))
    assert isinstance(sa, wire.Sa)
    assert sa.mode is Mode.BEET
    read = [wire.address(sa.ends.family, raw) for raw in (sa.ends.source, sa.key.destination)]
    assert read == [ip_address("2001:db8::1"), ip_address("2001:db8::2")]


def test_a_deleted_sa() -> None:
    """The key is in the body, the mark in an attribute."""
    mark = attribute(21, struct.pack("=II", 7, 0xFF))
    (gone,) = parsed(message(DELSA, usersa_id(PEER, 0x1000), attribute(6, usersa(LOCAL, PEER, 0x1000)), mark))
    assert gone == wire.SaGone(key(0x1000, (7, 0xFF)))


@pytest.mark.parametrize(("hard", "spi", "expected"), [(1, 9, 1), (0, 9, 0), (1, 0, 0)])
def test_only_a_hard_expiry_deletes(hard: int, spi: int, expected: int) -> None:
    """A soft one asks for a rekey; one without SPI is of a larval SA."""
    found = parsed(message(EXPIRE, usersa(LOCAL, PEER, spi) + bytes([hard]) + bytes(7)))
    assert len(found) == expected
    assert all(isinstance(one, wire.SaGone) for one in found)


@pytest.mark.parametrize("kind", [NEWPOLICY, UPDPOLICY])
def test_a_policy_with_its_template(kind: int) -> None:
    """Selectors with protocol and port, the template with its SPI."""
    body = userpolicy(1, "10.0.0.0/16", "10.1.0.0/16", protocol=6, port=443)
    (policy,) = parsed(message(kind, body, attribute(5, template(LOCAL, PEER, spi=0x1000))))
    assert isinstance(policy, wire.Policy)
    assert policy.key.direction == Direction.OUT
    assert [str(one) for one in wire.selectors(policy.key.selector)] == ["10.0.0.0/16[6]", "10.1.0.0/16[6/443]"]
    back = wire.mirrored(policy.key.selector)
    assert [str(one) for one in wire.selectors(back)] == ["10.1.0.0/16[6/443]", "10.0.0.0/16[6]"]
    assert policy.template == wire.Template(ends(), key(0x1000).spi, 50, Mode.TUNNEL)
    assert policy.allows


def test_the_template_of_esp_counts_where_ipcomp_stands_before_it() -> None:
    """A bundle: the outermost ESP or AH is the tunnel."""
    bundle = template("::", "::", protocol=108) + template(LOCAL, PEER)
    (policy,) = parsed(message(NEWPOLICY, userpolicy(1, "10.0.0.0/16", "10.1.0.0/16"), attribute(5, bundle)))
    assert isinstance(policy, wire.Policy)
    assert policy.template is not None
    assert policy.template.protocol == 50


def test_policies_of_sockets_and_of_other_types_are_passed_over() -> None:
    """Directions above 2 are of sockets; type 1 is a sub-policy."""
    assert parsed(message(NEWPOLICY, userpolicy(3, "0.0.0.0/0", "0.0.0.0/0"))) == []
    sub = attribute(16, bytes([1, 0, 0, 0, 0, 0]))
    assert parsed(message(NEWPOLICY, userpolicy(1, "10.0.0.0/16", "10.1.0.0/16"), sub)) == []


def test_a_deleted_policy_is_in_an_attribute() -> None:
    """Deleted by index, the body's selector is zero."""
    inner = attribute(7, userpolicy(1, "10.0.0.0/16", "10.1.0.0/16"))
    (gone,) = parsed(message(DELPOLICY, bytes(64), inner))
    assert isinstance(gone, wire.PolicyGone)
    assert str(wire.selectors(gone.key.selector)[1]) == "10.1.0.0/16"
    assert parsed(message(DELPOLICY, bytes(64))) == []


@pytest.mark.parametrize(("hard", "expected"), [(1, 1), (0, 0)])
def test_a_policy_expires(hard: int, expected: int) -> None:
    """Hard is gone, soft is nothing."""
    body = userpolicy(1, "10.0.0.0/16", "10.1.0.0/16") + bytes([hard]) + bytes(7)
    assert len(parsed(message(POLEXPIRE, body))) == expected


@pytest.mark.parametrize("kind", [0x1C, 0x1D, 0x21, 4])
def test_what_only_a_dump_can_tell(kind: int) -> None:
    """Flushes, migrations, overruns."""
    (found,) = parsed(message(kind, bytes(8)))
    assert isinstance(found, wire.Resync)


def test_the_end_of_a_dump_and_an_error() -> None:
    """NLMSG_DONE, and NLMSG_ERROR with EPERM."""
    assert parsed(message(3, bytes(4)), message(2, struct.pack("=i", -1) + bytes(16))) == [wire.Done(), wire.Failed(1)]


def test_what_is_unknown_is_passed_over() -> None:
    """Another message type, another attribute."""
    (sa,) = parsed(message(0x16, bytes(8)), message(NEWSA, usersa(LOCAL, PEER, 1), attribute(99, b"xyz"), KEYS))
    assert isinstance(sa, wire.Sa)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (bytes(8), "header is cut off"),
        (struct.pack("=IHHII", 8, NEWSA, 0, 0, 0), "netlink message of 8 bytes"),
        (struct.pack("=IHHII", 400, NEWSA, 0, 0, 0), "netlink message of 400 bytes"),
        (message(NEWSA, bytes(100)), "too few"),
        (message(NEWSA, usersa(LOCAL, PEER, 1), struct.pack("=HH", 40, 18)), "attribute of 40 bytes"),
        (message(NEWSA, usersa(LOCAL, PEER, 1), struct.pack("=HH", 2, 18)), "attribute of 2 bytes"),
        (message(NEWSA, usersa(LOCAL, PEER, 1)[:212] + b"\x07\0" + bytes(10), KEYS), "family 7"),
        (message(NEWPOLICY, userpolicy(1, "10.0.0.0/16", "10.1.0.0/16")[:42] + b"\xff" + bytes(125)), "255 bits"),
        (message(2, b""), "without its number"),
        (message(NEWSA, usersa(LOCAL, PEER, 1), attribute(31, b"x"), KEYS), "attribute 31 with 1 bytes"),
    ],
)
def test_what_is_malformed_is_one_clear_error(data: bytes, what: str) -> None:
    """It says what is wrong, and shows no bytes."""
    with pytest.raises(NetlinkError, match=what):
        list(wire.parse(data))


def test_no_value_and_no_error_holds_key_material() -> None:
    """Whatever is printed of a message."""
    body = usersa(LOCAL, PEER, 0x1000)
    assert SECRET not in repr(parsed(message(NEWSA, body, KEYS))).encode("latin-1", "replace")
    assert "aaaa" not in repr(parsed(message(NEWSA, body, KEYS))).lower()
    with pytest.raises(NetlinkError) as caught:
        parsed(message(NEWSA, body, KEYS, struct.pack("=HH", 400, 18)))
    assert "aaaa" not in str(caught.value).lower()
    assert r"\xaa" not in str(caught.value)


def test_a_dump_request_is_a_netlink_header_alone() -> None:
    """GETSA and GETPOLICY with REQUEST, ROOT and MATCH."""
    assert wire.dump_request(policies=False, sequence=5) == struct.pack("=IHHII", 16, 0x12, 0x301, 5, 0)
    assert wire.dump_request(policies=True, sequence=6) == struct.pack("=IHHII", 16, 0x15, 0x301, 6, 0)
