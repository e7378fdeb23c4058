PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check all fuzz coverage speed simulate faults screenshots format lock clean
.DEFAULT_GOAL := help

help:  ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

# pip, not uv: torch is installed first and alone, so that nothing else chooses its build.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; found " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

DEMO := runs/demo

demo: $(READY)  ## advice, real runs and a report, on a small cut
	@$(BIN)/advisor models pull
	@$(BIN)/advisor ask --answers examples/answers-handbook.yaml --task handbook-qa --no-input \
		--plan $(DEMO)/plan.yaml --report $(DEMO)/advice.md
	@if [ -f $(DEMO)/run/run.json ]; \
	then $(BIN)/advisor bench --resume $(DEMO)/run; \
	else $(BIN)/advisor bench $(DEMO)/plan.yaml --limit 40 --train-limit 100 --epochs 1 \
		--out $(DEMO)/run; \
	fi

test: check  ## lint, types and all tests, those with real weights included
	@$(BIN)/advisor models pull
	$(BIN)/pytest -m slow -n 2 --dist loadfile --no-loadscope-reorder

check: $(READY)  ## lint, types, import contracts, unit tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -m 'not slow and not fuzz' -n logical

all: test fuzz  ## test, and what is too slow for it

fuzz: $(READY)  ## thousands of broken and hostile files for every loader and command
	$(BIN)/pytest -m fuzz -n 2

coverage: $(READY)  ## what the unit tests reach; measuring it takes as long again as they do
	$(BIN)/pytest -m 'not slow and not fuzz' --cov --cov-report=term:skip-covered

speed: $(READY)  ## measures this harness beside its peers, into reports/speed (hours on two cores)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[speed]'
	@$(BIN)/advisor models pull
	$(BIN)/python -m benchmarks.speed

simulate: $(READY)  ## how often a report is right, by simulation, into reports/simulation (10 minutes on two cores, two hours at most)
	$(BIN)/python -m benchmarks.simulation

faults: $(READY)  ## stages every fault that a run has to survive, into reports/faults.md
	$(BIN)/pytest -m fault --fault-report=reports/faults.md

screenshots: $(READY)  ## pictures of a report at two widths, into docs/ (needs chromium)
	sh docs/screenshots.sh $(BIN)/advisor

format: $(READY)  ## format and fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(READY)  ## pin what is installed now
	$(BIN)/pip freeze --exclude-editable | sed 's/+cpu//' > constraints.txt

clean:  ## remove the environment and caches
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
