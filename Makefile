# Every verb is defined here, once; CI calls these.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
MEMBERS := clients/python remotes blocks serving jobs services/volume services/mesh services/transfer services/gateway services/standalone
SOURCES := clients/python/voxgate remotes/voxgate_remotes blocks/voxgate_blocks serving/voxgate_serving jobs/voxgate_jobs \
  services/volume/voxgate_volume services/mesh/voxgate_mesh services/transfer/voxgate_transfer \
  services/gateway/voxgate_gateway services/standalone/voxgate_standalone

.DEFAULT_GOAL := help

##@ First run
.PHONY: help setup demo test
help: ## Show this
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## Make the virtual environment (.venv) from the hashed lock

$(VENV)/.ready: requirements.lock $(MEMBERS:%=%/pyproject.toml)
	$(PYTHON) -c 'import sys; sys.exit("voxgate needs Python 3.11 or newer; set PYTHON=" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(MEMBERS:%=-e ./%)
	touch $@

demo: setup ## Play the main job on the sample: read, mesh, transfer, verify; pictures in demo-output/
	$(PY) -m tools.demo

test: setup peers lint types arch protos-check ## Lint, types, rules, unit, conformance, integration, end to end (about 10 minutes)
	$(PY) -m pytest -q -n 2 --dist loadfile -m "not full" --store-proofs .store-proofs.json \
	  --dialect-proofs .dialect-proofs.json tests
	$(PY) -m tools.stores_table --check .store-proofs.json
	$(PY) -m tools.dialects_table --check .dialect-proofs.json
	@echo "skipped here: test-languages, images, demo-containers, test-containers (run them, or make test-full)"

##@ Checks
.PHONY: check lint types arch conformance peers abuse test-full test-languages bench load
check: test demo ## What must pass before anything lands

lint: setup ## ruff and buf
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/buf lint
	$(VENV)/bin/buf format -d --exit-code
	$(VENV)/bin/buf breaking --against protos/contract-baseline.binpb

types: setup ## mypy, strict
	$(VENV)/bin/mypy $(SOURCES)

arch: setup ## The rules of the house (import-linter)
	$(VENV)/bin/lint-imports --no-cache

conformance: setup peers ## The conformance suite on every kind of volume and with every peer; writes docs/reference/stores.md and dialects.md
	$(PY) -m pytest -q tests/conformance tests/peers tests/unit/remotes --store-proofs docs/reference/results.json \
	  --dialect-proofs docs/reference/dialects.json
	$(PY) -m tools.stores_table
	$(PY) -m tools.dialects_table

# Published programs that read and write the same stores, each with the releases that it wants.
PEERS := $(filter-out build,$(basename $(notdir $(wildcard tests/peers/*.lock))))
.venv-peers/%/.ready: tests/peers/%.lock tests/peers/build.lock
	$(PYTHON) -m venv .venv-peers/$*
	.venv-peers/$*/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/peers/build.lock
	.venv-peers/$*/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-build-isolation -r tests/peers/$*.lock
	touch $@

peers: $(PEERS:%=.venv-peers/%/.ready) ## Environments of the published clients that tests compare with

test-full: test test-languages ## Everything that runs without containers, full sizes (under 60 minutes)
	$(PY) -m pytest -q -m full --ignore=tests/languages tests

abuse: setup ## Fuzzers, bombs, slow and many connections, redirects, traversal (INPUTS=1000000 JSON=file; an hour)
	$(PY) -m tests.abuse --inputs $(or $(INPUTS),1000000) $(if $(JSON),--json $(JSON))

test-languages: setup protos-dist ## Clients in C++ and TypeScript from the protos tarball alone, against a running suite
	$(PY) -m pytest -q tests/languages

$(VENV)/.ready-bench: requirements-bench.lock $(VENV)/.ready
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	touch $@

bench: $(VENV)/.ready-bench ## Ratios against peers (ROWS=id,id): table, bench-results.json and .png
	$(PY) -m tests.bench $(if $(ROWS),--rows $(ROWS))

load: setup .venv-peers/envoy/.ready ## 200 readers through Envoy for two minutes while replicas are killed (LOAD=--readers 50 …)
	PYTHONPATH=tests $(PY) -m tests.load $(LOAD)

##@ Contract
.PHONY: protos protos-check protos-dist contract-baseline
.venv-protos/.ready: protos/requirements.lock
	$(PYTHON) -m venv .venv-protos
	.venv-protos/bin/pip install --quiet --disable-pip-version-check --require-hashes -r protos/requirements.lock
	touch $@

protos: .venv-protos/.ready ## Generate clients/python/voxgate/v1
	.venv-protos/bin/python tools/generate_protos.py clients/python

protos-check: .venv-protos/.ready ## Fail when the checked-in stubs differ from the contract
	.venv-protos/bin/python tools/generate_protos.py --check clients/python

contract-baseline: setup ## Accept the contract as it is as what must not break (a break needs an ADR)
	$(VENV)/bin/buf build --exclude-source-info -o protos/contract-baseline.binpb

protos-dist: setup ## dist/voxgate-protos.tar.gz: protos and descriptor set, usable alone
	$(PY) tools/protos_dist.py dist

##@ Containers
.PHONY: images demo-containers test-containers
images: ## Build every image with buildah, say their sizes (TWICE=--twice: every layer again, and it must be the same)
	bash deploy/images.sh $(TWICE)

demo-containers: setup images ## Play the one-replica render with podman and run the demo against it
	bash deploy/demo-containers.sh

test-containers: setup images ## The images, and docs/how-to/run-on-one-machine.md with compose and the demo, block by block
	bash deploy/postgres.sh
	source deploy/tools.sh
	VOXGATE_CONTAINER_TESTS=yes $(PY) -m pytest -q -m full tests/deploy/test_built_images.py tests/deploy/test_run_on_one_machine.py

##@ Upkeep
.PHONY: lock format
lock: ## Resolve requirements.lock and protos/requirements.lock anew (needs uv)
	uv pip compile requirements-members.in requirements-dev.in -c constraints.in --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header \
	  $(foreach m,voxgate voxgate-remotes voxgate-blocks voxgate-serving voxgate-jobs voxgate-volume voxgate-mesh voxgate-transfer voxgate-gateway voxgate-standalone,--no-emit-package $(m)) \
	  -o requirements.lock
	for peer in tests/peers/*.in; do uv pip compile $$peer --quiet --universal --python-version 3.11.1 --generate-hashes \
	  --no-emit-index-url --no-header -o $${peer%.in}.lock; done
	uv pip compile protos/requirements.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  -o protos/requirements.lock
	uv pip compile requirements-bench.in -c requirements.lock --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header -o requirements-bench.lock
	bash deploy/lock.sh

format: setup ## Format everything
	$(VENV)/bin/ruff check --fix-only .
	$(VENV)/bin/ruff format .
	$(VENV)/bin/buf format -w
