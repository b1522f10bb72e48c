"""Every error this program raises on purpose.

::

    RriError                 has where, what, hint; prints as one clear line
    ├── UsageError           exit 2: the command line asks for what cannot be
    ├── PolicyError          exit 2: a policy file is wrong (where = file:line:column)
    │   └── PolicyErrors     several of them, found in one reading
    ├── UnreachableError     exit 2: a socket, program or container that should answer does not
    ├── EnvironmentProblem   exit 2: this machine lacks something (a program too old, a port taken, a right)
    └── ProtocolError        the other side broke its protocol; a running controller logs, counts and reconnects
        ├── ViciError        charon's VICI socket
        ├── ExabgpError      ExaBGP's process API
        └── NetlinkError     the kernel's netlink, rtnetlink and XFRM: cut short, or it says no

An error says *where* (file:line:column, socket, program), *what* is wrong and what is allowed, and, when there is
one, a *hint*: the next thing to try. Whoever raises it knows who is at fault, and picks the class by that.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

__all__ = [
    "EnvironmentProblem",
    "ExabgpError",
    "NetlinkError",
    "PolicyError",
    "PolicyErrors",
    "ProtocolError",
    "RriError",
    "UnreachableError",
    "UsageError",
    "ViciError",
    "rri_error_in",
]


class RriError(Exception):
    """The base; never raised itself."""

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.where = where
        self.what = what
        self.hint = hint

    @property
    def line(self) -> str:
        """Where and what, without the hint: for a log."""
        return f"{self.where}: {self.what}" if self.where else self.what

    def __str__(self) -> str:
        return f"{self.line}\n  hint: {self.hint}" if self.hint else self.line


def rri_error_in(error: BaseException) -> RriError | None:
    """The error of ours that this is, or that a group of nothing but such errors holds first; None otherwise."""
    if isinstance(error, BaseExceptionGroup):
        found = [rri_error_in(one) for one in error.exceptions]
        return None if None in found else found[0]
    return error if isinstance(error, RriError) else None


class UsageError(RriError):
    """The command line asks for what cannot be done."""


class PolicyError(RriError):
    """A policy file is wrong.

    ``where`` is ``file:line:column: path``; ``excerpt`` is the source line with a caret under the place.
    """

    def __init__(self, what: str, *, where: str = "", hint: str = "", excerpt: str = "") -> None:
        super().__init__(what, where=where, hint=hint)
        self.excerpt = excerpt

    def __str__(self) -> str:
        parts = [self.line]
        if self.excerpt:
            parts.append(self.excerpt)
        if self.hint:
            parts.append(f"  hint: {self.hint}")
        return "\n".join(parts)


class PolicyErrors(PolicyError):
    """All that one reading of a policy file found, in file order."""

    def __init__(self, errors: Sequence[PolicyError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = tuple(errors)


class UnreachableError(RriError):
    """A socket, program or container that should answer does not."""


class EnvironmentProblem(RriError):
    """This machine lacks something: a program is too old, a port is taken, a right is missing."""


class ProtocolError(RriError):
    """The other side broke its protocol."""


class ViciError(ProtocolError):
    """charon sent what the VICI protocol does not allow, or refused a request."""


class ExabgpError(ProtocolError):
    """ExaBGP answered what its process API does not allow."""


class NetlinkError(ProtocolError):
    """The kernel said what cannot be read, or refused a request: ``code`` is its errno then, 0 otherwise."""

    def __init__(self, what: str, *, code: int = 0) -> None:
        super().__init__(f"{what}: {os.strerror(code)}" if code else what)
        self.code = code
