# Everything that a developer does here, on a machine with Python >= 3.11 and make. Nothing is written outside this folder and temporary ones.
PYTHON ?=
ARGS ?=
# One process more than cores: a test waits for another process a sixth of its time.
JOBS ?= $$(( $$(getconf _NPROCESSORS_ONLN) + 1 ))
# `turn` runs a test on SQLite or on PostgreSQL, `both` on each: what `.ci/run` asks for.
DATABASES ?= turn
DATA_DIR ?= .data
unexport PYTHONDONTWRITEBYTECODE# else each of hundreds of processes would compile all that it imports

BIN := .venv/bin
PROTOS := $(shell find proto)# folders too: their time changes when a file goes
RELEASED := $(shell sed '/^\#/d' .ci/released)
# The certificates of the machine, as pip and browsers use them: a company's own authority counts.
UV := UV_CACHE_DIR=.tools/cache UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=true .tools/bin/uv
INSTALL := $(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --no-build-isolation
INSTALL_BESIDE = $(subst --compile-bytecode,,$(subst $(BIN),.venv/$*/bin,$(INSTALL)))
COMPILE := $(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help run test clients charts demo lint fmt gen bench bench-authorize campaign wheel requirements clean

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 24

run: gen ## Serve on loopback from an embedded database in .data, and stay
	@exec $(BIN)/sekisho serve --data-dir $(DATA_DIR) $(ARGS)

test: gen .venv/.dev ## Run every test, on SQLite or a real PostgreSQL in turn, or on each with DATABASES=both; ARGS="-k name" picks
	@$(BIN)/python -m compileall -q service migrations tests # once, not in each of the hundreds of processes that tests start
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --databases $(DATABASES) $(ARGS) # in the order of tests/order.py

clients: gen .venv/.clients ## Install the large clients, Ansible, so that `make test` speaks with them too

charts: gen .venv/.charts ## Install Helm, so that `make test` lints and renders the chart too

demo: gen ## Take a tour: users, roles, policies and ten decisions, against a throwaway server
	@$(BIN)/sekisho demo $(ARGS)

lint: gen .venv/.dev ## Check style, types, protos and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/buf lint
	@git cat-file -e "$(RELEASED)^{commit}" || { echo "buf breaking: commit $(RELEASED), which .ci/released names, is not in this clone; fetch it: git fetch --unshallow" >&2; exit 1; }
	$(BIN)/buf breaking --against ".git#ref=$(RELEASED)"
	$(BIN)/lint-imports

fmt: .venv/.dev ## Write Python as lint wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

gen: service/sekisho/api/.made ## Compile proto/ into service/sekisho/api/, when one changed

bench: gen .venv/.bench ## Measure, with the peers in the same run: one table at the end, charts in build/bench
	@$(BIN)/python -m bench $(ARGS)

bench-authorize: gen .venv/.dev .venv/.node ## Measure Authorize under load beside Cerbos and a bare echo; h2load is in nghttp2-client
	@$(BIN)/python -m bench authorize $(ARGS)

campaign: gen .venv/.campaign .venv/.clients .venv/.c7n .venv/.prowler ## The long ones: ten million seeded worlds (ARGS="--cases N --seed S"), the fuzzer, a million messages, mutants, kills, ten thousand races, twenty rotations of each key, two hours of load, Envoy, Ansible, Cloud Custodian, Prowler
	@$(BIN)/python -m tests.policy.campaign $(ARGS)
	@WORLDS=20000 LAWS=1000 $(BIN)/python -m pytest -q -n $(JOBS) tests/policy/test_agreement.py tests/policy/test_algebra.py tests/policy/test_algebra_conditions.py
	@PLANS=20000 $(BIN)/python -m pytest -q -n $(JOBS) tests/policy/residual/test_agreement.py
	@PLANS=5000 $(BIN)/python -m pytest -q -n $(JOBS) tests/client/plans/test_rows.py
	@$(BIN)/python -m tests.services.authorize.plans.listings --worlds 100000
	@FILLED=2000 $(BIN)/python -m pytest -q -n $(JOBS) tests/operations/test_fine.py
	@DOORS=2000 $(BIN)/python -m pytest -q -n $(JOBS) tests/world/test_agreement.py
	@PROBES=20 TURNS=5000 $(BIN)/python -m pytest -q -n $(JOBS) tests/wire/test_probes.py tests/memory/test_consistency.py
	@$(BIN)/python -m tests.fuzz.run --seconds 60
	@$(BIN)/python -m tests.fuzz.messages --count 1000000
	@$(BIN)/python -m tests.mutation
	@$(BIN)/python -m tests.calls.near_collisions --pairs 1000000
	@$(BIN)/python -m tests.analysis.solver.campaign --pairs 50000 --inside 20000
	@PAIRS=20000 REQUESTS=100000 $(BIN)/python -m pytest -q -n $(JOBS) tests/analysis/solver/test_soundness.py
	@$(BIN)/python -m tests.memory.campaign
	@$(BIN)/python -m tests.client.local.campaign
	@KILLS=100 $(BIN)/python -m pytest -q tests/faults/test_workers.py
	@CHAINS=5000 $(BIN)/python -m pytest -q tests/services/sts/test_nothing_widens.py
	@TRIES=1000 $(BIN)/python -m pytest -q tests/services/sts/test_saml_sessions.py -k exactly_one
	@RACES=1700 $(BIN)/python -m pytest -q -n $(JOBS) tests/services/organizations/test_races.py
	@KILLS=500 $(BIN)/python -m pytest -q tests/faults/test_ledger.py
	@KILLS=100 $(BIN)/python -m pytest -q tests/faults/test_trail.py
	@REPLAYS=200 $(BIN)/python -m pytest -q -n $(JOBS) tests/services/insight/test_replays.py
	@ROTATIONS=20 $(BIN)/python -m pytest -q tests/faults/test_rotations.py
	@$(BIN)/python -m tests.journal.trail.campaign --count 10000
	@$(BIN)/python -m pytest -q tests/deploy/test_envoy.py
	@$(BIN)/python -m tests.soak --seconds 7200
	@STOPS=12 CALLS=1000000 $(BIN)/python -m pytest -q tests/faults/test_lean.py
	@STORMS=3000 $(BIN)/python -m pytest -q -n $(JOBS) tests/edges/grpc/lean/test_clients_of_others.py
	@$(BIN)/python -m pytest -q tests/aws/test_ansible.py tests/aws/test_c7n.py tests/aws/test_prowler.py

wheel: gen ## Build dist/*.whl
	@$(UV) build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir dist

requirements: .tools/bin/uv ## Pin the newest releases that pyproject.toml and requirements/*.in admit
	$(COMPILE) requirements/tools.in -o requirements/tools.txt
	$(COMPILE) pyproject.toml --extra server -o requirements/runtime.txt
	$(COMPILE) requirements/build.in -c requirements/runtime.txt -o requirements/build.txt
	$(COMPILE) pyproject.toml --extra server --extra otel -c requirements/runtime.txt -c requirements/build.txt -o requirements/otel.txt
	$(COMPILE) pyproject.toml --extra server --extra parquet -c requirements/runtime.txt -c requirements/build.txt -o requirements/parquet.txt
	$(COMPILE) pyproject.toml --extra server --extra analyzer -c requirements/runtime.txt -c requirements/build.txt -o requirements/analyzer.txt
	$(COMPILE) pyproject.toml --extra server --extra otel --extra parquet --extra analyzer requirements/build.in requirements/dev.in -c requirements/otel.txt -c requirements/parquet.txt -c requirements/analyzer.txt -c requirements/build.txt -o requirements/dev.txt
	$(COMPILE) requirements/bench.in -c requirements/dev.txt -o requirements/bench.txt
	$(COMPILE) requirements/campaign.in -c requirements/dev.txt -o requirements/campaign.txt
	$(COMPILE) requirements/charts.in -c requirements/dev.txt -o requirements/charts.txt
	$(COMPILE) requirements/clients.in -c requirements/dev.txt -o requirements/clients.txt
	$(COMPILE) requirements/c7n.in -o requirements/c7n.txt
	$(COMPILE) requirements/prowler.in -o requirements/prowler.txt

clean: ## Remove what was made, the environment included; .data stays
	rm -rf .venv .tools dist build service/sekisho/api .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.tools/bin/uv: requirements/tools.txt
	@for python in $(or $(PYTHON),python3.13 python3 python3.14 python3.12 python3.11 python); do \
		"$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && found=$$python && break; \
	done; \
	[ -n "$$found" ] || { echo "Sekisho needs Python 3.11 or newer with the modules venv and ensurepip; name one: make PYTHON=/path/to/python3" >&2; exit 1; }; \
	rm -rf .tools .venv && "$$found" -m venv .tools
	@.tools/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/tools.txt
	@touch $@

.venv/.runtime: .tools/bin/uv requirements/build.txt requirements/analyzer.txt
	@echo "installing what Sekisho needs into .venv (once)" >&2
	@[ -x $(BIN)/python ] || $(UV) venv --quiet --python .tools/bin/python .venv
	@$(INSTALL) --require-hashes -r requirements/build.txt -r requirements/analyzer.txt
	@touch $@

.venv/.project: .venv/.runtime pyproject.toml hatch_build.py
	@$(INSTALL) --no-deps --editable .
	@touch $@

.venv/.dev: .venv/.project requirements/dev.txt
	@echo "installing what its tests need (once)" >&2
	@$(INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

.venv/.clients: .venv/.dev requirements/clients.txt
	@$(subst --compile-bytecode,,$(INSTALL)) --require-hashes -r requirements/clients.txt # thirty thousand modules, of which a playbook loads few
	@touch $@

.venv/.charts: .venv/.dev requirements/charts.txt
	@$(INSTALL) --require-hashes -r requirements/charts.txt
	@touch $@

# Environments of their own, for clients that pin what we have in other versions. A run loads few of their modules, so none is compiled.
.venv/.prowler: FIRST := setuptools
.venv/.c7n .venv/.prowler: .venv/.%: requirements/%.txt | .venv/.runtime
	@$(UV) venv --quiet --clear --python .tools/bin/python .venv/$*
	@$(if $(FIRST),$(INSTALL_BESIDE) --constraint requirements/$*.txt $(FIRST))
	@$(INSTALL_BESIDE) --require-hashes -r requirements/$*.txt
	@touch $@

.venv/.campaign: .venv/.dev requirements/campaign.txt
	@$(INSTALL) --require-hashes -r requirements/campaign.txt
	@touch $@

# One by one, by the pins and hashes: a peer that cannot be had on a machine is reported as absent, the others are still measured.
.venv/.bench: .venv/.dev .venv/.node requirements/bench.txt
	@for peer in $$(sed 's/ *#.*//' requirements/bench.in); do $(INSTALL) --constraint requirements/bench.txt $$peer || true; done
	@touch $@

.venv/.node: .venv/.runtime bench/peers/node/package-lock.json
	@mkdir -p .venv/node && cp bench/peers/node/package.json bench/peers/node/package-lock.json .venv/node
	@! command -v npm >/dev/null || npm ci --silent --prefix .venv/node --cache .tools/cache/npm || true
	@touch $@

service/sekisho/api/.made: .venv/.project hatch_build.py service/sekisho/naming.py $(PROTOS)
	@$(BIN)/python hatch_build.py
	@touch $@
