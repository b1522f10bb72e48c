"""``python -m lab up [TOPOLOGY] | down | shell NODE | logs [NODE] | esp``: the lab from the command line."""

from __future__ import annotations

import os
import sys

from lab.harness import Lab, LabError, esp_mode

USAGE = "usage: python -m lab up [TOPOLOGY] | down | shell NODE | logs [NODE] | esp"


def main(arguments: list[str]) -> int:
    """Runs one verb; returns the exit code."""
    lab = Lab()
    match arguments:
        case ["up"] | ["up", _]:
            lab = Lab(topology=arguments[1]) if arguments[1:] else lab
            lab.deploy()
            print(f"the lab is up; ESP: {lab.esp.value}; nodes: {' '.join(lab.nodes())}")
        case ["down"]:
            lab.destroy()
        case ["shell", node]:
            os.execvp("docker", ["docker", "exec", "-it", lab.container(node), "bash"])  # noqa: S606
        case ["logs", *nodes]:
            for node in nodes or lab.nodes():
                print(f"==== {node}", lab.logs(node), sep="\n")
        case ["esp"]:
            print(esp_mode().value)
        case _:
            print(USAGE, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as error:
        sys.exit(f"lab: {error}")
