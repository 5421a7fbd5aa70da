# `make demo` and `make test` are all a fresh machine needs: each makes its own .venv with plain pip.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-all lint types unit bench docs clean

demo: .venv/.installed
	$(BIN)/cuello fit digits --labels 100 --out runs/demo --overwrite

test: lint types unit

# With what takes minutes: labs in full, torch.compile, every kind with every optimizer.
test-all: lint types
	$(BIN)/pytest -n 2 --dist loadfile

lint: .venv/.testing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.testing
	$(BIN)/mypy

unit: .venv/.testing
	$(BIN)/pytest -n 2 --dist loadfile -m "not long"

bench: .venv/.bench
	$(BIN)/python -m benchmarks

docs: .venv/.docs
	$(BIN)/sphinx-build -q -W -b html docs docs/_build

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -e .
	@touch $@

.venv/.testing: .venv/.installed
	$(PIP) -e ".[test]"
	@touch $@

.venv/.bench: .venv/.installed
	$(PIP) -e ".[bench]"
	@touch $@

.venv/.docs: .venv/.installed
	$(PIP) -e ".[docs]"
	@touch $@

clean:
	rm -rf .venv .venvs runs dist docs/_build
