# Two commands do everything: `make demo` and `make test`. The others are for work on the code.
# Each sets up what it needs first, once, and says what it did (lab/setup.sh).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
BIN := .venv/bin
PYTEST := $(BIN)/pytest

.PHONY: help demo test test-kernel faults churn semantics bench bench-lab unit pythons lint rules mutate format lab-up lab-down lab-shell lab-logs
.PHONY: lock clean

help:  ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo:  ## Set up what is missing, then show the main scenario in the container lab
	@lab/with-lab $(BIN)/python -m lab.scenario

test:  ## Set up what is missing, then every test: unit, property, integration, lab, and those that need a kernel with ESP
	@lab/with-lab $(PYTEST) --ignore tests/kernel tests
	@lab/kernel-tier $(BIN)/python -m tests.kernel

test-kernel:  ## Real kernel ESP, on this kernel or in User Mode Linux (a minute); a part: make test-kernel CELLS="-k e6"
	@lab/setup.sh kernel
	@lab/kernel-tier $(BIN)/python -m tests.kernel $(CELLS)

faults:  ## Every fault under every load, in the lab (half an hour); a part: make faults CELLS="-k bgpd"
	@lab/with-lab $(PYTEST) -s lab/faults $(CELLS)

churn: .venv/stamp  ## A minute of somebody who deletes and adds kernel routes at random beside the program, for each family
	@RRI_BGP_CHURN=60 $(PYTEST) tests/integration/test_kernel_churn.py

semantics:  ## Each rule shown in the lab; writes docs/results/semantics.md; a part: make semantics CELLS="-k e13"
	@RRI_SEMANTICS=1 lab/with-lab $(PYTEST) tests/lab/test_semantics_*.py $(CELLS)

bench: .venv/stamp  ## Measure beside the peers, on a quiet machine; writes docs/results/bench.md (a quarter of an hour)
	@$(BIN)/python -m bench --docs

bench-lab:  ## SA event to wire and to upstream's FIB, in the lab, beside table 220 + FRR and an updown script (25 min)
	@lab/with-lab $(BIN)/python -m bench.lab_latency

unit: .venv/stamp  ## The tests that need no root and no docker
	@$(PYTEST) -m 'not lab' --ignore tests/kernel tests

pythons: .venv/stamp  ## Unit and property tests on each Python from 3.11 to 3.13 that is installed
	@tests/pythons.sh

lint: .venv/stamp  ## ruff, mypy --strict, import-linter, a test for every rule
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.rules -q

rules: .venv/stamp  ## Every rule of docs/reference/rules.md, and the tests that hold it
	@$(BIN)/python -m tests.rules

mutate: .venv/stamp  ## Mutation testing of the core (half an hour); the survivors are judged in docs/results/mutation.md
	@$(BIN)/python -m mutmut run
	@$(BIN)/python -m mutmut results

format: .venv/stamp  ## Let ruff format and fix what it can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lab-up: ; @lab/setup.sh && $(BIN)/python -m lab up $(TOPOLOGY)  ## Deploy the lab and leave it running; another: make lab-up TOPOLOGY=semantics
lab-down: ; @$(BIN)/python -m lab down  ## Remove the lab
lab-shell: ; @$(BIN)/python -m lab shell $(or $(NODE),hub)  ## A shell in a node: make lab-shell NODE=upstream
lab-logs: ; @$(BIN)/python -m lab logs $(NODE)  ## The logs of all nodes, or of NODE=…

lock: .venv/stamp  ## Resolve the dependencies anew into the two lock files
	@$(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --python-version 3.11 \
	  --no-header --upgrade -q -o requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --python-version 3.11 \
	  --no-header --upgrade -q --extra dev -c requirements.lock -o requirements-dev.lock

clean:  ## Remove what is built in the checkout (not the docker engine or its image)
	@rm -rf .venv .lab/bin .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache mutants

.venv/stamp: pyproject.toml requirements-dev.lock
	@lab/setup.sh venv
