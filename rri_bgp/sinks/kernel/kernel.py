"""The kernel as the rest of this folder sees it: what is changed in it, what it is asked, what it refuses.

Rules of this file: values, and one protocol. The kernel carries out a request before the call that sends it returns,
so nothing here is in flight and nothing waits for an answer.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from rri_bgp.model import Address, Prefix
from rri_bgp.rri.reconcile import Place
from rri_bgp.sinks.kernel.wire import BLACKHOLE, RouteNews, Via

__all__ = ["MAIN", "Change", "Kernel", "Question", "Refusal", "Spot", "Verb"]

MAIN = 254
"""RT_TABLE_MAIN."""


class Spot(NamedTuple):
    """A prefix in a table: the places of it, one for each metric, compete for the same traffic."""

    table: int
    prefix: Prefix


class Verb(enum.Enum):
    """What is done about a place."""

    ADD = "add"
    REPLACE = "replace"
    DELETE = "delete"


class Change(NamedTuple):
    """``via`` is what the route leads to from then on, ``nowhere`` its type if that is nothing.

    To delete one they do not matter.
    """

    verb: Verb
    place: Place
    via: Via = ()
    nowhere: int = BLACKHOLE


class Question(NamedTuple):
    """What leads to an address? Out of this device, or in the VRF whose device it is; 0 asks as for any packet."""

    address: Address
    device: int = 0


class Refusal(NamedTuple):
    """The kernel says no: ``errno``, and its own words where it has any."""

    errno: int
    text: str = ""


class Kernel(Protocol):
    """Whom changes and questions go to.

    Raises:
        OSError: it cannot be spoken with, or has lost an answer: what was done nobody knows.
    """

    def change(self, changes: Sequence[Change]) -> Mapping[int, Refusal]:
        """Makes these changes, one after the other. Returns those that were refused, by their index."""

    def ask(self, questions: Sequence[Question]) -> Sequence[RouteNews | Refusal]:
        """An answer for each: the route of a table that matches."""
