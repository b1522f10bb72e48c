"""The kinds of values a policy file holds that have a syntax of their own: access list lines, networks, guard rules.

Rules of this file: those of ``fields``; the parser is ``access_lists``, and an error is at the word that is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

from pydantic import PlainValidator
from pydantic.json_schema import WithJsonSchema

from rri_bgp.model import Prefix
from rri_bgp.policy.access_lists import Line, TextError, parse_allow, parse_line, parse_network
from rri_bgp.policy.fields import wrong
from rri_bgp.policy.yaml_text import show
from rri_bgp.rri.entries import AllowRule

__all__ = ["Allow", "ListLine", "Network"]

_T = TypeVar("_T")


def _parsed(value: object, parse: Callable[[str], _T], what: str) -> _T:
    if not isinstance(value, str) or not value.strip():
        raise wrong(f"{show(value)} is {what}")
    try:
        return parse(value)
    except TextError as error:
        raise wrong(error.what, error.hint, error.offset) from None


def _line(value: object) -> tuple[Line, str]:
    what = "no line of an access list; allowed: permit|deny PROTOCOL SOURCE DESTINATION"
    return _parsed(value, parse_line, what), str(value)


def _network(value: object) -> tuple[Prefix, ...]:
    return _parsed(value, parse_network, "no network; allowed: A/length, host A, A WILDCARD")


def _allow(value: object) -> AllowRule:
    return _parsed(value, parse_allow, "no rule; allowed: A/length, then ge N, le N, or both")


def _text(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


ListLine = Annotated[tuple[Line, str], PlainValidator(_line), _text(r"^\s*(permit|deny)(\s+\S+){3,}\s*$")]
"""The line, and its text."""
Network = Annotated[
    tuple[Prefix, ...], PlainValidator(_network), _text(r"^\s*(host\s+)?[0-9A-Fa-f:.]+(/[0-9]+)?(\s+[0-9.]+)?\s*$")
]
Allow = Annotated[
    AllowRule, PlainValidator(_allow), _text(r"^\s*[0-9A-Fa-f:.]+/[0-9]+(\s+ge\s+[0-9]+)?(\s+le\s+[0-9]+)?\s*$")
]
