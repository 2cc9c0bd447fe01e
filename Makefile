# `make help` lists the commands. Every target stands on `install`: the locked dependencies in .venv.

PYTHON ?= python3
BIN := .venv/bin
CATALOGUES := translations/nl/LC_MESSAGES/messages.mo

.DEFAULT_GOAL := help
.PHONY: help install demo demo-reset simulate test lint check-system lock translations bench clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/installed $(CATALOGUES) ## Make .venv with the locked dependencies

.venv/installed: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Coopmail wants Python 3.11 or newer: set PYTHON=…"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "Python's venv is missing: sudo apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

%.mo: %.po .venv/installed
	$(BIN)/pybabel --quiet compile --input-file $< --output-file $@

demo: install ## Run the demonstration cooperative on http://127.0.0.1:8000
	$(BIN)/coopmail demo $(ARGS)

demo-reset: install ## Throw the demonstration away and start over
	$(BIN)/coopmail demo --reset $(ARGS)

simulate: install ## Do the whole round without a person
	$(BIN)/coopmail demo --simulate $(ARGS)

test: install check-system node_modules/installed lint ## Set up what the tests need, and run everything
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

lint: install ## Style, types, templates
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/djlint --lint --quiet templates

check-system: ## Install the system packages of the tests where apt may, else name them
	@sh scripts/system-packages

node_modules/installed: package-lock.json package.json .npmrc
	npm ci --silent
	@touch $@

translations: install ## Bring the Dutch catalogue up to date with the texts in code and templates
	@mkdir -p var
	$(BIN)/pybabel --quiet extract --mapping babel.cfg --keywords lazy --no-location --omit-header --sort-output --output-file var/messages.pot .
	$(BIN)/pybabel --quiet update --no-fuzzy-matching --ignore-obsolete --no-wrap --ignore-pot-creation-date --domain messages --locale nl --input-file var/messages.pot --output-dir translations

bench: install ## Measure what is said to be fast, or one: ARGS="mail --json"
	$(BIN)/python -m benchmarks $(ARGS)

lock: ## Lock the dependencies anew (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 --extra production --extra simulation pyproject.toml --output-file requirements/run.txt
	uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 --extra dev pyproject.toml --output-file requirements/dev.txt

clean: ## Remove what was installed and made, the demonstration's data included
	rm -rf .venv var node_modules $(CATALOGUES)
