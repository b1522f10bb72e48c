"""Whatever charon does, and however looks, listings and events interleave: the table ends as charon is, and on the way
no child that is up and that nobody named as going is ever taken away (rules E6, E7, E8), and no peer is suspected that
was not seen silent twice (rule G5).

The model is a charon that does what the real one was seen to do: IKE SAs that hand their children to a successor
without a word, late and doubled events, children that vanish unsaid.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rri_bgp.model import SaKey, SaPair
from rri_bgp.sources.vici.sas import Hint, IkeSa
from rri_bgp.sources.vici.table import Look, SaTable
from tests.values import sa

INDEX = st.integers(0, 5)


def down(ike_id: int, uniqueid: int) -> Hint:
    """A child-updown event without `up`."""
    return Hint(frozenset({ike_id}), frozenset({uniqueid}), frozenset({uniqueid}))


class Charon(RuleBasedStateMachine):
    """Events lie in a queue until they are heard; a look holds what it saw until it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.table = SaTable("vici")
        self.seen: dict[SaKey, SaPair] = {}
        """What the observer has been told."""
        self.ikes: dict[int, set[int]] = {}
        self.unsaid: set[int] = set()
        """Children that have vanished without an event."""
        self.events: list[Hint] = []
        self.looks: list[tuple[Look, IkeSa | None]] = []
        self.listing: list[IkeSa] | None = None
        self.last = 0
        self.now = 0.0
        self.silent: set[int] = set()
        """IKE SAs whose peer does not answer."""
        self.seen_silent: dict[int, float] = {}
        """Since when a scan has found them so, one after the other."""

    # -- charon ----------------------------------------------------------------------------------------------------

    def pick(self, index: int) -> int | None:
        return sorted(self.ikes)[index % len(self.ikes)] if self.ikes else None

    def new_id(self) -> int:
        self.last += 1
        return self.last

    def show(self, ike_id: int) -> IkeSa | None:
        if ike_id not in self.ikes:
            return None
        children = tuple(self.pair(one, ike_id) for one in sorted(self.ikes[ike_id]))
        return IkeSa(ike_id, children, is_checking=ike_id in self.silent)

    def pair(self, uniqueid: int, ike_id: int) -> SaPair:
        one = sa(uniqueid, f"10.{uniqueid % 250}.0.0/16")
        return SaPair(one.key, one.connection, one.child, one.peer, one.local, one.remote_ts, ike_id=ike_id)

    @rule()
    def ike_up(self) -> None:
        ike_id = self.new_id()
        self.ikes[ike_id] = set()
        self.events.append(Hint(frozenset({ike_id})))

    @rule(index=INDEX)
    def child_up(self, index: int) -> None:
        if (ike_id := self.pick(index)) is not None:
            uniqueid = self.new_id()
            self.ikes[ike_id].add(uniqueid)
            self.events.append(Hint(frozenset({ike_id}), come=(self.pair(uniqueid, ike_id),)))

    @rule(index=INDEX)
    def child_down(self, index: int) -> None:
        if (ike_id := self.pick(index)) is not None and self.ikes[ike_id]:
            uniqueid = min(self.ikes[ike_id])
            self.ikes[ike_id].discard(uniqueid)
            self.events.append(down(ike_id, uniqueid))

    @rule(index=INDEX)
    def child_rekey(self, index: int) -> None:
        if (ike_id := self.pick(index)) is not None and self.ikes[ike_id]:
            uniqueid = min(self.ikes[ike_id])
            self.ikes[ike_id].discard(uniqueid)
            self.ikes[ike_id].add(self.new_id())
            self.events.append(Hint(frozenset({ike_id}), frozenset({uniqueid})))

    @rule(index=INDEX)
    def ike_down(self, index: int) -> None:
        if (ike_id := self.pick(index)) is not None:
            self.events.append(Hint(frozenset({ike_id})))
            self.events.extend(down(ike_id, one) for one in self.ikes.pop(ike_id))

    @rule(index=INDEX, said=st.booleans())
    def ike_hands_over(self, index: int, said: bool) -> None:
        """IKE rekey (both are named), or IKEv1 reauthentication (up, and down later, for neither with a child)."""
        if (ike_id := self.pick(index)) is not None:
            successor = self.new_id()
            self.ikes[successor] = self.ikes.pop(ike_id)
            if said:
                self.events.append(Hint(frozenset({ike_id, successor})))
            else:
                self.events.extend((Hint(frozenset({successor})), Hint(frozenset({ike_id}))))

    @rule(index=INDEX)
    def child_vanishes(self, index: int) -> None:
        if (ike_id := self.pick(index)) is not None and self.ikes[ike_id]:
            uniqueid = max(self.ikes[ike_id])
            self.ikes[ike_id].discard(uniqueid)
            self.unsaid.add(uniqueid)

    @rule(index=INDEX)
    def peer_falls_silent_or_answers(self, index: int) -> None:
        if (ike_id := self.pick(index)) is not None:
            self.silent ^= {ike_id}

    # -- the source ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.events)
    @rule(twice=st.booleans())
    def hear(self, twice: bool) -> None:
        hint = self.events[0] if twice else self.events.pop(0)
        self.told(self.table.heard(hint))

    @rule()
    def look(self) -> None:
        if (look := self.table.next_look()) is not None:
            self.looks.append((look, self.show(look.ike_id)))

    @precondition(lambda self: self.looks)
    @rule(index=INDEX, fails=st.booleans())
    def tell(self, index: int, fails: bool) -> None:
        look, found = self.looks.pop(index % len(self.looks))
        if fails:
            self.table.look_failed(look)
        else:
            self.told(self.table.looked(look, found))

    @rule(seconds=st.sampled_from((0.4, 1.0, 3.0)), busy=INDEX)
    def scan(self, seconds: float, busy: int) -> None:
        """All IKE SAs but one that is busy."""
        self.now += seconds
        checking = (self.silent & self.ikes.keys()) - {self.pick(busy)}
        self.told(self.table.scanned(checking, self.now))
        self.seen_silent |= dict.fromkeys(checking - self.seen_silent.keys(), self.now)
        for uniqueid, ike_id in ((one.key.uniqueid, one.ike_id) for one in self.seen.values() if one.is_suspect):
            assert self.now - self.seen_silent[ike_id] >= 1.0, f"nobody saw that the peer of {uniqueid} is silent"

    @rule()
    def nobody_cares_who_is_silent(self) -> None:
        self.told(self.table.trust_all())
        assert not any(one.is_suspect for one in self.seen.values())

    def told(self, changes: dict[SaKey, SaPair | None]) -> None:
        for key, one in changes.items():
            if one is None:
                assert not self.is_up(key.uniqueid), "a child that is up was taken away"
                del self.seen[key]
            else:
                self.seen[key] = one

    def is_up(self, uniqueid: int) -> bool:
        return any(uniqueid in children for children in self.ikes.values())

    @precondition(lambda self: self.listing is None)
    @rule()
    def list_begins(self) -> None:
        self.table.begin_full()
        self.listing = [found for ike_id in self.ikes if (found := self.show(ike_id))]

    @precondition(lambda self: self.listing is not None)
    @rule()
    def list_ends(self) -> None:
        assert self.listing is not None
        before = set(self.seen)
        self.seen = {one.key: one for one in self.table.full(self.table.recognized(self.listing))}
        self.listing = None
        gone = [key for key in before - self.seen.keys() if self.is_up(key.uniqueid)]
        assert not gone, "a listing took away children that are up"

    @invariant()
    def the_observer_knows_what_the_table_knows(self) -> None:
        assert {one.key: one for one in self.table.sas()} == self.seen

    def teardown(self) -> None:
        """Let it come to rest: everything is heard, looked at, scanned and listed, and every second peer is silent."""
        self.silent = {ike_id for ike_id in self.ikes if ike_id % 2}
        for hint in self.events:
            self.told(self.table.heard(hint))
        if self.listing is not None:
            self.list_ends()
        for _ in range(3):
            for look, found in self.looks:
                self.told(self.table.looked(look, found))
            self.looks = []
            while (look := self.table.next_look()) is not None:  # type: ignore[assignment]
                self.told(self.table.looked(look, self.show(look.ike_id)))
            if self.table.wants_full or self.unsaid:
                self.list_begins()
                self.list_ends()
                self.unsaid.clear()
        assert not self.table.wants_full
        for _ in range(2):
            self.now += 2.0
            self.told(self.table.scanned(self.silent, self.now))
            while (look := self.table.next_look()) is not None:  # type: ignore[assignment]
                self.told(self.table.looked(look, self.show(look.ike_id)))
        assert {one.key for one in self.seen.values() if one.is_suspect} == {
            one.key for one in self.seen.values() if one.ike_id in self.silent
        }
        wanted = {(one, ike_id) for ike_id, children in self.ikes.items() for one in children}
        assert {(one.key.uniqueid, one.ike_id) for one in self.table.sas()} == wanted


Charon.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
TestCharon = Charon.TestCase
