"""Two shell globs and what they have in common, against all short words."""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rri_bgp.policy.globs import includes, literal_end, literal_start, meets

WORDS = ["".join(letters) for length in range(6) for letters in product("ab", repeat=length)]
GLOBS = st.text(alphabet="ab*?", min_size=1, max_size=4)


@settings(max_examples=300, deadline=None)
@given(GLOBS, GLOBS)
def test_against_all_short_words(one: str, other: str) -> None:
    mine = {word for word in WORDS if fnmatchcase(word, one)}
    its = {word for word in WORDS if fnmatchcase(word, other)}
    if includes(one, other):
        assert its <= mine
    if mine & its:
        assert meets(one, other)
        assert meets(other, one)
    else:
        # Words of up to eight letters are enough for two globs of four.
        assert not meets(one, other) or any(fnmatchcase(word, one) and fnmatchcase(word, other) for word in LONG)


LONG = ["".join(letters) for length in range(6, 9) for letters in product("ab", repeat=length)]


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("*", "b*"),
        ("**", "?"),
        ("b*", "b*"),
        ("b*", "branch-*"),
        ("b*1", "b?1"),
        ("b?1", "b?1"),
        ("*-*", "a-?*"),
        ("[ab]*", "[ab]*"),
        ("[ab]*", "bc"),
    ],
)
def test_includes(outer: str, inner: str) -> None:
    assert includes(outer, inner)


@pytest.mark.parametrize(
    ("outer", "inner"), [("?", "*"), ("b?", "b*"), ("b*1", "b*"), ("b*", "[b]*"), ("[ab]*", "a*"), ("a.c", "abc")]
)
def test_does_not_include_or_cannot_say(outer: str, inner: str) -> None:
    assert not includes(outer, inner)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("b*", "*1", True),
        ("b*", "c*", False),
        ("*@a.example", "*@b.example", False),
        ("x?", "?y", True),
        ("x?", "?yz", False),
        ("[bc]*", "b*", True),
        ("b*", "branch", True),
        ("b?", "branch", False),
    ],
)
def test_meets(one: str, other: str, expected: bool) -> None:
    assert (meets(one, other), meets(other, one)) == (expected, expected)


def test_what_all_begin_and_end_with() -> None:
    assert [literal_start(glob) for glob in ("ab*c", "abc", "*", "[ab]c")] == ["ab", "abc", "", ""]
    assert [literal_end(glob) for glob in ("ab*c", "abc", "*", "c[ab]", "a[b]c")] == ["c", "abc", "", "", "c"]
