# One target for each thing a person does. `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SITE = $(shell $(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")
PIP := $(PYTHON) -m pip --python $(BIN)/python --disable-pip-version-check -qq
# The MNIST files of a folder that lies beside this one are used where nothing else is named.
INKWELL_MNIST_DIR ?= $(realpath $(wildcard ../shared/mnist))
export INKWELL_MNIST_DIR

.DEFAULT_GOAL := help
.PHONY: help up down test test-unit test-integration lint type peers bench bench-training articles browser test-browser screenshots \
	bench-jobs bench-serving bench-pen chaos soak audit lock clean

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

up: $(VENV)/installed ## install, start Redis, worker and service, train a first model
	@$(BIN)/inkwell up

down: ## stop what `make up` started
	@$(BIN)/inkwell down

# Tests start hundreds of processes of ours: what the first has compiled, the others need not.
unexport PYTHONDONTWRITEBYTECODE

# Many tests wait for processes: three workers a core. A file's tests stay in one worker. The files come in
# order of tests/conftest.py, the long ones first: xdist's own begins with those of many tests, mostly short.
PYTEST := $(BIN)/python -m pytest --numprocesses $(shell expr 3 \* $$(nproc)) --dist loadfile --no-loadscope-reorder

test: $(VENV)/developed ## run every test
	@$(PYTEST)

test-unit: $(VENV)/developed ## run the tests that start no server
	@$(PYTEST) -m "not integration"

test-integration: $(VENV)/developed ## run the tests that start Redis, worker and gunicorn
	@$(PYTEST) -m integration

lint: $(VENV)/developed ## check style and spelling
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/codespell

type: $(VENV)/developed ## check types
	@$(BIN)/mypy

peers: $(VENV)/developed ## install what some tests and benchmarks compare with: PyTorch, ONNX, pandas
	@$(PIP) install --require-hashes --only-binary :all: -r requirements-peers.lock
	@$(PIP) install torch==2.13.0

browser: $(VENV)/developed ## install what drives Chromium through the pages; Chromium itself is Debian's
	@command -v chromium >/dev/null || echo "Chromium is missing: apt-get install chromium"
	@$(PIP) install --require-hashes --only-binary :all: -r requirements-browser.lock

test-browser: browser ## run the tests that use the pages as a person does
	@$(PYTEST) -m browser

screenshots: browser ## make a picture of each page in var/screenshots, light and dark, wide and narrow
	@$(BIN)/python -m benchmarks.screenshots

bench-pen: browser ## measure in the browser how long it takes from the pen to the moved bars
	@$(BIN)/python -m benchmarks.pen_to_bars

chaos: $(VENV)/developed ## break one thing at a time under load, longer than the tests do, and print what was seen
	@CHAOS_SECONDS=60 $(BIN)/python -m pytest -q tests/chaos tests/integration/test_schemathesis.py

soak: $(VENV)/developed ## ask everything of a stack for an hour, and print what its processes hold meanwhile
	@$(BIN)/python -m benchmarks.soak

bench: $(VENV)/developed ## print the figures of the README
	@$(BIN)/python -m benchmarks.headline

bench-training: peers ## print the leaderboard of training, beside PyTorch and scikit-learn
	@$(BIN)/python -m benchmarks.training

bench-serving: $(VENV)/developed ## print the leaderboard of serving, beside other model servers
	@$(BIN)/python -m benchmarks.serving --group ours --group peer $(ARGS)

LOCK = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11

bench-jobs: $(VENV)/developed ## disturb 20 runs, fill the history with 10,000 jobs, watch a run: see docs/reliability.md
	@$(BIN)/python -m benchmarks.disturbed_runs
	@$(BIN)/python -m benchmarks.job_history
	@$(BIN)/python -m benchmarks.watchers

articles: peers ## train the articles' networks, draw their loss curves
	@$(BIN)/python -m benchmarks.articles

audit: $(VENV)/developed ## look all locked packages up among known vulnerabilities (wants pypi.org itself)
	@$(PIP) install --require-hashes --only-binary :all: -r requirements-audit.lock
	@for lock in requirements*.lock; do $(BIN)/pip-audit --strict --disable-pip --require-hashes -r $$lock || exit 1; done

lock: $(VENV)/developed ## write the lock files anew from pyproject.toml
	@echo setuptools | $(LOCK) pyproject.toml - --output-file requirements.lock
	@$(LOCK) --group otel --constraints requirements.lock --output-file requirements-otel.lock
	@$(LOCK) --group dev --constraints requirements-otel.lock --constraints requirements.lock --output-file requirements-dev.lock
	@$(LOCK) --group peers --constraints requirements.lock --constraints requirements-dev.lock \
		--output-file requirements-peers.lock
	@$(LOCK) --group browser --constraints requirements.lock --constraints requirements-dev.lock \
		--output-file requirements-browser.lock
	@$(LOCK) --group audit --constraints requirements.lock --constraints requirements-dev.lock \
		--output-file requirements-audit.lock
	@$(LOCK) --group redis-server --no-deps --output-file requirements-redis.lock

clean: ## remove the environment (the store in ./var stays)
	rm -rf $(VENV)

# pip works on the environment from outside: Debian's python3 has no ensurepip.
$(BIN)/python:
	@$(PYTHON) -m pip --version >/dev/null || { echo "pip is missing: apt install python3-pip" >&2; exit 1; }
	@$(PYTHON) -m venv --without-pip $(VENV)

$(VENV)/installed: requirements.lock pyproject.toml Makefile | $(BIN)/python
	@echo "Installing into $(VENV) ..."
	@$(PIP) install --require-hashes --only-binary :all: -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@if command -v redis-server >/dev/null || $(PIP) install --require-hashes --no-deps --upgrade \
		--only-binary :all: --python-version 3.12 --target "$(SITE)" -r requirements-redis.lock; \
	then touch $@; \
	else echo "No Redis for this machine: install redis-server, or set INKWELL_REDIS_URL."; fi

$(VENV)/developed: $(VENV)/installed requirements-dev.lock
	@echo "Installing the tools of development ..."
	@$(PIP) install --require-hashes --only-binary :all: -r requirements-dev.lock
	@touch $@
