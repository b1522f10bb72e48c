"""One ExaBGP as a sink, over a pair of byte streams: who its neighbours are, what it holds for them, and what is next.

``talk.py`` is the talk itself; ``views.py`` says which neighbours are given the same, and each view has a queue of its
own (``queue.py``). One command is in flight over all of them. A change is written in the call that brings it, when
nothing is in flight.

It opens with questions: which version, which neighbours, which routes it still holds from an earlier life of this
process. Only then come routes: what is right already is left alone. Routes in ExaBGP's table that nobody owns are
withdrawn once every source is complete, so the neighbours that name this process in their ``api`` must be fed by nobody
else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from rri_bgp.errors import EnvironmentProblem
from rri_bgp.model import Destination
from rri_bgp.policy.config import ExabgpSettings, OnExit
from rri_bgp.rri.entries import Policy
from rri_bgp.sinks import NeighborRoute, NeighborState, RouteState, SinkRoute, SinkStatus, Wanted
from rri_bgp.sinks.exabgp import answers
from rri_bgp.sinks.exabgp.answers import NeighborFamilies
from rri_bgp.sinks.exabgp.commands import OPENING, SHOW_ROUTES, Command, Verb, end_of_rib
from rri_bgp.sinks.exabgp.dialects import ALLOWED, EXABGP5, dialect_of
from rri_bgp.sinks.exabgp.forms import FAMILIES, Key, form_of
from rri_bgp.sinks.exabgp.held import HeldRoute, held_route
from rri_bgp.sinks.exabgp.holdings import KeyState, worst
from rri_bgp.sinks.exabgp.streams import EagerReader
from rri_bgp.sinks.exabgp.talk import Question, Talk
from rri_bgp.sinks.exabgp.views import DEAF, Terms, View, divide, holdings, inherited

__all__ = ["ExabgpSink"]

log = logging.getLogger(__name__)


class ExabgpSink:
    """Makes ExaBGP announce what is wanted. See ``rri_bgp.sinks.Sink`` for the contract."""

    def __init__(
        self,
        wanted: Wanted,
        reader: EagerReader,
        writer: asyncio.StreamWriter,
        settings: ExabgpSettings,
        *,
        name: str = "exabgp",
        released: Callable[[Iterable[Destination]], None] | None = None,
    ) -> None:
        """``released`` is called with what ExaBGP has taken back."""
        self._wanted = wanted
        self._settings = settings
        self._name = name
        self._released = released
        self._talk = Talk(reader, writer, self, settings.ack_timeout, name)
        self._counters = self._talk.counters
        self._dialect = EXABGP5
        self._version: tuple[int, int, int] | None = None
        self._neighbor_lines: list[str] = []
        self._found: dict[str, dict[Key, HeldRoute]] = {}
        """What ExaBGP holds for whom, while it tells."""
        self._is_ready = self._may_withdraw = self._is_leaving = False
        self._neighbors: dict[str, NeighborFamilies] = {}
        self._waiting_for_rib: set[str] = set()
        """Neighbours that came up and have not been told that the table is complete."""
        self._views = [View(Terms(), (), wanted, selects=False)]
        self._speaking = self._views[0]
        """Whose command is in flight, or was last."""
        self._selects = self._is_division_due = self._is_policy_new = False
        self._has_come_up = False
        """A session has, since the routes were asked for."""
        self._is_in_doubt = False
        """ExaBGP has refused something, and nothing has been done since."""
        self._talk.ask(Question(OPENING, self._take_version, self._check_version, _is_version))

    # -- the contract ------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """See ``Sink``."""
        return self._name

    def changed(self, destinations: Iterable[Destination], *, bulk: bool = False, moves: bool = False) -> None:
        """See ``Sink``. Written at once when nothing is in flight."""
        found = destinations if len(self._views) == 1 else list(destinations)
        for view in self._views:
            view.queue.changed(view.inwards(found), bulk=bulk, moves=moves)
        self._talk.pump()

    def allow_withdraw(self) -> None:
        """See ``Sink``."""
        self._may_withdraw = True
        for view in self._views:
            view.queue.allow_withdraw()
        self._talk.pump()

    def take_settings(self, policy: Policy) -> None:
        """See ``Sink``. The table is divided anew as soon as nothing is in flight."""
        log.debug("%s takes a policy of %d entries", self._name, len(policy.entries))
        self._is_division_due = self._is_policy_new = True
        self.retry()

    def retry(self) -> None:
        """See ``Sink``."""
        for view in self._views:
            view.try_again()
            view.queue.retry_refused()
        self._talk.pump()

    def holds(self, destination: Destination, /) -> bool:
        """See ``Sink``."""
        if not self._talk.is_open or not self._is_ready:
            return False
        found = ((view.queue, view.inward(destination)) for view in self._views if not view.is_deaf)
        return any(here is not None and queue.holds(here) for queue, here in found)

    def route(self, destination: Destination, /) -> SinkRoute:
        """See ``Sink``."""
        states: list[KeyState] = []
        neighbors: list[NeighborRoute] = []
        for view in self._views:
            here = view.inward(destination)
            state = KeyState(RouteState.ABSENT) if here is None or view.is_deaf else view.queue.state(here)
            states.append(state)
            why_not = DEAF if view.is_deaf else view.why_not(destination) if view.peers else ""
            neighbors.extend(self._neighbor_routes(view, here, state, why_not))
        state = worst(states)
        return SinkRoute(state.state, state.paths[0] if state.paths else None, state.reason, tuple(neighbors))

    def _neighbor_routes(
        self, view: View, here: Destination | None, state: KeyState, why_not: str
    ) -> Iterator[NeighborRoute]:
        for peer in view.peers:
            known = self._neighbors.get(peer)
            family = "" if here is None else form_of(here).family
            if known is None or why_not or not family or family in known.families:
                yield NeighborRoute(peer, state.state, state.paths, why_not or state.reason)
            else:
                yield NeighborRoute(peer, RouteState.ABSENT, (), f"it has no `{family}`")

    def status(self) -> SinkStatus:
        """See ``Sink``. Ready once ExaBGP has answered the opening questions and is not late with an answer."""
        queues = [view.queue for view in self._views if not view.is_deaf]
        return SinkStatus(
            name=self._name,
            ready=self._talk.is_open and self._is_ready and not self._talk.silence,
            confirmed=sum(queue.confirmed for queue in queues),
            pending=sum(queue.pending for queue in queues),
            refused=sum(queue.refused for queue in queues),
            neighbors=tuple(one.neighbor for one in self._neighbors.values()),
            counters=tuple(sorted(self._counters.items())),
            detail="; ".join(self._details()),
        )

    async def run(self) -> None:
        """Talks until ExaBGP says shutdown or closes the stream.

        Raises:
            EnvironmentProblem: this ExaBGP is too old.
        """
        await self._talk.run()

    async def finish(self) -> None:
        """See ``Sink``: withdraws everything where the policy says ``on-exit: withdraw``, and waits for the answers."""
        if self._settings.on_exit is OnExit.WITHDRAW and self._talk.is_open:
            self._is_leaving = True
            for view in self._views:
                view.queue.withdraw_all()
            self._talk.pump()
            await self._talk.drained.wait()

    # -- the speaker -------------------------------------------------------------------------------------------------

    def next_line(self) -> str | None:
        """See ``Speaker``."""
        if self._is_division_due:
            self._divide()
        command = self._next_command()
        if command is not None:
            self._counters[_COMMANDS[command.verb]] += 1
            return command.line()
        if self._waiting_for_rib and self._may_withdraw:
            self._tell_end_of_rib()
        return None

    def _next_command(self) -> Command | None:
        if len(self._views) > 1 and (found := self._next_view()) is not None:
            # It goes to the end, so that views with work of one urgency take turns.
            self._views.remove(found)
            self._views.append(found)
            self._speaking = found
        return None if self._speaking.is_deaf else self._speaking.queue.next_command()

    def _next_view(self) -> View | None:
        views = [view for view in self._views if not view.is_deaf]
        found = [(lane, view) for view in views if (lane := view.queue.first_lane) is not None]
        return min(found, key=lambda one: one[0])[1] if found else None

    def foresee(self) -> None:
        """See ``Speaker``."""
        view = self._speaking if len(self._views) == 1 else self._next_view()
        if view is not None and (command := view.queue.foresee()) is not None:
            command.line()

    def done(self) -> None:
        """See ``Speaker``."""
        command = self._speaking.queue.done()
        self._is_in_doubt = False
        self._speaking.refusals = _TAKEN
        self._counters[_DONE[command.verb]] += len(command.destinations)
        if self._released is not None and command.verb is Verb.WITHDRAW:
            found = map(self._speaking.outward, command.destinations)
            self._released([destination for destination in found if destination is not None])

    def refused(self) -> None:
        """See ``Speaker``."""
        command = self._speaking.queue.error()
        if self._selects:
            self._speaking.is_refused()
        self._counters["errors"] += 1
        if len(command.destinations) == 1:
            what = command.destinations[0]
            log.error("%s refused to %s %s; its log says why", self._name, command.verb.value, what)
        if self._selects and not self._is_in_doubt:
            self._is_in_doubt = True
            self._ask_neighbors()  # it also says so where none of them is there any more

    def unanswered(self) -> None:
        """See ``Speaker``."""
        command = self._speaking.queue.unanswered()
        log.warning("%s never answered a command with %d prefixes: again", self._name, len(command.destinations))

    def session(self, neighbor: NeighborState) -> None:
        """See ``Speaker``."""
        is_up = neighbor.state == "up"
        log.log(
            logging.INFO if is_up else logging.DEBUG,
            "neighbor %s is %s %s",
            neighbor.peer,
            neighbor.state,
            neighbor.reason,
        )
        known = self._neighbors.get(neighbor.peer)
        if known is not None:
            self._neighbors[neighbor.peer] = replace(known, neighbor=neighbor)
        if is_up and self._is_ready:
            self._counters["sessions up"] += 1
            self._waiting_for_rib.add(neighbor.peer)
            self._has_come_up = True
            self._ask_neighbors()
            self.retry()

    def _tell_end_of_rib(self) -> None:
        """The table is out. A neighbour with graceful restart keeps what it had before until it hears of that."""
        peer = self._waiting_for_rib.pop()
        one = self._neighbors.get(peer)
        families = sorted(one.families.intersection(FAMILIES)) if one is not None and one.graceful else []
        for family in families:
            self._talk.ask(Question(end_of_rib(peer, family), _ignore, _nothing))
        if not families and self._waiting_for_rib:
            self._tell_end_of_rib()

    # -- questions ---------------------------------------------------------------------------------------------------

    def _take_version(self, line: str) -> None:
        self._version = self._version or answers.version(line)

    def _check_version(self) -> None:
        if self._version is None:
            raise EnvironmentProblem(f"this is no ExaBGP that says its version; {ALLOWED} is needed")
        self._dialect = dialect_of(self._version)
        self._ask_neighbors()
        self._ask_routes()

    def _ask_neighbors(self) -> None:
        dialect = self._dialect
        if not self._talk.will_ask(dialect.show_neighbors):
            take = self._neighbor_lines.append
            self._talk.ask(Question(dialect.show_neighbors, take, self._take_neighbors, dialect.begins))

    def _take_neighbors(self) -> None:
        found = {one.neighbor.peer: one for one in self._dialect.read_neighbors(self._neighbor_lines)}
        self._neighbor_lines.clear()
        come = found.keys() - self._neighbors.keys()
        self._neighbors = {peer: self._as_known(one) for peer, one in found.items()}
        if self._is_ready and (come or self._has_come_up):
            self._has_come_up = False
            if come:
                log.info("%s has a new neighbor: %s", self._name, ", ".join(sorted(come)))
            # A session came up. ExaBGP may have been reloaded before: a neighbour that is new, back, or has another
            # name or family, has none of the routes that it was given earlier, and nothing tells of that.
            self._ask_routes()
        elif not self._is_ready:
            self._waiting_for_rib.update(peer for peer, one in found.items() if one.neighbor.state == "up")
        self._divide()

    def _as_known(self, one: NeighborFamilies) -> NeighborFamilies:
        """With why it is down, and with what was negotiated last: its table outlives its session."""
        known = self._neighbors.get(one.neighbor.peer)
        if known is None or one.neighbor.state == "up":
            return one
        neighbor = one.neighbor if known.neighbor.state == "up" else known.neighbor
        return replace(one, neighbor=neighbor, add_path=known.add_path)

    def _ask_routes(self) -> None:
        self._talk.ask(Question(SHOW_ROUTES, self._take_route, self._adopt))

    def _take_route(self, line: str) -> None:
        route = held_route(line)
        if route is not None:
            self._found.setdefault(route.peer, {}).update(dict.fromkeys(route.keys, route))

    def _adopt(self) -> None:
        """What ExaBGP holds is known."""
        for view in self._views:
            tables = {peer: self._found.get(peer, {}) for peer in view.peers} if self._selects else self._found
            view.adopt(*holdings(view, tables, self._neighbors))
        self._found = {}
        self._is_ready = True

    # -- views -------------------------------------------------------------------------------------------------------

    def _divide(self) -> None:
        """Divides the neighbours into views, and leaves those that are there where they still are the right ones."""
        if self._is_leaving:
            return
        policy = self._wanted.policy
        division = divide(policy, self._neighbors.values())
        selects = bool(policy.neighbors) or len(division) > 1
        is_same = selects is self._selects and {view.terms for view in self._views} == division.keys()
        if selects:
            is_same = is_same and all(division[view.terms] == view.peers for view in self._views)
        if self._is_policy_new:
            is_same = is_same and not policy.vrfs and not any(view.reads_policy for view in self._views)
        self._is_division_due = self._is_policy_new = False
        if is_same:
            for view in self._views:
                view.peers = division[view.terms]
            return
        before, self._selects = self._views, selects
        self._views = [self._view(terms, peers, before) for terms, peers in division.items()]
        self._speaking = self._views[0]

    def _view(self, terms: Terms, peers: tuple[str, ...], before: list[View]) -> View:
        """A new view, with what its neighbours have from their views before."""
        view = View(terms, peers, self._wanted, selects=self._selects)
        if self._may_withdraw:
            view.queue.allow_withdraw()
        view.adopt(*inherited(before, peers), moves=True)
        view.queue.changed(view.inwards(self._wanted.destinations()), bulk=True, moves=True)
        return view

    def _details(self) -> Iterator[str]:
        if not self._is_ready:
            yield "waiting for ExaBGP's first answers"
        if self._talk.silence:
            yield f"ExaBGP has not answered for {self._talk.silence:g} s"
        for view in self._views:
            if view.is_deaf:
                yield f"neighbor {', '.join(view.peers)}: {DEAF}"
                continue
            for peer in view.peers:
                for family in FAMILIES:
                    if family not in self._neighbors[peer].families and view.queue.holds_family(family):
                        yield f"neighbor {peer} has no `{family}`: it gets none of {_ROUTES[family]}"


_TAKEN = -1 << 62
"""Refusals do not count any more: one command was taken."""

_COMMANDS = {verb: f"{verb.value} commands" for verb in Verb}
_DONE = {Verb.ANNOUNCE: "announced", Verb.WITHDRAW: "withdrawn"}

_NAMES = {"unicast": "routes", "mpls-vpn": "VPN routes", "flow": "flows", "flow-vpn": "VPN flows"}
_ROUTES = {family: f"the IPv{family[3]} {_NAMES[family[5:]]}" for family in FAMILIES}


def _is_version(line: str) -> bool:
    return answers.version(line) is not None


def _ignore(_line: str) -> None:
    """Nobody wants to know."""


def _nothing() -> None:
    """Nothing follows."""
