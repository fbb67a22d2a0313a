# Each target works as the first command after a clone: scripts/bootstrap installs what it needs.

BIN := .venv/bin

# Without compiled code on disk each pause compiles its workflow anew, and each run all tests.
unexport PYTHONDONTWRITEBYTECODE

# Tests side by side; 0 runs them in one process, which a debugger needs.
PYTEST_WORKERS ?= 2
# For example: make test PYTEST_ARGS="tests/domain -k calendar"
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run demo test test-thorough test-slow check bench screenshots histories pins clean runtime-venv test-venv

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: runtime-venv ## Start the local stack
	@$(BIN)/account-pause up

demo: runtime-venv ## Watch one pause from its start to its resume
	@$(BIN)/account-pause demo

test: test-venv ## Run the tests (PYTEST_ARGS, PYTEST_WORKERS)
	@$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist worksteal $(PYTEST_ARGS)

test-thorough: test-venv ## Run what `make test` leaves out: whole matrices, both databases, processes
	@$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist worksteal -m "thorough and not slow" $(PYTEST_ARGS)

test-slow: test-venv ## Run the tests that take minutes each
	@$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist worksteal -m slow --timeout 1200 $(PYTEST_ARGS)

check: test-venv ## Lint, format, types and import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# For example: make bench BENCH_ARGS="storm --pauses 5000"
BENCH_ARGS ?=

bench: test-venv ## Measure what a pause costs, and say which budgets are met (BENCH_ARGS)
	@$(BIN)/python -m benchmarks $(BENCH_ARGS)

screenshots: test-venv ## Make the pictures of docs/pages.md and docs/web-ui.md anew
	@MAKE_SCREENSHOTS=1 $(BIN)/python -m pytest -q -m "slow or not slow" \
		tests/browser/test_screenshots.py tests/browser/test_temporal_ui.py

histories: test-venv ## Record the replay histories anew; only before the first release
	@$(BIN)/python -m tests.replay.record

# Keeps the pins that still fit; `make pins UPGRADE=--upgrade` moves all to their newest.
UPGRADE ?=
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url $(UPGRADE)

pins: test-venv ## Recompile requirements/*.txt from pyproject.toml (UPGRADE=--upgrade)
	$(COMPILE) --extra local pyproject.toml requirements/runtime.in \
		--output-file requirements/runtime.txt
	$(COMPILE) pyproject.toml requirements/runtime.in --constraints requirements/runtime.txt \
		--output-file requirements/production.txt
	$(COMPILE) --group test --group check --group pins --constraints requirements/runtime.txt \
		--output-file requirements/test.txt

clean: ## Remove .venv, caches and build artefacts; the local stack's data stays
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache \
		.hypothesis
	find . -name __pycache__ -type d -not -path "./.git/*" -prune -exec rm -rf {} +

runtime-venv:
	@scripts/bootstrap runtime

test-venv:
	@scripts/bootstrap test
