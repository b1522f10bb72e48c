"""What the controller knows, as JSON objects: what ``--json`` prints and docs/reference/json.md documents.

Rules of this folder: no I/O; reads the controller, changes nothing. Large tables are made one item at a time, so that a
caller can let others run between them; an item that is None is none, and says only that this is the time for it.
"""

from __future__ import annotations

from collections.abc import Iterator

from rri_bgp.control.protocol import Ask, Request
from rri_bgp.control.views.explain import explanation
from rri_bgp.control.views.kernel import kernel
from rri_bgp.control.views.routes import routes
from rri_bgp.control.views.sas import refusals, sas
from rri_bgp.control.views.state import state
from rri_bgp.control.views.status import status
from rri_bgp.control.views.values import Item
from rri_bgp.controller import Controller
from rri_bgp.errors import UsageError
from rri_bgp.reload import Reloader

__all__ = ["answer"]


def answer(controller: Controller, reloader: Reloader | None, request: Request) -> Iterator[Item | None]:
    """The items that answer a question, made as they are asked for.

    Raises:
        UsageError: the question is wrong, or no question.
    """
    match request.ask:
        case Ask.STATUS:
            return iter([status(controller, reloader)])
        case Ask.ROUTES:
            return routes(controller)
        case Ask.SAS:
            return sas(controller)
        case Ask.REFUSALS:
            return refusals(controller)
        case Ask.KERNEL:
            return kernel(controller)
        case Ask.STATE:
            return state(controller, reloader)
        case Ask.EXPLAIN:
            return explanation(controller, request.text("what"), request.text("vrf"))
    raise UsageError(f"{request.ask.value} is no question")
