"""What changes something: ``Ask.RELOAD`` and ``Ask.CONFIRM``. The rights of the control socket say who may."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from rri_bgp.control.protocol import Ask, Request
from rri_bgp.control.views.changes import changes
from rri_bgp.control.views.values import Item
from rri_bgp.errors import UsageError
from rri_bgp.reload import Reloaded, Reloader

__all__ = ["obey"]

_PIECE = 100
"""Routes that are compared between two turns of everybody else."""


async def obey(reloader: Reloader | None, request: Request) -> Iterable[Item | None]:
    """Does what is asked. Returns what is answered, as ``views.answer`` does.

    Raises:
        UsageError: it cannot be done now.
        PolicyError: the policy cannot be read, or is wrong.
    """
    if reloader is None:
        raise UsageError("this controller takes no other policy while it runs")
    if request.ask is Ask.CONFIRM:
        return [{"file": str(reloader.confirm().file)}]
    file, confirm = request.text("file"), request.seconds("confirm")
    if file and not Path(file).is_absolute():
        raise UsageError(f"{file!r} is no absolute path")
    return _report(await reloader.reload(Path(file) if file else None, confirm), confirm)


def _report(done: Reloaded, confirm: float | None) -> Iterator[Item | None]:
    """Each change, as ``plan`` foretells it, and then how many there were."""
    counts: Counter[str] = Counter()
    for number, change in enumerate(changes(done.policy_before, done.before, done.config.policy, done.after), 1):
        if change is not None:
            counts[change["action"]] += 1
            yield {"change": change}
        elif number % _PIECE == 0:
            yield None
    yield {
        "file": str(done.config.file),
        "announced": counts["announce"],
        "withdrawn": counts["withdraw"],
        "changed": counts["change"],
        "routes": done.routes,
        "warnings": list(done.config.warnings),
        "later": list(done.later),
        "confirm": confirm,
    }
