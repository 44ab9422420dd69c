# Everything here sets up what it needs in .venv. `make` alone tells what there is.

MAKEFLAGS += --no-print-directory --no-builtin-rules
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements/dev.lock

# A virtual environment whose Python has gone (after an upgrade, say) is made again.
$(shell $(BIN)/python -c '' >/dev/null 2>&1 || rm -f $(VENV)/.locked)

.PHONY: help
help:  ## Tell what can be made
	@echo 'mailtumble: mail in through Amazon SES, kept as events, forwarded at the pace SES allows'
	@echo
	@grep -hE '^[a-z-]+:.*  ## ' $(MAKEFILE_LIST) \
	  | awk -F ':.*  ## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'
	@echo
	@echo 'Start with make demo, then make run. Settings:'
	@echo '  PYTHON=/path/to/python   what .venv is made with (default: the newest, or a clearly quicker one)'
	@echo '  PYTEST_ARGS="-k pacing"  more arguments for pytest, in every test target'
	@echo '  WORKERS=8                how many tests run side by side (default: 2, or 3 with servers)'
	@echo '  SEEDS=5000               seeds of the simulation (default: 150, or 1000 in test-all)'
	@echo '  LOCK_ARGS=--upgrade      make lock takes newer versions of everything'

.PHONY: demo
demo: $(VENV)/.installed  ## Push real mails through the whole system, tell each one's story
	@$(BIN)/mailtumble demo

.PHONY: run
run: $(VENV)/.installed  ## Start AWS, SES and the workers locally: SMTP in on 127.0.0.1:2525
	@$(BIN)/mailtumble local

# Long tests come first, and the tests that share a server run in one process: tests/tiers.py.
PYTEST := $(BIN)/pytest -q --dist loadscope --no-loadscope-reorder

.PHONY: test
test: $(VENV)/.installed  ## Run the quick tests while you work (4 minutes): unit, contract, simulation, one smoke test
	@$(PYTEST) -n $(or $(WORKERS),2) --seeds $(or $(SEEDS),150) -m 'not external and (smoke or not servers)' $(PYTEST_ARGS)

# More processes than cores, since these tests mostly wait.
.PHONY: test-servers
test-servers: $(VENV)/.installed  ## Run the tests that start servers and workers from Python packages
	@$(PYTEST) -n $(or $(WORKERS),3) -m 'servers and not smoke and not external' $(PYTEST_ARGS)

.PHONY: test-all
test-all: $(VENV)/.installed  ## Run all of these, and what needs Java, LocalStack, Terraform, databases
	@$(PYTEST) -n $(or $(WORKERS),3) --seeds $(or $(SEEDS),1000) $(PYTEST_ARGS)

.PHONY: lint
lint: $(VENV)/.installed  ## Check style, types, borders, the reference pages, Terraform
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy --no-error-summary
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tools/tidiness.py
	$(BIN)/python -m tools.reference --check
	tools/lint-terraform.sh

.PHONY: bench
bench: $(VENV)/.installed  ## Measure: run every script in benchmarks/
	@for script in benchmarks/[a-z]*.py; do \
	  test -e "$$script" || { echo 'There is no script in benchmarks/.' >&2; exit 1; }; \
	  echo "== $$script"; $(BIN)/python "$$script" || exit 1; \
	done

.PHONY: lock
lock: $(VENV)/.locked  ## Resolve dependencies anew: exact pins with hashes in requirements/
	tools/lock.sh $(BIN)/pip-compile $(LOCK) --extra local,kcl,dev $(LOCK_ARGS)
	@# What is in the image, and what builds its wheel: the versions that the tests ran with.
	tools/lock.sh $(BIN)/pip-compile requirements/image.lock --extra local,kcl -c $(LOCK) $(LOCK_ARGS)
	tools/lock.sh $(BIN)/pip-compile requirements/build.lock --only-build-deps --build-deps-for wheel -c $(LOCK) $(LOCK_ARGS)

.PHONY: clean
clean:  ## Remove .venv, caches and what was built
	rm -rf $(VENV) .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.locked: $(LOCK) tools/python.sh
	@python=$$(PYTHON='$(PYTHON)' tools/python.sh) && \
	  echo "Making $(VENV) with $$("$$python" --version) (about a minute) ..." && \
	  "$$python" -m venv --clear $(VENV)
	@$(BIN)/pip install -qq --no-input --disable-pip-version-check --require-hashes -r $(LOCK)
	@touch $@

# Without build isolation: the builder comes from the lock too.
$(VENV)/.installed: $(VENV)/.locked pyproject.toml
	@$(BIN)/pip install -qq --no-input --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
