# The study's commands. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

SOURCE ?= auto
BUDGET ?= default
PYTHON ?= python3

VENV := .venv
PAGES := build/pages_env
PY := $(VENV)/bin/python
ALONE := $(PYTHON) scripts/run_alone.py
OUT := build/$(SOURCE)-$(BUDGET)
JOBS ?= 2

.PHONY: dist class html pages_env help env data reproduce reproduce_now notebooks smoke lab experiments test check killed wasm sockets mutants bench clean

help: ## list the commands
	@echo "make COMMAND [SOURCE=auto|published|synthetic] [BUDGET=smoke|default|paper]"
	@sed -n 's/^\([a-z]*\):.*## /  \1\t/p' Makefile | expand -t 16
	@echo "An experiment alone: make" $(EXPERIMENTS)
	@echo "LULC_DATA=FOLDER names a folder that holds the published dataset."
	@echo "EE_BACKEND=auto|google|local names who answers notebook 03 (EE_PROJECT=... at Google)."

env: ## build or repair the virtual environment in .venv
	@$(ALONE) env $(PYTHON) scripts/setup_environment.py --folder $(VENV) $(if $(filter env,$(MAKECMDGOALS)),--next)

data: env ## download and verify the published dataset
	@$(PY) -m lulc_lib data

reproduce: env ## run every notebook; make its figures and results again
	@$(ALONE) reproduce $(MAKE) --no-print-directory reproduce_now SOURCE=$(SOURCE) BUDGET=$(BUDGET)

reproduce_now:
	@began=$$(date +%s) && source=$$($(PY) -m lulc_lib data --resolve $(SOURCE)) && \
	  run=build/$$source-$(BUDGET) && $(PY) scripts/run_notebook.py --check $$run && \
	  $(MAKE) --no-print-directory notebooks SOURCE=$$source BUDGET=$(BUDGET) && \
	  $(PY) scripts/run_notebook.py --summary $$run --began $$began

smoke: env ## the same with tiny trainings, into build/ only
	@$(MAKE) --no-print-directory reproduce BUDGET=smoke

lab: env ## open copies of the notebooks in JupyterLab; all they write goes to build/lab
	@$(PY) scripts/run_notebook.py --copies build/lab
	@env -u LULC_OUTPUT JUPYTER_CONFIG_PATH=$(CURDIR)/scripts/jupyter $(PY) -m jupyter lab build/lab \
	  $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_ARGS)

class: pages_env ## make the lessons' class: a site without installation, and notebooks, in build/
	@$(PAGES)/bin/python scripts/build_class.py $(if $(PYODIDE),--pyodide $(PYODIDE)) \
	  $(if $(ADDRESS),--address $(ADDRESS))

html: pages_env ## render all notebooks as linked pages, in build/html
	@$(PAGES)/bin/python scripts/build_html.py

pages_env:
	@$(ALONE) pages_env $(PYTHON) scripts/setup_environment.py --folder $(PAGES) --extra pages

test: env ## run all tests, JOBS files of them side by side
	@OMP_NUM_THREADS=1 $(PY) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

dist: env ## build both packages, install them in an empty environment, ask for wheels
	@$(PY) scripts/check_packages.py build
	@$(PY) scripts/check_packages.py wheels

check: env ## lint the code of all packages and notebooks
	@$(PY) -m ruff check .

killed: env ## kill make reproduce at 20 random moments, run it again and compare (half an hour)
	@$(PY) tests/killed_runs.py

wasm: env ## run both lessons on 32-bit WebAssembly, as a browser does (minutes)
	@$(ALONE) wasm $(PY) tests/lesson_on_wasm.py

sockets: env ## make smoke, and fail where it asks for an address beyond this machine
	@mkdir -p build && : > build/sockets && PYTHONPATH=$(CURDIR)/tests/loopback \
	  LULC_SOCKETS=$(CURDIR)/build/sockets $(MAKE) --no-print-directory -o env smoke
	@test ! -s build/sockets || { cat build/sockets; exit 1; }

mutants: env ## mutation testing of accuracy/ and of the site rules, in build/mutants (hours)
	@$(ALONE) mutants $(PY) tests/mutants.py

# What the notebooks depend on -----------------------------------------------------------------
# Rooms of the library, each with what it imports (tests/study/test_makefile.py compares).

python = $(shell find $(1) -name '*.py')
all = $(shell find $(1) -type f ! -name '*.pyc')
BOTTOM := $(wildcard lulc_lib/*.py lulc_lib/*.csv) $(call python,lulc_lib/io) requirements.txt
DATA := $(BOTTOM) $(call all,lulc_lib/data)
LANDSCAPE := $(call all,lulc_lib/landscape)
ACCURACY := $(BOTTOM) $(call all,lulc_lib/accuracy)
UNET := $(DATA) $(call python,lulc_lib/accuracy lulc_lib/unet)
EARTH_ENGINE := $(DATA) $(call all,lulc_lib/earth_engine ee_local/src/ee_local)
SITES := $(DATA) $(call all,lulc_lib/sites)
MODEL := lulc_lib/unet/study.pt
FIGURES := scripts/run_notebook.py lulc_lib/figures/__init__.py lulc_lib/figures/style.py
NOTEBOOKS := 01_prepare_scenes 02_train_unet 03_earth_engine_classifiers 04_accuracy_metrics \
  05a_one_matrix 05b_samples_and_leaks 06_fair_comparison 07_illegal_sites
RESULTS := $(if $(filter smoke,$(BUDGET)),$(OUT)/)results/$(SOURCE)
COMPARED := $(foreach name,sweep leave_one_date_out pixel_classifiers study protocols \
  test_scene_ledger,results/published/$(name).json)

notebooks: $(NOTEBOOKS:%=$(OUT)/%.ipynb)
	@if [ $(SOURCE)-$(BUDGET) = published-default ]; then $(PY) scripts/update_readme.py; fi

$(OUT)/01_prepare_scenes.ipynb: $(DATA) $(LANDSCAPE) $(FIGURES) lulc_lib/figures/prepare.py \
  lulc_lib/figures/poland_outline.csv
$(OUT)/02_train_unet.ipynb: $(UNET) $(LANDSCAPE) $(FIGURES) lulc_lib/figures/unet.py $(COMPARED)
$(OUT)/03_earth_engine_classifiers.ipynb: $(EARTH_ENGINE) $(LANDSCAPE) $(ACCURACY) \
  $(FIGURES) lulc_lib/figures/earth_engine.py $(RESULTS)/unet.json
$(OUT)/04_accuracy_metrics.ipynb: $(DATA) $(LANDSCAPE) $(ACCURACY) $(FIGURES) \
  lulc_lib/figures/accuracy.py $(RESULTS)/scenes.json $(RESULTS)/unet.json
$(OUT)/05a_one_matrix.ipynb $(OUT)/05b_samples_and_leaks.ipynb: $(ACCURACY) $(FIGURES) lulc_lib/figures/lesson.py
$(OUT)/06_fair_comparison.ipynb: $(UNET) $(ACCURACY) $(LANDSCAPE) $(FIGURES) \
  lulc_lib/figures/comparison.py results/published/fair_comparison.json \
  results/published/earth_engine.json
$(OUT)/07_illegal_sites.ipynb: $(UNET) $(MODEL) $(LANDSCAPE) $(SITES) $(FIGURES) \
  lulc_lib/figures/sites.py results/synthetic/site_rules.json

# Results that come out the same leave their file untouched, and what reads them is not run again.
$(RESULTS)/scenes.json: $(OUT)/01_prepare_scenes.ipynb
	@:
$(RESULTS)/unet.json: $(OUT)/02_train_unet.ipynb
	@:

$(OUT)/%.ipynb: notebooks/%.ipynb
	@$(PY) scripts/run_notebook.py $< --output $@ --source $(SOURCE) --budget $(BUDGET)

# Notebook 02 reads complete trainings from their checkpoints, so another figure trains nothing
# again; other code of the training or other data do.
NETWORKS := $(if $(filter smoke,$(BUDGET)),$(OUT)/)build/unet/$(SOURCE)/$(BUDGET)
$(OUT)/02_train_unet.ipynb: $(NETWORKS)/.trained_with
$(NETWORKS)/.trained_with: $(UNET) $(if $(filter synthetic,$(SOURCE)),$(LANDSCAPE))
	@rm -rf $(@D) && mkdir -p $(@D) && touch $@

# Experiments --------------------------------------------------------------------------------------
# They make the committed numbers that `make reproduce` only reads, and run when they are asked for
# by name: `make experiments`, or one alone, as `make sweep`. One that is done, with the same code,
# is not run again (build/experiments/); one that was stopped goes on from its checkpoints.

# Their settings are private: a target's variables would else also hold for what it depends on.
EXPERIMENTS := protocols fair_pixels fair_networks fair_comparison study sweep ablation \
  ablation_roads leave_one_date_out leave_one_date_out_plain pixel_classifiers site_rules lesson_numbers landscape_spectra euromine_validation \
  euromine_training earth_engine_at_google
.PHONY: $(EXPERIMENTS)

experiments: $(EXPERIMENTS) ## run every experiment: a day of computing (README: minutes of each)
$(EXPERIMENTS): %: build/experiments/%

LEAVE_OUT := leave_one_date_out --config former --seeds 0 1 2 --jobs $(JOBS)
# Train and assess for hours on a CPU, for minutes on a GPU (--jobs 6); the scenes of
# LULC_ELSEWHERE are used where there are any.
build/experiments/protocols: private BEFORE = $(PY) -m experiments.protocols --prepare && \
  $(PY) -m experiments.protocols --jobs $(JOBS)
build/experiments/protocols: private RUN = protocols --write
build/experiments/study: private RUN = train_study --seeds 0 1 --jobs $(JOBS) --ship
build/experiments/sweep: private RUN = sweep --write
build/experiments/ablation: private RUN = ablation --jobs $(JOBS) --write ablation
build/experiments/ablation_roads: private RUN = ablation --epochs 10 --variants ROADS --jobs $(JOBS) \
  --write ablation_roads
build/experiments/leave_one_date_out: private RUN = $(LEAVE_OUT) --one-pass --write leave_one_date_out
# Its networks are those of leave_one_date_out, which differs after training only.
build/experiments/leave_one_date_out_plain: private BEFORE = cd build/held_out && \
  { test -d leave_one_date_out_plain || cp -r leave_one_date_out leave_one_date_out_plain; }
build/experiments/leave_one_date_out_plain: private RUN = $(LEAVE_OUT) --set logit_adjustment=0 \
  --write leave_one_date_out_plain
build/experiments/fair_pixels: private BEFORE = $(PY) -m experiments.fair_pixels --prepare
build/experiments/fair_pixels: private RUN = fair_pixels --jobs $(JOBS)
build/experiments/fair_networks: private RUN = fair_networks --jobs $(JOBS) && \
  $(PY) -m experiments.fair_regions
build/experiments/fair_comparison: private RUN = fair_comparison
build/experiments/pixel_classifiers: private RUN = pixel_classifiers --write
build/experiments/site_rules: private RUN = site_rules --seeds 20 --write
build/experiments/lesson_numbers: private RUN = lesson_numbers
build/experiments/landscape_spectra: private RUN = landscape_spectra
# Need a download of many gigabytes (lulc data --euromine), or an account at Google: without it
# they end with 2, and `make experiments` goes on.
build/experiments/euromine_validation: private RUN = euromine_validation --write
build/experiments/euromine_training: private RUN = euromine_training
build/experiments/earth_engine_at_google: private RUN = earth_engine_at_google --write
build/experiments/euromine_validation build/experiments/euromine_training \
build/experiments/earth_engine_at_google: \
  private UNLESS = $(if $(filter experiments,$(MAKECMDGOALS)),|| { test $$? -eq 2 && touch $@.absent; })
build/experiments/euromine_validation build/experiments/euromine_training \
build/experiments/earth_engine_at_google: \
  private AFTER = if test -e $@.absent; then rm -f $@ $@.absent; fi

$(EXPERIMENTS:%=build/experiments/%): export LULC_OUTPUT = $(CURDIR)
$(EXPERIMENTS:%=build/experiments/%): | env
	@mkdir -p $(@D)
	$(ALONE) $(@F) bash -euc '($(or $(BEFORE),:)); $(PY) -m experiments.$(RUN) $(UNLESS)'
	@touch $@
	@$(AFTER)

build/experiments/protocols: $(wildcard experiments/protocol*.py) $(UNET) $(LANDSCAPE) \
  $(call python,lulc_lib/accuracy)
build/experiments/study: experiments/train_study.py experiments/held_out.py \
  build/experiments/protocols
build/experiments/sweep: experiments/sweep.py experiments/held_out.py $(UNET)
build/experiments/ablation build/experiments/ablation_roads: \
  experiments/ablation.py experiments/held_out.py $(UNET)
build/experiments/leave_one_date_out: \
  experiments/leave_one_date_out.py experiments/held_out.py $(UNET)
build/experiments/leave_one_date_out_plain: build/experiments/leave_one_date_out
build/experiments/fair_pixels: experiments/fair_pixels.py experiments/protocol_scenes.py $(UNET) \
  $(call python,lulc_lib/accuracy) $(LANDSCAPE) build/experiments/protocols
build/experiments/fair_networks: experiments/fair_networks.py experiments/fair_regions.py \
  build/experiments/fair_pixels
build/experiments/fair_comparison: experiments/fair_comparison.py experiments/fair_ranking.py \
  build/experiments/fair_networks build/experiments/study
build/experiments/pixel_classifiers: \
  experiments/pixel_classifiers.py experiments/held_out.py $(UNET)
build/experiments/site_rules: experiments/site_rules.py experiments/degrade.py $(SITES) \
  $(LANDSCAPE) $(MODEL)
build/experiments/lesson_numbers: experiments/lesson_numbers.py $(DATA) $(LANDSCAPE) \
  $(call python,lulc_lib/accuracy) results/published/protocols.json \
  results/published/earth_engine.json
build/experiments/landscape_spectra: experiments/landscape_spectra.py $(DATA) \
  $(call python,lulc_lib/landscape)
build/experiments/euromine_validation: \
  experiments/euromine_validation.py experiments/euromine_scenes.py $(UNET) $(MODEL)
build/experiments/euromine_training: \
  experiments/euromine_training.py experiments/euromine_validation.py experiments/euromine_scenes.py $(UNET)
build/experiments/earth_engine_at_google: experiments/earth_engine_at_google.py $(EARTH_ENGINE) \
  $(ACCURACY)

# Which experiment writes which committed file. Anything but `make experiments` takes the committed
# files as they are.
ifneq ($(filter experiments,$(MAKECMDGOALS)),)
results/published/study.json results/published/test_scene_ledger.json $(MODEL): \
  build/experiments/study ;
results/published/protocols.json: build/experiments/protocols ;
results/published/fair_comparison.json: build/experiments/fair_comparison ;
results/published/sweep.json: build/experiments/sweep ;
results/published/ablation.json: build/experiments/ablation ;
results/published/ablation_roads.json: build/experiments/ablation_roads ;
results/published/leave_one_date_out.json: build/experiments/leave_one_date_out ;
results/published/leave_one_date_out_plain.json: build/experiments/leave_one_date_out_plain ;
results/published/pixel_classifiers.json: build/experiments/pixel_classifiers ;
results/synthetic/site_rules.json: build/experiments/site_rules ;
lulc_lib/accuracy/lesson/polygons.csv lulc_lib/accuracy/lesson/map_pixels.csv \
  lulc_lib/accuracy/lesson/matrices.csv lulc_lib/accuracy/lesson/importance.csv: \
  build/experiments/lesson_numbers ;
lulc_lib/landscape/spectra.csv: build/experiments/landscape_spectra ;
results/published/earth_engine_at_google.json: build/experiments/earth_engine_at_google ;
else
$(COMPARED) results/synthetic/site_rules.json results/published/fair_comparison.json:
	@echo "$@ is missing: restore it from git, or make it (make $(basename $(@F)))" >&2; exit 1
endif

# Benchmarks ---------------------------------------------------------------------------------------

BENCHMARKS := $(patsubst benchmarks/%.py,%,$(wildcard benchmarks/bench_*.py))
.PHONY: $(BENCHMARKS)

bench: $(BENCHMARKS) ## run the benchmarks
$(BENCHMARKS): env
	@$(PY) benchmarks/$@.py

clean: ## remove what can be made again (not the downloads)
	rm -rf build $(VENV) .pytest_cache .ruff_cache *.egg-info ee_local/src/*.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
