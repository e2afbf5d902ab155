# Everything a checkout needs. `make run` and `make test` set up all by themselves.
.DEFAULT_GOAL := help
.PHONY: help run setup setup-dev test lint format bench accuracy analyses build clean

BIN := .venv/bin

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup ## Set up, then print a run queue latency histogram of 10 s
	$(BIN)/toolkit run runqlat 10 1

setup: ## A virtual environment; as root also the engines and tracefs
	@scripts/setup

setup-dev:
	@scripts/setup dev

test: lint ## Set up, check, and run every test
	$(BIN)/python -m pytest -n 2

lint: setup-dev ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup-dev ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup-dev ## Measure, side by side, as ratios (PART=noop RUNS=5 MIRRORS=/path)
	$(BIN)/python -m scripts.bench $(PART) $(if $(RUNS),--runs $(RUNS)) $(if $(MIRRORS),--mirrors "$(MIRRORS)")

accuracy: setup-dev ## Hold verdicts against observed truth (KERNELS=/path TRUTH="/path ..." MIRRORS=/path)
	$(BIN)/python -m scripts.accuracy --kernels $(KERNELS) $(TRUTH) $(if $(MIRRORS),--mirrors "$(MIRRORS)") \
	    --output docs/accuracy.md

analyses: setup-dev ## Read anew what a release brings along (MIRRORS=/path ROOTS="/ /roots/debian13")
	$(BIN)/python -m scripts.analyses $(if $(MIRRORS),--mirrors "$(MIRRORS)") $(if $(ROOTS),--roots $(ROOTS))

build: setup-dev ## Build the wheel into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## Remove what setup and the tests made
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
