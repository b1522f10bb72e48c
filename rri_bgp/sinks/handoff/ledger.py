"""What is in the hand-off table, what should be, and what to change next: level-triggered, without I/O or clock.

Rules of this file: a prefix has at most one place among those that wait, so memory is bounded by the number of routes.
What is to be done is worked out when its turn comes. Where a prefix has another tag, the new route comes before the old
one goes: whoever announces the table sends one UPDATE and no withdraw (rule E13).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from rri_bgp.model import Prefix
from rri_bgp.sinks.handoff.marks import Mark

__all__ = ["Change", "Ledger"]

Desired = Callable[[Prefix], Mark | None]
"""The mark that the route to a prefix should have now, None for no route."""

_AT_ONCE = 50
"""More destinations than this are a large change: single ones go before them."""


class Change(NamedTuple):
    """A route to add, or to delete. ``replaces``: there is one of ours with this metric, of another type."""

    prefix: Prefix
    mark: Mark
    gone: bool = False
    replaces: bool = False


class Ledger:
    """See the head of this file. A batch is asked for, sent, and answered: then comes the next."""

    def __init__(self, desired: Desired) -> None:
        self._desired = desired
        self._held: dict[Prefix, tuple[Mark, ...]] = {}
        """What is there: one mark a prefix, but for a moment."""
        self._single: dict[Prefix, None] = {}
        self._bulk: dict[Prefix, None] = {}
        self._unwanted: dict[Prefix, None] = {}
        """There, wanted by nobody, and kept until that may go."""
        self._refused: dict[Prefix, str] = {}
        self._flying: list[Change] = []
        self._touched: set[Prefix] | None = None
        """What has changed since the dump began that is to be adopted; None while there is none."""
        self._may_delete = False

    # -- what is wanted ----------------------------------------------------------------------------------------------

    def changed(self, prefixes: Iterable[Prefix], *, bulk: bool = False) -> None:
        """Looks again at these."""
        found = dict.fromkeys(prefixes)
        if bulk or len(found) > _AT_ONCE:
            self._bulk.update((prefix, None) for prefix in found if prefix not in self._single)
            return
        for prefix in found:
            self._bulk.pop(prefix, None)
            self._single[prefix] = None

    def allow_delete(self) -> None:
        """From now on what nobody wants goes."""
        self._may_delete = True
        unwanted, self._unwanted = self._unwanted, {}
        self.changed(unwanted, bulk=True)

    def delete_all(self) -> None:
        """Nothing is wanted any more."""
        self._desired = _nothing
        self.allow_delete()
        self.changed(self._held, bulk=True)

    def retry(self) -> None:
        """What was refused is tried again."""
        refused, self._refused = self._refused, {}
        self.changed(refused, bulk=True)

    # -- what is there -----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A dump of the table begins: what changes from now on is newer than what it says."""
        self._touched = set()

    def adopt(self, found: dict[Prefix, tuple[Mark, ...]]) -> None:
        """The dump is over, and these are our routes: what was not known is looked at, and what was refused.

        What has changed since ``begin`` is known better here.
        """
        touched, self._touched = self._touched or set(), None
        before, self._held = self._held, found
        for prefix in touched:
            self._put(prefix, before.get(prefix, ()))
        self.changed([prefix for prefix, marks in found.items() if before.get(prefix) != marks], bulk=True)
        self.changed(before.keys() - found.keys(), bulk=True)
        self.retry()

    def heard(self, prefix: Prefix, mark: Mark, *, gone: bool) -> None:
        """Somebody else has put a route of ours there, or has taken one away."""
        self._note(prefix, mark, gone=gone)
        if not self._is_right(prefix):
            self.changed((prefix,))

    def _is_right(self, prefix: Prefix) -> bool:
        mark = self._desired(prefix)
        return self._held.get(prefix, ()) == (() if mark is None else (mark,))

    def _note(self, prefix: Prefix, mark: Mark, *, gone: bool) -> None:
        """A route is there now, or is not. Of one metric there is one route."""
        others = tuple(one for one in self._held.get(prefix, ()) if one.metric != mark.metric)
        self._put(prefix, others if gone else (*others, mark))
        if self._touched is not None:
            self._touched.add(prefix)

    def _put(self, prefix: Prefix, marks: tuple[Mark, ...]) -> None:
        if marks:
            self._held[prefix] = _shared(*marks)
        else:
            self._held.pop(prefix, None)

    # -- batches -----------------------------------------------------------------------------------------------------

    def next_batch(self, most: int) -> list[Change]:
        """What to do next, in this order: ``most`` prefixes at most. Empty where there is nothing to do."""
        while self._single or self._bulk:
            waiting = self._single or self._bulk
            prefixes = list(islice(waiting, most))
            for prefix in prefixes:
                del waiting[prefix]
            self._flying = [change for prefix in prefixes for change in self._changes(prefix)]
            if self._flying:
                break
        return self._flying

    def _changes(self, prefix: Prefix) -> list[Change]:
        held, mark = self._held.get(prefix, ()), self._desired(prefix)
        self._refused.pop(prefix, None)
        self._unwanted.pop(prefix, None)
        if mark is None:
            if held and not self._may_delete:
                self._unwanted[prefix] = None
                return []
            return [Change(prefix, one, gone=True) for one in held]
        others = [one for one in held if one.metric != mark.metric]
        wrong = [] if mark in held else [Change(prefix, mark, replaces=len(others) < len(held))]
        return wrong + [Change(prefix, one, gone=True) for one in others]

    def answered(self, failures: Mapping[int, str]) -> None:
        """The batch was carried out, but for these: the number of a change in it, and why not."""
        changes, self._flying = self._flying, []
        for number, change in enumerate(changes):
            if number in failures:
                self._refused[change.prefix] = failures[number]
            else:
                self._note(change.prefix, change.mark, gone=change.gone)

    def unanswered(self) -> None:
        """Nobody knows what became of the batch: a dump will tell."""
        changes, self._flying = self._flying, []
        self.changed((change.prefix for change in changes), bulk=True)

    # -- for people --------------------------------------------------------------------------------------------------

    def marks(self, prefix: Prefix) -> tuple[Mark, ...]:
        """What is there for a prefix."""
        return self._held.get(prefix, ())

    def is_pending(self, prefix: Prefix) -> bool:
        """Whether it waits for its turn."""
        return prefix in self._single or prefix in self._bulk

    def refusal(self, prefix: Prefix) -> str:
        """Why the kernel did not do it, empty where it did."""
        return self._refused.get(prefix, "")

    @property
    def confirmed(self) -> int:
        """How many prefixes have a route."""
        return len(self._held)

    @property
    def pending(self) -> int:
        """How many wait for their turn."""
        return len(self._single) + len(self._bulk)

    @property
    def refused(self) -> int:
        """How many the kernel refused."""
        return len(self._refused)


@lru_cache(4096)
def _shared(*marks: Mark) -> tuple[Mark, ...]:
    """One value for all prefixes of one mark: there are many routes and few tags."""
    return marks


def _nothing(_: Prefix) -> None:
    """Nothing is wanted."""
