# Each target sets up what it needs the first time: an environment in .venv, kept until pyproject.toml changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

export OMP_WAIT_POLICY := PASSIVE

.PHONY: demo test quick lint clean

demo: $(VENV)/.run
	$(BIN)/semphy compare --config demo --out runs/demo
	$(BIN)/semphy plot runs/demo
	$(BIN)/semphy compare --config demo-scenes --out runs/demo-scenes
	$(BIN)/semphy plot runs/demo-scenes

test: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

quick: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile -m "not slow"

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/.run: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.test: $(VENV)/.run
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

$(VENV)/.lint: $(VENV)/.run
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[lint]'
	touch $@

clean:
	rm -rf $(VENV) build dist
