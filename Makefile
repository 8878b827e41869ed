# Every verb sets up .venv by itself when it is missing or older than pyproject.toml or constraints.txt.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
FREQGAN := $(VENV)/bin/freqgan
ARGS ?=
# Tests run one thread per process: spinning threads on shared cores cost more than they give.
PYTEST := OMP_NUM_THREADS=1 WANDB_MODE=offline $(VENV)/bin/python -m pytest -n 2 freqgan tests

.PHONY: help install train train-text test test-all test-faults lint type bench clean

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[data,dev]'
	@touch $(STAMP)

install: $(STAMP) ## set up .venv with pip

train: $(STAMP) ## train the frequency GAN on real drawings, about 8 minutes
	$(FREQGAN) train experiment=frequency_gan/openmoji $(ARGS)

train-text: $(STAMP) ## captions to scenes in three stages, their encoders first; about an hour on two cores
	$(FREQGAN) train experiment=image_text_encoder/scenes resume=auto
	$(FREQGAN) train experiment=staged_text_gan/scenes resume=auto $(ARGS)

test: $(STAMP) ## the fast tests, about 15 minutes on two cores
	$(PYTEST) -m "not slow" $(ARGS)

test-all: $(STAMP) ## all tests, the slow ones too
	$(PYTEST) $(ARGS)

test-faults: $(STAMP) ## every promise under the faults it is made against, with a table; ARGS=--faults=foreign: one
	$(PYTEST) -m fault --faults=all $(ARGS)

lint: $(STAMP) ## ruff and the import contracts
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/lint-imports

type: $(STAMP) ## mypy, strict
	$(VENV)/bin/mypy

bench: $(STAMP) ## speed and memory as ratios that hold on a noisy machine
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m tests.bench $(ARGS)

clean: ## remove .venv and caches; run directories stay
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find freqgan tests -name __pycache__ -prune -exec rm -rf {} +
