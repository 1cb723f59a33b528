# `make demo` and `make test` do their own set-up; nothing but Python 3.11+, pip and apt is assumed.
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' && { echo $$p; break; }; done)
RUN := .venv/bin/python
# compiled Python is kept, and out of the tree: a process that compiles for itself starts later and takes 3 MB more
export PYTHONPYCACHEPREFIX := $(CURDIR)/.sandbox/bytecode
unexport PYTHONDONTWRITEBYTECODE
PIN := .venv/bin/pip-compile -q --strip-extras --generate-hashes --no-annotate --no-header --no-emit-index-url \
	--no-emit-trusted-host --no-emit-find-links
ACT ?=
INTERVAL ?= 10s
TIMES ?= 2
STORIES ?= 2000
.DEFAULT_GOAL := help
.PHONY: help setup demo sandbox memory test coverage properties test-e2e check test-cluster bench schemas lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.venv/ready: requirements.lock pyproject.toml deploy/sandbox/setup.py
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; install it, or name yours: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) deploy/sandbox/setup.py
	@touch $@

setup: .venv/ready ## virtual environment, wheels, Prometheus and friends

demo: .venv/ready ## the whole tutorial, live (ACT=promotion|restart|errors|latency|custom-metric|ab plays one)
	@$(RUN) -m deploy.sandbox demo $(if $(ACT),--act $(ACT))

sandbox: .venv/ready ## the same parts, idle, until Ctrl-C
	@SANDBOX_PLAIN=1 $(RUN) -m deploy.sandbox up

memory: .venv/ready ## what each process of the sandbox takes; fails above 400 MB (sum of RSS)
	@SANDBOX_PLAIN=1 $(RUN) -m deploy.sandbox memory

test: .venv/ready ## the default suite
	@$(RUN) -m pytest -q -n 3 --dist loadgroup -m "not cluster and not slow"

coverage: .venv/ready ## branch coverage of the product: the core 95 %, all of it 85 %
	@$(RUN) -m pytest -q -n 2 --dist loadgroup --cov --cov-report= tests/handlers tests/watcher tests/schemas tests/deploy
	@.venv/bin/coverage report --include='handlers/core/*' --fail-under=95 --skip-covered
	@.venv/bin/coverage report --fail-under=85 --skip-covered

properties: .venv/ready ## what must hold whatever happens, in STORIES=2000 made-up rollouts
	@STORIES=$(STORIES) $(RUN) -m pytest -q -n 2 tests/handlers/core/test_properties.py

test-e2e: .venv/ready ## the end-to-end suite on the control plane of $$KUBECONFIG (pods stay local processes)
	@test -n "$$KUBECONFIG" || { echo "set KUBECONFIG to a control plane without a kubelet" >&2; exit 1; }
	@CANARYBUS_TEST_CLUSTER=1 $(RUN) -m pytest -q tests/e2e

check: .venv/ready ## ruff, mypy --strict, import contracts, generated files in step with the code
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports && $(RUN) -m schemas.generate --check

test-cluster: .venv/ready ## contract, scenario, lifecycle and RBAC suites against $$KUBECONFIG
	@test -n "$$KUBECONFIG" || { echo "set KUBECONFIG to a cluster that may be written to" >&2; exit 1; }
	@CANARYBUS_TEST_CLUSTER=1 $(RUN) -m pytest -q -n 4 tests/contract
	@CANARYBUS_TEST_CLUSTER=1 $(RUN) -m pytest -q -n 4 tests/scenarios/test_on_cluster.py
	@CANARYBUS_TEST_CLUSTER=1 $(RUN) -m pytest -q -n 2 --dist loadfile tests/deploy tests/cluster

bench: .venv/ready ## how much longer a promotion takes than its steps (INTERVAL=10s TIMES=2)
	@$(RUN) -m tests.bench.promotion --interval $(INTERVAL) --times $(TIMES)

schemas: .venv/ready ## write CRDs, JSON Schemas and AsyncAPI from schemas/
	@$(RUN) -m schemas.generate

lock: .venv/ready ## pin what pyproject.toml allows
	@$(PIN) --upgrade --extra cloudwatch --extra stackdriver --extra sandbox --extra dev --allow-unsafe -o requirements.lock pyproject.toml
	@$(PIN) -c requirements.lock --extra cloudwatch --extra stackdriver -o deploy/requirements.lock pyproject.toml

clean: ## remove what set-up and tests left
	@rm -rf .venv .sandbox .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
