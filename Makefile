# make demo   a phantom made worse, enhanced and reported on, in demo/
# make test   the test suite
# make lint   style and types
# make clean  remove what make made
#
# The first call makes a virtual environment in .venv (a few minutes); later ones start at once.
# Variables: PYTHON (default python3), PYTEST_ARGS. Where pip knows no CPU wheel of torch it fetches the CUDA build,
# several GB: point pip at PyTorch's CPU wheels first (PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS) if that is not wanted.

PYTHON ?= python3
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint format clean

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

demo: $(INSTALLED)
	@$(BIN)/lucidmr demo demo --overwrite
	@echo "Done: open demo/ to see what was made; report.html shows it before and after."

# One thread: the tests' tensors are small. Starting workers costs more than they save on two cores as long as the suite
# takes less than half a minute; with more of both, make test PYTEST_ARGS="-n 4".
test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
		echo "make: no '$(PYTHON)' found; install Python 3.11 or later, or name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: $$($(PYTHON) --version) is too old, Python 3.11 or later is needed; name one: make PYTHON=python3.12" >&2; \
		exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "make: no virtual environment could be made; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

# pip reads [dependency-groups] from 25.1 on.
$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[nifti]' --group test --group lint
	@touch $@
