# What people type. Needs Python 3.11 or newer, git and make; all else comes from requirements/*.lock.
#
# .venv/.demo and .venv/.dev are stamps: each holds the digest of what was installed, so that an environment that is
# up to date costs a later call nothing but the comparison.

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
SOURCES := orbits_iac providers stacks tenants tests benchmarks

.DEFAULT_GOAL := help
.PHONY: help demo test soak crashes test-live lint types format bench bench-full picture trials install outside lock clean FORCE

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.demo ## Run the agency's three clients on an offline AWS: provision, drift, roll back, resume, remove
	@$(BIN)/python -m orbits_stacks.demo $(ARGS)

test: $(VENV)/.dev outside ## Run the tests; ARGS="-k name" chooses
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(ARGS)

soak: $(VENV)/.dev ## Break workers, MongoDB and the network between them for ten minutes; ARGS="--seed 1 --seconds 60"
	@$(BIN)/python -m tests.soak $(ARGS)

crashes: $(VENV)/.dev ## Crash the engine over MongoDB at more than 2,000 points, four times as many as `make test`
	@ORBITS_CRASHES=whole $(BIN)/python -m pytest tests/orbits_iac/engine/test_crashes_in_mongodb.py $(ARGS)

test-live: $(VENV)/.dev ## Run a course through a sandbox account of AWS itself; docs/aws-access.md says what it needs
	@$(BIN)/python -m pytest tests/live/live_suite.py $(ARGS)

lint: $(VENV)/.dev ## Check style, format and the arrows between packages
	@failed=0; $(BIN)/ruff check . || failed=1; $(BIN)/ruff format --check . || failed=1; \
		$(BIN)/lint-imports || failed=1; exit $$failed

types: $(VENV)/.dev ## Check types with mypy --strict and with pyright
	@$(BIN)/mypy --strict $(wildcard $(SOURCES)) & mypy=$$!; \
		failed=0; $(BIN)/pyright || failed=1; wait $$mypy || failed=1; exit $$failed

format: $(VENV)/.dev ## Format, and mend what ruff can mend by itself
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.dev $(VENV)/rivals/.installed ## Measure what the design promises, beside DBOS, into benchmarks/results
	@set -e; for script in $(sort $(basename $(notdir $(wildcard benchmarks/bench_*.py)))); do \
		$(BIN)/python -m benchmarks.$$script $(ARGS); echo; done
	@$(BIN)/python -m benchmarks.measures

bench-full: bench ## The same, and what takes too long for every day: a cycle of 50,000 units
	@$(BIN)/python -m benchmarks.bench_fleet full $(ARGS)
	@$(BIN)/python -m benchmarks.measures

picture: $(VENV)/.demo ## Draw the README's pictures from a real run of the demo
	@$(BIN)/python -m orbits_stacks.demo --picture docs/pictures $(ARGS)

trials: $(VENV)/.dev ## Try every resource type in the offline AWS, and write docs/offline-types.md from what happened
	@$(BIN)/python -m orbits_aws.offline.types

install: $(VENV)/.dev ## Make .venv with all that work on the project needs
	@echo "Ready: . $(BIN)/activate"

outside: $(VENV)/.dev ## Install the AWS CLI and the CDK CLI, with which tests drive the offline AWS from outside
	@sh requirements/outside.sh "$(VENV)"

# A lock holds versions and hashes, and no address: each installs from the index that their machine uses.
COMPILE = $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --quiet --custom-compile-command "make lock" $(ARGS)
lock: $(VENV)/.dev ## Write requirements/*.lock anew from pyproject.toml; ARGS=--upgrade takes newer versions
	@$(COMPILE) --extra stacks --group build --output-file requirements/demo.lock
	@$(COMPILE) --extra all --group dev --constraint requirements/demo.lock --output-file requirements/dev.lock
	@for group in rivals outside; do \
		$(subst pip compile pyproject.toml,pip compile,$(COMPILE)) --group $$group --output-file requirements/$$group.lock; \
	done
	@sh requirements/npm.sh "$(VENV)" install --prefix requirements/cdk --package-lock-only --omit-lockfile-registry-resolved

# What is measured beside Orbits has an environment of its own: its requirements are none of ours.
$(VENV)/rivals/.installed: requirements/rivals.lock
	@"$(PYTHON)" -m venv --clear $(VENV)/rivals
	@$(VENV)/rivals/bin/python -m pip --disable-pip-version-check --no-input --quiet install --require-hashes \
		--only-binary :all: --no-deps --requirement $<
	@touch $@

clean: ## Remove .venv, caches, and what runs and builds left behind
	@rm -rf $(VENV) .orbits build dist cdk.out .coverage htmlcov .hypothesis .mypy_cache .pytest_cache .ruff_cache \
		.import_linter_cache
	@find $(wildcard $(SOURCES)) -name __pycache__ -type d -prune -exec rm -rf {} +

# The digest is compared at each call rather than times of files, which a checkout or a copy changes.
$(VENV)/.demo $(VENV)/.dev: $(VENV)/.%: FORCE
	@PYTHON="$(PYTHON)" sh requirements/install.sh "$(VENV)" "$*"
