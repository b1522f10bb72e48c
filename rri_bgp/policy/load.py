"""The way in: reads a policy file, and makes the checked ``Config`` of it or says all that is wrong with it.

Rules of this file: the only I/O of this folder is here. Whatever the text, the result is a ``Config`` or a
``PolicyError``; never another exception.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from rri_bgp.errors import PolicyError, PolicyErrors
from rri_bgp.policy.build import config_of, policy_of
from rri_bgp.policy.checks import conflicts, late_conflicts
from rri_bgp.policy.config import Config
from rri_bgp.policy.notes import warnings_of
from rri_bgp.policy.report import errors_from, schema_problems
from rri_bgp.policy.schema import PolicyModel
from rri_bgp.policy.yaml_text import MAX_SIZE, Document, Place, Problem, Unreadable, read, split_lines

__all__ = ["load", "parse"]


def load(file: Path) -> Config:
    """The configuration that a policy file holds.

    Raises:
        PolicyError: there is no such file, or it cannot be read.
        PolicyErrors: the file is wrong; has all errors, in file order.
    """
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_SIZE + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PolicyError(f"cannot read the policy: {reason}", where=str(file)) from error
    except ValueError as error:  # a zero byte in the name
        raise PolicyError(f"cannot read the policy: {error}", where=str(file)) from error
    if len(raw) > MAX_SIZE:
        what = f"the file is too large; allowed: up to {MAX_SIZE // 1024 // 1024} MiB"
        raise PolicyErrors(errors_from([Problem(Place(0, 0), "", what)], file, []))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = split_lines(raw[: error.start].decode("utf-8-sig"))
        place = Place(len(before) - 1, len(before[-1]))
        lines = split_lines(raw.decode("utf-8-sig", "replace"))
        what = f"the byte 0x{raw[error.start]:02x} is not UTF-8; allowed: text in UTF-8"
        raise PolicyErrors(errors_from([Problem(place, "", what)], file, lines)) from error
    return parse(text, file)


def parse(text: str, file: Path) -> Config:
    """The configuration that a text holds; ``file`` names it, and is where relative paths start.

    Raises:
        PolicyErrors: the text is wrong; has all errors, in file order.
    """
    lines = split_lines(text)
    try:
        document = read(text)
    except Unreadable as error:
        raise PolicyErrors(errors_from([error.problem], file, lines)) from error
    model, problems = _check(document)
    if model is None or problems:
        raise PolicyErrors(errors_from(problems, file, lines))
    policy = policy_of(model, document, file)
    config = config_of(model, policy, file, warnings_of(file, document.root, model, policy))
    return replace(config, text=text)


def _check(document: Document) -> tuple[PolicyModel | None, list[Problem]]:
    root, problems = document.root, list(document.problems)
    if root.value is None and not problems:
        return None, [Problem(Place(0, 0), "", "the policy is empty; allowed: a mapping that starts with `version: 1`")]
    model: PolicyModel | None = None
    found = conflicts(root)
    try:
        model = PolicyModel.model_validate(root.value)
    except ValidationError as error:
        found += schema_problems(error, root)
    if model is not None and not found:
        found += late_conflicts(model, root)
    # Where the text itself was at fault, what the schema makes of it is no news.
    known = {problem.place for problem in problems}
    return model, problems + [problem for problem in found if problem.place not in known]
