"""The coverage-guided runs, without the program that guides: they give real messages to the targets that exist."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.fuzz.guided import TARGETS, main


class Atheris(ModuleType):
    """Gives every file of the corpus to the target, once."""

    def __init__(self) -> None:
        super().__init__("atheris")
        self.given: list[bytes] = []

    @contextlib.contextmanager
    def instrument_imports(self, include: list[str]) -> Iterator[None]:
        """See atheris."""
        assert include == ["rri_bgp"]
        yield

    def Setup(self, arguments: list[str], target: Callable[[bytes], object]) -> None:  # noqa: N802  # its name
        """See atheris."""
        self.arguments, self.target = arguments, target

    def Fuzz(self) -> None:  # noqa: N802  # its name
        """See atheris."""
        for file in Path(self.arguments[-1]).iterdir():
            self.given.append(file.read_bytes())
            self.target(self.given[-1])


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_is_given_its_real_messages(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    atheris = Atheris()
    monkeypatch.setitem(sys.modules, "atheris", atheris)
    assert main([name, "-runs=7"], tmp_path) == 0
    assert sorted(atheris.given) == sorted(importlib.import_module(f"tests.fuzz.{name}").REAL)
    assert atheris.arguments[1:] == [f"-artifact_prefix={tmp_path}/", "-runs=7", str(tmp_path / name)]


def test_without_atheris_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "atheris", None)
    assert main(["xfrm"], tmp_path) == 2
    assert capsys.readouterr().err == "atheris is not installed here: pip install '.[fuzz]'\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [[], ["vici"]])
def test_an_unknown_target_is_a_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "xfrm|rtnetlink|answers" in capsys.readouterr().err
