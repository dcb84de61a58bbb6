# evcharging: the commands people type. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
PYTEST := $(BIN)/python -m pytest
# Most tests wait for processes and sockets, so more of them than there are cores run side by side, whole files each, in
# the order of tests/conftest.py: the longest first.
PARALLEL ?= --numprocesses 4 --dist loadfile --no-loadscope-reorder
PARALLEL_ALL ?= --numprocesses 3 --dist loadfile --no-loadscope-reorder
NEEDS_MORE := kafka or postgresql or mosquitto or browser or chaos

COMPOSE ?= docker compose
COMPOSE_FILE := docker/docker-compose.yml
# What only stops or looks needs no secrets, and no docker/.env that might be gone.
COMPOSE_ALL = CENTRAL_API_TOKEN=unused POSTGRES_PASSWORD=unused OCPP_STATION_PASSWORD=unused $(COMPOSE) -f $(COMPOSE_FILE) --profile more

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "evcharging needs Python 3.11 or newer; got $$($(PYTHON) --version 2>&1). Try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	  { echo "$(PYTHON) cannot make virtual environments here. On Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(STAMP): $(BIN)/python requirements.txt pyproject.toml
	$(PIP) install --quiet --requirement requirements.txt
	$(PIP) install --quiet --no-deps --editable .
	@touch $@

$(DEV_STAMP): $(STAMP) requirements-dev.txt
	$(PIP) install --quiet --requirement requirements-dev.txt
	@touch $@

.PHONY: install
install: $(STAMP) ## Set the virtual environment up

.PHONY: run
run: $(STAMP) ## Start the whole network with embedded brokers: http://127.0.0.1:8000
	$(BIN)/evcharging up $(ARGS)

.PHONY: test
test: $(DEV_STAMP) ## Run the tests that need only what pip brings
	$(PYTEST) $(PARALLEL) -m "not ($(NEEDS_MORE))" $(ARGS)

.PHONY: test-all
test-all: $(DEV_STAMP) kafka-jars ## Run the tests that need Apache Kafka, Mosquitto, PostgreSQL and Chromium
	$(PYTEST) $(PARALLEL_ALL) -m "$(NEEDS_MORE)" $(ARGS)

.PHONY: bench
bench: $(DEV_STAMP) ## Measure; prints one JSON line a figure
	@for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

.PHONY: lint
lint: $(DEV_STAMP) ## Check style, types, layers and the container files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docker/check.py

.PHONY: format
format: $(DEV_STAMP) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: env-example
env-example: $(DEV_STAMP) ## Write .env.example anew from the settings of the services
	@mkdir -p build
	$(BIN)/python -m tests.support.env_example > build/env.example
	@mv build/env.example .env.example

.PHONY: pins
pins: ## Pin the dependencies of pyproject.toml anew
	rm -rf build/pins
	$(PYTHON) -m venv build/pins
	build/pins/bin/python -m pip install --quiet --upgrade pip
	build/pins/bin/python -m pip install --quiet .
	build/pins/bin/python -m pip freeze --exclude evcharging --exclude setuptools > build/pins/run
	build/pins/bin/python -m pip install --quiet --group dev
	build/pins/bin/python -m pip freeze --exclude evcharging --exclude setuptools > build/pins/all
	(sed -n '/^#/p' requirements.txt; cat build/pins/run) > build/pins/requirements.txt
	(sed -n '/^#/p' requirements-dev.txt; grep -vxF -f build/pins/run build/pins/all) > build/pins/requirements-dev.txt
	mv build/pins/requirements*.txt .
	rm -rf build/pins

.PHONY: kafka-jars
kafka-jars: $(STAMP)
	$(BIN)/python -m evcharging.apps.broker.jars

.PHONY: kafka
kafka: $(STAMP) ## Run Apache Kafka without Docker (needs Java 17 and Maven) on 127.0.0.1:9092
	$(BIN)/python -m evcharging.apps.broker.apache $(ARGS)

.PHONY: compose
compose:
	@$(COMPOSE) version >/dev/null 2>&1 || \
	  { echo "no '$(COMPOSE)' here: install Docker with its compose plugin, or use 'make run', which needs neither" >&2; exit 2; }

.PHONY: up
up: compose ## Start everything in containers; CHARGE_POINTS=5 for more than the two it begins with
	@sh docker/prepare.sh $(CHARGE_POINTS)
	$(COMPOSE) -f $(COMPOSE_FILE) up --build --detach --wait --remove-orphans
	@echo "http://localhost:8000 (operators' token: CENTRAL_API_TOKEN in docker/.env)"

.PHONY: down
down: compose ## Stop the containers; their data stays
	$(COMPOSE_ALL) down --remove-orphans

.PHONY: logs
logs: compose ## Follow the containers' logs
	$(COMPOSE_ALL) logs --follow $(ARGS)

.PHONY: clean
clean: compose ## Stop the containers and delete their data
	$(COMPOSE_ALL) down --volumes --remove-orphans
