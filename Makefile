# Under the Hood. `make lab` and `make test` are all you need; `make` alone lists the rest.
# Each target works on its own in a fresh clone, and does no work twice: what is done leaves a stamp
# in .venv, newer than the files it was made from. (GNU make 3.81 or newer, so macOS's own will do.)

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# ---- Python ----------------------------------------------------------------------------------------
# The first of these that is 3.11 or newer makes .venv. Another one: `make lab PYTHON=/path/to/python3`
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3 python; do \
    $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

PY := .venv/bin/python
# A stamp's name holds the folder it was made in, because an environment does not survive a move.
HERE := $(shell printf %s "$(CURDIR)" | cksum | cut -d' ' -f1)
PACKAGES := .venv/.stamps/packages-$(HERE)
TOOLS := .venv/.stamps/tools-$(HERE)
NOTEBOOKS := $(wildcard notebooks/*.ipynb)

# Linux gets CUDA's gigabytes with the plain torch wheel. Without an NVIDIA card, the CPU build of the same
# version is tried first, torch alone; if that index is out of reach, requirements.txt installs the plain one.
TORCH := $(shell sed -n 's/^\(torch==[^ ]*\).*/\1/p' requirements.txt)
TORCH_CPU_INDEX := https://download.pytorch.org/whl/cpu
HAS_NVIDIA := command -v nvidia-smi || test -e /dev/nvidiactl || test -e /dev/dxg
PIP_INSTALL := $(PY) -m pip install --disable-pip-version-check

# ---- What a learner needs --------------------------------------------------------------------------

.PHONY: lab
lab: $(PACKAGES) ## set up, then open JupyterLab at the first notebook
	@$(PY) -m helpers.pretrained || echo "Going on without the real models: the notebooks say where they are missed"
	$(PY) -m jupyterlab --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb \
	    $$(test "$$(id -u)" != 0 || echo --allow-root) $(LAB)

.PHONY: setup
setup: $(PACKAGES) $(TOOLS) models ## make .venv with packages, models and test tools

.PHONY: models
models: $(PACKAGES) ## fetch the models (about 180 MB, once), or see that they are all there
	@$(PY) -m helpers.pretrained

$(PY):
	@if [ -z "$(PYTHON)" ]; then \
	    echo "Python 3.11 or newer is needed and none was found: install one, or say which: make PYTHON=/path/to/python3" >&2; exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "$(PYTHON) is not Python 3.11 or newer: install one, or say which: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make a virtual environment: install its venv package (Debian, Ubuntu: sudo apt install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv

$(PACKAGES): requirements.txt pyproject.toml setup.py $(wildcard jupyter_settings/*/*.json) | $(PY)
	@echo "Installing the packages (a few minutes the first time)"
	@if [ "$$(uname -s)" = Linux ] && ! { $(HAS_NVIDIA); } >/dev/null 2>&1; then \
	    $(PIP_INSTALL) --no-deps --retries 1 --timeout 10 --index-url $(TORCH_CPU_INDEX) "$(TORCH)+cpu" 2>/dev/null \
	    || echo "The CPU build of torch is out of reach, so the plain one it is"; fi
	$(PIP_INSTALL) -r requirements.txt
	$(PIP_INSTALL) --quiet --no-deps --editable .
	@$(PY) -m jupyter labextension disable --level=sys_prefix "@jupyterlab/apputils-extension:announcements"
	@mkdir -p $(@D) && touch $@

# ---- What developers need --------------------------------------------------------------------------

$(TOOLS): requirements-dev.txt $(PACKAGES)
	@echo "Installing the test tools"
	$(PIP_INSTALL) --quiet -r requirements-dev.txt
	@touch $@

PYTEST := $(PY) -m pytest
# tests/nbval_plugin.py says how a notebook is run and compared.
NBVAL := $(PYTEST) -p tests.nbval_plugin
# Two at a time, what takes longest comes first, or one is left with it at the end: the later notebooks are the longer
# ones, tests/conftest.py knows the files, and pytest-xdist would have put what has most tests first.
PAIRS := -n 2 --dist loadscope --no-loadscope-reorder
reversed = $(if $(1),$(call reversed,$(wordlist 2,$(words $(1)),$(1))) $(firstword $(1)))
NBVAL_PAIRS := $(NBVAL) $(PAIRS) $(strip $(call reversed,$(sort $(NOTEBOOKS))))
BROWSER := $(PYTEST) tests/browser -n 2 --dist loadscope
# Another CPU, another number of threads: three environments in which every output must stay the same.
ONE_THREAD := OMP_NUM_THREADS=1
AVX2 := ATEN_CPU_CAPABILITY=avx2
HARSHEST := ATEN_CPU_CAPABILITY=default MKL_CBWR=COMPATIBLE ONEDNN_MAX_CPU_ISA=SSE41 OPENBLAS_CORETYPE=Prescott OMP_NUM_THREADS=1

.PHONY: test
test: setup ## set up, then run every test
	@failed=; \
	part() { echo; echo "== $$1"; shift; "$$@" || failed=yes; }; \
	part "Notebooks in the harshest environment, two at a time" env $(HARSHEST) $(NBVAL_PAIRS); \
	part "Notebooks one at a time: no network, under 60 s and 1.5 GB" $(NBVAL) notebooks --most-seconds 60 --most-megabytes 1500; \
	part "Code, two at a time" $(PYTEST) --ignore=tests/browser -n 2 --dist loadfile --no-loadscope-reorder; \
	part "In a browser, two at a time: every control, both themes, how soon it answers" $(BROWSER); \
	test -z "$$failed"

.PHONY: test-shake
test-shake: setup ## every output of every notebook, in three environments
	@failed=; \
	for environment in "$(ONE_THREAD)" "$(AVX2)" "$(HARSHEST)"; do \
	    echo; echo "== $$environment"; env $$environment $(NBVAL_PAIRS) || failed=yes; \
	done; test -z "$$failed"

.PHONY: test-browser
test-browser: setup ## the last part of make test alone: every notebook in JupyterLab and a browser
	$(BROWSER)

.PHONY: notebooks
notebooks: setup ## execute every notebook and save it in place; some of them: make notebooks ONLY="00 01"
	$(PY) tests/execute.py $(ONLY)

.PHONY: lint
lint: $(TOOLS) ## ruff: rules and format, notebooks too
	$(PY) -m ruff check
	$(PY) -m ruff format --check

.PHONY: bench
bench: setup ## run every benchmark
	@for benchmark in $(wildcard benchmarks/*.py); do echo "== $$benchmark"; $(PY) $$benchmark || exit 1; done

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-18s%s\n", $$1, $$2 }'
