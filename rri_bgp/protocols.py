"""Whose a kernel route is, by its protocol number (rtnetlink(7), ``rtm_protocol``; rule G6)."""

from __future__ import annotations

__all__ = ["OWNERS", "owner_of"]

OWNERS = {
    1: "ICMP redirects", 2: "the kernel", 3: "boot scripts", 4: "the administrator (static)", 8: "gated",
    9: "router advertisements", 10: "MRT", 11: "FRR (zebra)", 12: "BIRD", 13: "DECnet", 14: "XORP", 15: "Netsukuku",
    16: "the DHCP client", 17: "mrouted", 18: "keepalived", 42: "Babel", 84: "OVN", 99: "Open/R", 186: "FRR (bgpd)",
    187: "FRR (isisd)", 188: "FRR (ospfd)", 189: "FRR (ripd)", 190: "FRR (ripngd)", 191: "FRR (nhrpd)",
    192: "FRR (eigrpd)", 193: "FRR (ldpd)", 194: "FRR (sharpd)", 195: "FRR (pbrd)", 196: "FRR (staticd)",
    197: "FRR (fabricd)", 198: "FRR (pathd)",
}  # fmt: skip
"""linux/rtnetlink.h, ``RTPROT_*``, and zebra/rt_netlink.h of FRR."""


def owner_of(protocol: int) -> str:
    """Who has a number, as far as anybody has said so."""
    return OWNERS.get(protocol, f"protocol {protocol}")
