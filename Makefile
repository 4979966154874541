# What one can do here. `make` alone lists it. Needs python3 >= 3.11 with venv, and a package index.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
SILENTLY := sh tools/silently
SOURCES := src tests tools

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help env demo up test faults check fix lock assets catalogues clean check-lint check-format check-rules \
	check-sentences check-imports check-types check-templates check-migrations check-django

help: ## list what one can do
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

env: $(VENV)/.dev ## build the environment of a developer in .venv

demo: $(VENV)/.base ## a sample university, one request through all five activities; ARGS="--exit --json"
	@$(PY) -m circular demo $(ARGS)

up: $(VENV)/.base ## run Circular on ./data (see README, "Run it for real")
	@$(PY) -m circular up $(ARGS)

# Without CIRCULAR_DATABASE_URL the tests start the included PostgreSQL in a folder of their own.
test: $(VENV)/.dev ## run every test on every core; ARGS="tests/pure -x", ARGS="-n 0"
	@CIRCULAR_DATA_FOLDER=$${CIRCULAR_DATA_FOLDER:-build/test-data} \
	  $(PY) -m pytest -n auto --dist loadgroup $(ARGS)

# Needs root for namespaces, and strace, faketime and iproute2 of Debian.
faults: $(VENV)/.dev ## kill, cut and fill what Circular sends with; ARGS="--full --scenario 1"
	@PYTHONPATH=tests $(PY) -m faults $(ARGS)

# Every process that a test starts would compile everything again.
unexport PYTHONDONTWRITEBYTECODE

# Taste (H015), marks that CSS fills (H020), letters' inline styles (H021; pages: tools/house_rules.py),
# search engines that never see these pages (H030, H031), merge fields (H055), fixed addresses (D018).
TEMPLATE_IGNORES := --ignore=H015,H020,H021,H030,H031,H055,D018

CHECKS := lint format rules sentences imports types templates migrations django

check: $(VENV)/.dev ## what must print nothing before a commit
	@$(MAKE) --no-print-directory --keep-going --jobs=2 $(CHECKS:%=check-%)

check-lint:
	@$(SILENTLY) $(PY) -m ruff check --quiet $(SOURCES)
check-format:
	@$(SILENTLY) $(PY) -m ruff format --check --quiet $(SOURCES)
check-rules:
	@$(SILENTLY) $(PY) tools/house_rules.py
check-sentences:
	@$(SILENTLY) $(PY) tools/catalogues.py check
check-imports:
	@$(SILENTLY) $(PY) -c "from importlinter.cli import lint_imports_command as c; c()"
check-types:
	@$(SILENTLY) $(PY) -m mypy $(SOURCES)
check-templates:
	@$(SILENTLY) $(PY) -m djlint src --lint --quiet --profile=django $(TEMPLATE_IGNORES)
check-migrations:
	@$(SILENTLY) $(PY) -m circular.config.manage makemigrations --check --dry-run
check-django:
	@$(SILENTLY) $(PY) -m circular.config.manage check --fail-level WARNING

fix: $(VENV)/.dev ## let the formatters mend what they can
	@$(PY) -m ruff check --fix --quiet $(SOURCES) || true
	@$(PY) -m ruff format --quiet $(SOURCES)

catalogues: $(VENV)/.dev ## collect the sentences of code and templates into the catalogues
	@$(PY) tools/catalogues.py update
	@$(PY) tools/catalogues.py compile

LOCK := $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header

lock: $(VENV)/.dev ## renew requirements/*.txt; ARGS="--upgrade"
	$(LOCK) $(ARGS) requirements/base.in -o requirements/base.txt
	$(LOCK) $(ARGS) requirements/dev.in -o requirements/dev.txt

assets: $(VENV)/.dev ## fetch the vendored page assets again, as their lock file pins them
	$(PY) tools/assets/vendor.py

clean: ## remove what was built; data folders stay
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(VENV)/bin/python:
	@mkdir -p $(dir $(VENV))
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else \
	  "Circular needs Python 3.11 or newer; this is %d.%d. Name another one: make PYTHON=python3.12 ..." % v[:2])'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "python3 cannot make environments: install python3-venv (Debian) or a complete Python." >&2; exit 1; }

# --no-deps: the lock files name everything; --only-binary: no compiler is needed, ever.
INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
	--only-binary :all:

$(VENV)/.base: $(VENV)/bin/python requirements/base.txt tools/link.py $(wildcard src/circular/locale/*/LC_MESSAGES/*.po)
	@$(INSTALL) -r requirements/base.txt
	@$(PY) tools/link.py
	@$(PY) tools/catalogues.py compile
	@touch $@

$(VENV)/.dev: $(VENV)/.base requirements/dev.txt
	@$(INSTALL) -r requirements/dev.txt
	@touch $@
