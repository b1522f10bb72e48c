"""What is right and yet cannot be meant: the warnings of `rri-bgp check`, beside those that come with every reading.

Rules of this file: pure functions over a checked configuration, and over what is known of the machine; a warning is a
complete line that begins with the place in the file, and names the rule where there is one. A thousand entries take
less than a second.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import IPv4Address

from rri_bgp.model import Address, Attributes, LineKey, Refusal
from rri_bgp.policy.config import Config
from rri_bgp.policy.lint_entries import MAX_COMPARISONS, Comparison
from rri_bgp.policy.lint_lists import dead_lines
from rri_bgp.reasons import Reason
from rri_bgp.rri.entries import MapEntry, Overlap, PortProxies, tag_attributes
from rri_bgp.rri.kernel import pointing_rule
from rri_bgp.rri.rib import Rib
from rri_bgp.rri.surroundings import Surroundings

__all__ = ["lint", "lint_here", "warnings_here"]

_OF_THE_MACHINE = frozenset({Reason.LOCAL, Reason.NEIGHBOR})
_SOMEWHERE = IPv4Address("0.0.0.0")  # noqa: S104  # nothing is bound to it
"""What a peer's name resolves to here: no route holds it that is not refused for itself."""


def lint(config: Config) -> tuple[str, ...]:
    """What can be said from the file alone, in file order."""
    return _in_file_order([*_of_the_file(config), *_refused(config, Surroundings())])


def lint_here(config: Config, surroundings: Surroundings) -> tuple[str, ...]:
    """``lint`` and ``warnings_here`` together, which costs less than one after the other."""
    hops = _next_hops(config, surroundings.addresses)
    return _in_file_order([*_of_the_file(config), *hops, *_refused(config, surroundings)])


def warnings_here(config: Config, surroundings: Surroundings) -> tuple[str, ...]:
    """What can be said knowing the machine: next hops, and static routes that run into its networks; in file order."""
    here = [text for reason, text in _refusals(config, surroundings) if reason in _OF_THE_MACHINE]
    return _in_file_order([*_next_hops(config, surroundings.addresses), *here])


def _of_the_file(config: Config) -> Iterator[_Found]:
    yield from _entries(config)
    yield from _lists(config)
    if config.exabgp is not None:
        yield from _tags(config)
    elif config.hand_off is not None:
        yield from _not_handed_off(config)
    if config.kernel is not None:
        yield from _interfaces(config)


_Found = tuple[str, str]
"""``file:line``, and the text."""


def _in_file_order(found: Iterable[_Found]) -> tuple[str, ...]:
    def line(one: _Found) -> tuple[int, str]:
        number = one[0].rpartition(":")[2]
        return (int(number) if number.isdecimal() else 0, one[1])

    return tuple(f"{where}: {text}" for where, text in sorted(dict.fromkeys(found), key=line))


def _entries(config: Config) -> Iterator[_Found]:
    comparison = Comparison(config.policy)
    for entry, text in comparison.findings():
        yield entry.where, text
    if comparison.left < 0:
        what = f"only the first {MAX_COMPARISONS} pairs of entries were compared with each other"
        yield str(config.file), f"{what}: so many of them may take the same SAs"


def _lists(config: Config) -> Iterator[_Found]:
    used = [entry.access_list for entry in config.policy.entries if entry.access_list is not None]
    for name, acl in {acl.name: acl for acl in used}.items():
        for line, by in dead_lines(acl):
            why = "the lines before it take all of it" if by is None else f"`{by.text}` ({by.where}) takes all of it"
            yield line.where, f"`{line.text}` of the access list {name} never matches: {why} (rule E9)"


def _tags(config: Config) -> Iterator[_Found]:
    """A tag whose table gives it the community that is another tag's own."""
    by_tag: dict[int, MapEntry] = {}
    for entry in config.policy.entries:
        if entry.tag is not None:
            by_tag.setdefault(entry.tag, entry)
    own = {tag: tag_attributes(config.asn, tag, {}) for tag in by_tag}
    owners: Mapping[object, list[int]] = _by_community(own)
    for tag, entry in by_tag.items():
        for community in _communities(entry.attributes):
            for other in owners.get(community, ()):
                if other != tag:
                    text = ":".join(map(str, community))
                    what = f"tag {tag} and tag {other} both give the community {text}"
                    yield entry.where, f"{what}: upstream cannot tell {entry.name} from {by_tag[other].name} (rule N8)"


def _interfaces(config: Config) -> Iterator[_Found]:
    """Entries whose peers' routes are to point out of the map's interface, where the map names none."""
    for entry in config.policy.entries:
        if not entry.interface and pointing_rule(entry) == "N2":
            what = f"{entry.name} has `remote-peer: true`, and its map no `interface`"
            yield entry.where, f"{what}: the route to a peer changes nothing (rule N2)"


def _not_handed_off(config: Config) -> Iterator[_Found]:
    """What entries say of their routes and nobody hears, where the hand-off is all there is: a tag is all it takes."""
    keys: Mapping[str, Callable[[MapEntry], bool]] = {
        "next-hop": lambda entry: not entry.next_hop_self,
        "tags": lambda entry: entry.attributes != tag_attributes(config.asn, entry.tag, {}),
        "degrade": lambda entry: entry.degrade_med is not None,
        "overlap": lambda entry: entry.overlap is Overlap.ECMP,
        "port-proxies": lambda entry: entry.port_proxies is PortProxies.FLOWSPEC,
        "vrf": lambda entry: bool(entry.vrf),
    }
    for key, has in keys.items():
        users = [entry for entry in config.policy.entries if entry.reverse_route is not None and has(entry)]
        if users:
            more = f" and {len(users) - 1} more" if len(users) > 1 else ""
            yield users[0].where, f"`{key}` of {users[0].name}{more} is not handed off: see docs/howto/hand-off.md"


def _by_community(own: Mapping[int, Attributes]) -> dict[object, list[int]]:
    owners: dict[object, list[int]] = defaultdict(list)
    for tag, attributes in own.items():
        for community in _communities(attributes):
            owners[community].append(tag)
    return owners


def _communities(attributes: Attributes) -> tuple[tuple[int, ...], ...]:
    return (*attributes.communities, *attributes.large_communities)


def _refused(config: Config, surroundings: Surroundings) -> Iterator[_Found]:
    return (found for _, found in _refusals(config, surroundings))


def _refusals(config: Config, surroundings: Surroundings) -> Iterator[tuple[Reason, _Found]]:
    """Static routes that the entry's own settings refuse, one warning for each entry and reason.

    Every group is taken for held, and every name of a peer for one that resolves.
    """
    entries = {entry.name: entry for entry in config.policy.entries}
    if not any(entry.reverse_route is not None and entry.reverse_route.static for entry in entries.values()):
        return
    names = dict.fromkeys(config.names, (_SOMEWHERE,))
    there = replace(surroundings, held=frozenset(config.policy.groups), names=names)
    found: dict[tuple[str, Reason], list[Refusal]] = defaultdict(list)
    for refusal in Rib(config.policy, there).refusals():
        if isinstance(refusal.owner, LineKey) and _SOMEWHERE not in refusal.about:
            found[refusal.owner.entry, refusal.why].append(refusal)
    for (name, reason), refusals in found.items():
        more = f", and {len(refusals) - 1} more of its static routes are refused" if len(refusals) > 1 else ""
        what = f"{name} refuses its own static route: {refusals[0].reason}{more} (rule {reason.rule})"
        yield reason, (entries[name].where, what)


def _next_hops(config: Config, addresses: frozenset[Address]) -> Iterator[_Found]:
    """Next hops that are no address of this machine, nor of the entry's group; nothing where no address is known."""
    if not addresses or config.exabgp is None:
        return
    missing: dict[Address, list[MapEntry]] = defaultdict(list)
    for entry in config.policy.entries:
        group = config.policy.groups.get(entry.redundancy)
        fine = addresses if group is None else addresses | set(group.addresses)
        for hop in (entry.next_hops or {}).values() if entry.reverse_route is not None else ():
            if hop not in fine:
                missing[hop].append(entry)
    for hop, users in missing.items():
        more = f" and {len(users) - 1} more" if len(users) > 1 else ""
        what = f"the next hop {hop} of {users[0].name}{more} is no address of this machine or of its group"
        yield users[0].where, f"{what}: what upstream sends there does not come here (rule N9)"
