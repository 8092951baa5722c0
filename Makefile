# The study's commands. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

SOURCE ?= auto
BUDGET ?= default
PYTHON ?= python3

VENV := .venv
PY := $(VENV)/bin/python
OUT := build/$(SOURCE)-$(BUDGET)

COMMON := lulc_lib/legend.py lulc_lib/paths.py lulc_lib/results.py scripts/run_notebook.py requirements.txt
DATA := $(shell find lulc_lib/data -name '*.py' -o -name '*.csv')
UNET := $(wildcard lulc_lib/unet/*.py)
EARTH_ENGINE := $(shell find lulc_lib/earth_engine -name '*.py')
ACCURACY := $(shell find lulc_lib/accuracy -name '*.py' -o -name '*.csv')
SITES := $(shell find lulc_lib/sites -name '*.py' -o -name '*.csv')
MODEL := lulc_lib/unet/study.pt
FIGURES := $(wildcard lulc_lib/figures/*)
COMPARED := $(foreach name,sweep ablation ablation_roads left_out left_out_plain pixel_classifiers study,results/published/$(name).json)

.PHONY: help env data reproduce notebooks smoke lab test check bench clean

help: ## list the commands
	@echo "make COMMAND [SOURCE=auto|published|synthetic] [BUDGET=smoke|default|paper]"
	@sed -n 's/^\([a-z]*\):.*## /  \1\t/p' Makefile | expand -t 14
	@echo "LULC_DATA=FOLDER names a folder that holds the published dataset."
	@echo "EE_BACKEND=auto|google|local names who answers notebook 03 (EE_PROJECT=... at Google)."

env: ## build or repair the virtual environment in .venv
	@$(PYTHON) scripts/setup_environment.py --folder $(VENV)

data: env ## download and verify the published dataset
	@$(PY) -m lulc_lib data

reproduce: env ## run every notebook; regenerate every figure and table
	@source=$$($(PY) -m lulc_lib data --resolve $(SOURCE)) && \
	  $(MAKE) --no-print-directory notebooks SOURCE=$$source BUDGET=$(BUDGET)

smoke: env ## the same with tiny trainings, into build/ only
	@$(MAKE) --no-print-directory reproduce BUDGET=smoke

notebooks: $(OUT)/01_prepare_scenes.ipynb $(OUT)/02_train_unet.ipynb \
  $(OUT)/03_earth_engine_classifiers.ipynb $(OUT)/04_accuracy_metrics.ipynb $(OUT)/05_accuracy_pitfalls.ipynb \
  $(OUT)/07_illegal_sites.ipynb
	@if [ $(SOURCE)-$(BUDGET) = published-default ]; then $(PY) scripts/update_readme.py; fi
	@echo "Figures: $$($(PY) scripts/run_notebook.py --where figures --source $(SOURCE) --budget $(BUDGET))"

# An executed notebook depends on its source, the rooms it calls, and the results it reads.
$(OUT)/01_prepare_scenes.ipynb: $(COMMON) $(DATA) $(FIGURES)
$(OUT)/02_train_unet.ipynb: $(COMMON) $(DATA) $(UNET) $(ACCURACY) $(FIGURES) $(COMPARED)
$(OUT)/03_earth_engine_classifiers.ipynb: $(COMMON) $(DATA) $(EARTH_ENGINE) $(ACCURACY) $(FIGURES) $(OUT)/02_train_unet.ipynb
$(OUT)/04_accuracy_metrics.ipynb: $(COMMON) $(DATA) $(ACCURACY) $(FIGURES) $(OUT)/01_prepare_scenes.ipynb $(OUT)/02_train_unet.ipynb
$(OUT)/05_accuracy_pitfalls.ipynb: $(COMMON) $(ACCURACY) $(FIGURES)
$(OUT)/07_illegal_sites.ipynb: $(COMMON) $(DATA) $(UNET) $(MODEL) $(SITES) $(FIGURES) results/synthetic/site_rules.json

$(OUT)/%.ipynb: notebooks/%.ipynb
	@$(PY) scripts/run_notebook.py $< --output $@ --source $(SOURCE) --budget $(BUDGET)

lab: env ## open the notebooks in JupyterLab
	@$(PY) -m jupyter lab notebooks

test: env ## run all tests
	@$(PY) -m pytest

check: env ## lint code and notebooks
	@$(PY) -m ruff check .

bench: env ## run the benchmarks
	@for file in benchmarks/bench_*.py; do $(PY) $$file; done

clean: ## remove what can be made again (not the downloads)
	rm -rf build $(VENV) .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
