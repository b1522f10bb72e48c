#!/usr/bin/env bash
# Runs the tests that need no root on each supported Python that is installed, each in a virtual environment of its own.
set -euo pipefail
cd "$(dirname "$0")/.."

find_python() {
    local version=$1 candidate
    for candidate in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python; do
        if "$candidate" -c "import sys; sys.exit(sys.version_info[:2] != (3, ${version#3.}))" 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

for version in 3.11 3.12 3.13; do
    if ! python=$(find_python "$version"); then
        echo "python $version: not installed here"
        continue
    fi
    venv=.lab/venv-$version
    lock=$(sha256sum requirements-dev.lock | cut -c1-64)
    if [[ ! -e $venv/stamp || $(<"$venv/stamp") != "$lock" ]]; then
        "$python" -m venv --clear "$venv"
        .venv/bin/uv pip install -q --python "$venv/bin/python" --require-hashes -r requirements-dev.lock
        .venv/bin/uv pip install -q --python "$venv/bin/python" --no-deps --no-build-isolation -e .
        echo "$lock" >"$venv/stamp"
    fi
    echo "python $version:"
    "$venv/bin/pytest" -q -p no:cacheprovider -m 'not lab' tests/unit tests/property
done
