# `make demo` sets up, builds a small slide and runs on it; `make test` runs every check that CI runs.
# `make soak` kills thirty runs at thirty places and continues them, and takes the largest networks from training to cells.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: install demo test soak format

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml .ci/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint .ci/constraints.txt --editable ".[test]"
	touch $@

demo: install
	$(BIN)/python workflows/demo/make_slide.py demo/slides
	$(BIN)/wsi-edt run demo/slides --out demo/results
	@echo "To look at it: $(BIN)/wsi-edt view demo/results"

test: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto --dist worksteal

soak: install
	$(BIN)/python -m pytest -m soak -n auto

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
