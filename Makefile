# `make demo` and `make test` need nothing but Python (3.11 or newer) and make.
PYTHON ?= python3
BIN := .venv/bin

FLOOR := .venv-floor

.PHONY: demo test test-fast test-floor lint clean

demo: .venv/installed-plot
	$(BIN)/skhp tune

test: lint
	$(BIN)/pytest --numprocesses 2 --dist worksteal

# For the loop of a developer: all but the slow tests, without lint.
test-fast: .venv/installed-test
	$(BIN)/pytest --numprocesses 2 --dist worksteal -m "not slow"

# The suite on the lowest version of each requirement that setup.cfg allows.
test-floor: $(FLOOR)/installed-test
	$(FLOOR)/bin/pytest --numprocesses 2 --dist worksteal

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# One stamp for each extra; installing again where the requirements have changed.
.venv/installed-%: setup.cfg pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[$*]"
	touch $@

.venv/bin/python:
	$(PYTHON) -m venv .venv

$(FLOOR)/installed-test: setup.cfg pyproject.toml tests/floor.py
	$(PYTHON) -m venv $(FLOOR)
	$(PYTHON) tests/floor.py > $(FLOOR)/constraints.txt
	$(FLOOR)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint $(FLOOR)/constraints.txt --editable ".[test]"
	touch $@

clean:
	rm -rf .venv $(FLOOR) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
