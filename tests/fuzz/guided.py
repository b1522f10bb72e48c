"""The same targets with inputs that coverage guides: ``python -m tests.fuzz.guided NAME [options of libFuzzer]``.

NAME is a module of this folder: ``xfrm``, ``rtnetlink``, ``answers``. It begins with the real messages of that module
and with what earlier runs found worth keeping, in ``.lab/fuzz/NAME``; ``-runs=COUNT`` and ``-seed=NUMBER`` are what one
mostly wants. An input that breaks the target is printed, written to ``.lab/fuzz``, and ends the run with an exit code
that is not 0. Needs atheris: ``pip install '.[fuzz]'``.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

__all__ = ["TARGETS", "main"]

TARGETS = ("xfrm", "rtnetlink", "answers")
_FOLDER = Path(__file__).parent.parent.parent / ".lab" / "fuzz"


def main(arguments: list[str], folder: Path = _FOLDER) -> int:
    """Fuzzes until the inputs are used up, where libFuzzer ends the process; the exit code where it cannot begin."""
    if not arguments or arguments[0] not in TARGETS:
        sys.stderr.write(f"usage: python -m tests.fuzz.guided {'|'.join(TARGETS)} [options of libFuzzer]\n")
        return 2
    name, *options = arguments
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        sys.stderr.write("atheris is not installed here: pip install '.[fuzz]'\n")
        return 2
    with atheris.instrument_imports(include=["rri_bgp"]):
        module = importlib.import_module(f"tests.fuzz.{name}")
    corpus = folder / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(module.REAL):
        (corpus / f"real-{number}").write_bytes(data)
    atheris.Setup([sys.argv[0], f"-artifact_prefix={folder}/", *options, str(corpus)], module.target())
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
