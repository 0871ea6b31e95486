# Everything below works on a machine that has git, make and Python 3.11 or newer.
.PHONY: help install run demo test test-faults test-deploy screenshots lint check sbom bench bench-engine lock clean
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
BENCH_BIN := .venv-bench/bin
BENCH_INSTALLED := .venv-bench/.installed
# Where the machine has a trust store of its own (a company's proxy, say), uv is to believe it as pip does.
UV := $(BIN)/uv $(if $(wildcard /etc/ssl/certs/ca-certificates.crt),--system-certs)

help: ## Show what can be done
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(INSTALLED) ## Install into .venv what running and testing need

$(INSTALLED): requirements-dev.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ToggleMaster needs Python 3.11 or newer: make PYTHON=python3.12 install")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements-dev.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

run: install ## Start the whole platform on this machine
	@exec $(BIN)/togglemaster dev

demo: install ## As run, with customers who ask for sample flags, so that the console has something to show
	@exec $(BIN)/togglemaster dev --demo

test: install ## Run the test suite against the real parts
	$(BIN)/pytest --cov --cov-report=term

test-faults: install ## Only the bad days: what is killed, lost and doubled, in figures
	$(BIN)/pytest tests/faults $(addprefix tests/integration/test_,access_matrix.py hostile_bodies.py jwt_corpus.py schemathesis.py slow_clients.py)

test-deploy: install ## Only the image, the manifests, Terraform and the workflow
	$(BIN)/pytest tests/deploy

screenshots: install ## A picture of each screen of the console, in docs/screens
	$(BIN)/python -m tests.console.screenshots docs/screens

lint: install ## Linters, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint ## Linters, types, layers, then the tests
	$(MAKE) test

sbom: install ## Write into sbom.json what the image has in it, as CycloneDX
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible -o sbom.json requirements.lock

bench: $(BENCH_INSTALLED) ## Serve evaluations beside nginx, uvicorn and FastAPI, and compare: 10 minutes
	$(BIN)/python -m tests.benchmarks.serving --into .bench
	$(BENCH_BIN)/python -m tests.benchmarks.serving_picture .bench/serving.json .bench/serving.png
	$(BIN)/python -m tests.benchmarks.rebuild

bench-engine: $(BENCH_INSTALLED) ## Time one evaluation beside every other engine that can be installed
	$(BENCH_BIN)/python -m tests.benchmarks.engines

# Apart from .venv, so that other engines do not decide which versions we run on.
$(BENCH_INSTALLED): $(INSTALLED) requirements-bench.lock
	test -x $(BENCH_BIN)/python || $(PYTHON) -m venv .venv-bench
	$(UV) pip sync --quiet --python $(BENCH_BIN)/python --require-hashes requirements-bench.lock
	$(UV) pip install --quiet --python $(BENCH_BIN)/python --no-deps --editable .
	touch $@

lock: ## Resolve the dependencies anew into the lock files
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --extra telemetry pyproject.toml -o requirements.lock
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --extra local --extra parquet --extra telemetry --extra dev pyproject.toml -o requirements-dev.lock
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --extra engines --extra pictures pyproject.toml -o requirements-bench.lock

clean: ## Remove what install made
	rm -rf $(VENV) .venv-bench *.egg-info build
