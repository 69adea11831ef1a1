# Arena's commands. `make help` lists them. Needs: make, and Python 3.11 or newer with venv.
# Options: PORT, HOST, IMPORT (make demo), PYTHON (the interpreter), PYTEST_ARGS (make test, make check).

.POSIX:
.SUFFIXES:
.PHONY: help demo test check check-code check-django lint format bench lock clean clean-data \
	browser-packages demo-setup test-setup

VENV = .venv
BIN = $(VENV)/bin
PY = $(BIN)/python
STEP = @printf '\n== %s\n'
PYTEST_ARGS = -n 2

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1#\2/p' Makefile | while IFS='#' read -r name text; do \
		printf '  make %-12s %s\n' "$$name" "$$text"; done

demo: demo-setup ## set everything up and serve the site (PORT=8000, IMPORT=folder of published votes)
	@exec $(PY) -m arena.ops.demo

test: test-setup browser-packages ## set everything up, then run every check and every test
	@$(MAKE) --no-print-directory check

check: test-setup ## what CI runs: style, types, contracts, migrations, deployment, tests
	@$(MAKE) --no-print-directory check-code
	@$(PY) -m arena.ops.run -- $(MAKE) --no-print-directory check-django
	$(STEP) 'Every check has passed'

lint: test-setup ## the quick part of check: style, templates, types, import contracts
	@$(MAKE) --no-print-directory check-code
	$(STEP) 'mypy (types)'
	@$(BIN)/mypy

format: test-setup ## put code and templates into the project's style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@find templates -name '*.html' -exec $(BIN)/djade {} +

bench: test-setup ## run the quicker measurements of benchmarks/ (half an hour)
	@$(PY) -m benchmarks.ranking.run
	@for file in benchmarks/*/bench_*.py; do \
		name=$$(printf '%s' "$${file%.py}" | tr / .); \
		printf '\n== python -m %s\n' "$$name"; \
		$(PY) -m "$$name" || exit 1; \
	done

lock: test-setup ## resolve requirements/*.in anew and write the lock files
	@[ -x $(BIN)/uv ] || $(PY) -m pip install --quiet uv
	@UV=$(BIN)/uv sh requirements/lock.sh

clean: ## remove the virtual environment and caches; your data in var/ stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

clean-data: ## remove the demo's data: var/, and the database where it lies elsewhere
	rm -rf var
	@for folder in /var/lib/arena-*; do \
		if grep -qs "^Belongs to $$(pwd -P)/" "$$folder/origin"; then \
			echo "rm -rf $$folder"; rm -rf "$$folder"; fi; \
	done

# The steps of check, in the order of their speed. They expect test-setup.

check-code:
	$(STEP) 'ruff check (faults)'
	@$(BIN)/ruff check .
	$(STEP) 'ruff format (layout)'
	@$(BIN)/ruff format --check .
	$(STEP) 'djade (templates)'
	@find templates -name '*.html' -exec $(BIN)/djade --check {} +
	$(STEP) 'lint-imports (stages look left)'
	@$(BIN)/lint-imports

check-django:
	$(STEP) 'mypy (types)'
	@$(BIN)/mypy
	$(STEP) 'makemigrations --check (tables match the models)'
	@$(PY) manage.py makemigrations --check --dry-run
	$(STEP) 'check --deploy (production settings)'
	@SECRET_KEY=$$($(PY) -c 'import secrets; print(secrets.token_urlsafe(60))') \
		ARENA_ENV=production ALLOWED_HOSTS=arena.example LOG_FORMAT=console \
		$(PY) manage.py check --deploy --fail-level WARNING
	$(STEP) 'pytest'
	@$(PY) -m pytest $(PYTEST_ARGS)

# Setting up. A stamp is named for the content of its lock files, so a changed lock installs anew.

demo-setup:
	@PYTHON='$(PYTHON)' sh requirements/setup.sh demo

test-setup:
	@PYTHON='$(PYTHON)' sh requirements/setup.sh test

browser-packages: test-setup
	$(STEP) 'Chromium and fonts (for the browser tests)'
	@$(PY) -m arena.ops.browser_packages
