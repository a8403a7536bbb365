# The README's two commands are `make race` and `make test`; each does its own set-up in .venv and is quick the second time.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: race test lint types suite bench claims pictures clean

race: $(VENV)/.run
	$(BIN)/slalom race

test: lint types suite

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .

types: $(VENV)/.test
	$(BIN)/mypy

suite: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -rs -n 2 --dist worksteal --doctest-modules slalom tests

bench: $(VENV)/.test
	$(BIN)/python -m benchmarks

claims: $(VENV)/.run
	$(BIN)/slalom claims run --all

pictures: $(VENV)/.test
	mkdir -p docs/pictures
	for s in saddle beale noisy_moons; do $(BIN)/slalom landscape $$s --save docs/pictures/$$s.webp --frames 60 || exit 1; done
	for t in rotation momentum-and-nag batch-size adagrad-shrinks bias-correction activations; do \
	    $(BIN)/slalom landscape --teach $$t --save docs/pictures/$$t.png || exit 1; done
	$(BIN)/slalom landscape --teach learning-rate --save docs/pictures/learning-rate.webp --frames 41
	$(BIN)/slalom landscape --train digits --save docs/pictures/runs.png

clean:
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/.run: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Slalom needs Python 3.11 or newer; set PYTHON=/path/to/it.'; exit 1; }
	@echo 'Setting up $(VENV): under a minute with a warm pip cache, longer where torch must be downloaded.'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.run
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@
