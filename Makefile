# `make demo` and `make test` need nothing but Python (3.11 or newer) and make.
PYTHON ?= python3
BIN := .venv/bin

FLOOR := .venv-floor

.PHONY: demo test test-fast test-floor lint docs clean

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

# The site, in docs/_build/html: each warning is an error, the gallery runs, and each page is looked at.
docs: .venv/installed-test .venv/installed-docs
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/sphinx-build -W --keep-going --quiet docs docs/_build/html
	$(BIN)/pytest tests/test_site.py

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
	rm -rf .venv $(FLOOR) build dist docs/_build docs/examples docs/reference *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
