"""A policy as a hub of a thousand branches has it, made by code."""

from __future__ import annotations

__all__ = ["HEAD", "branches"]

HEAD = """\
version: 1
local: {as: 65000, next-hop: [198.51.100.1, "2001:db8:100::1"]}
sources: [vici]
sinks: {exabgp: }
"""


def branches(count: int) -> str:
    """A policy that uses most of what there is: static entries with a list, a tag, a guard each, in a group."""
    lists, entries, tags = [], [], []
    for number in range(count):
        high, low = divmod(number, 250)
        net = f"10.{high}.{low}.0/24"
        lists.append(
            f"  branch{number}:\n"
            f"    - deny ip 192.168.1.0 0.0.0.255 host 10.{high}.{low}.1\n"
            f"    - permit ip 192.168.1.0/24 {net}\n"
            f"    - permit ip object-group offices {net}\n"
        )
        entries.append(
            f"      - seq: {number + 1}\n"
            "        type: static\n"
            f"        set-peer: [203.0.{high}.{low + 1}, branch{number}.example.org]\n"
            f"        match-address: branch{number}\n"
            f'        match: {{connection: "branch{number}-*", identity: "*@branch{number}.example.org"}}\n'
            f"        reverse-route: {{static: true, tag: {number}, remote-peer: true}}\n"
            f"        guard: {{allow: [{net} le 32], max-routes-per-peer: 50}}\n"
            "        withdraw-delay: 10\n"
        )
        tags.append(f'  {number}: {{communities: ["65001:{number}"], local-preference: 200}}\n')
    return (
        f"{HEAD}object-groups:\n  offices: [192.168.2.0/24, host 192.168.3.1]\n"
        f"access-lists:\n{''.join(lists)}"
        f"crypto-maps:\n  hub:\n    interface: eth0\n    redundancy: pair\n    entries:\n{''.join(entries)}"
        f"tags:\n{''.join(tags)}redundancy:\n  pair: {{virtual-address: 198.51.100.9}}\n"
    )
