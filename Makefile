# `make help` lists the targets. Each target runs from .venv, and makes the part of .venv that the target needs.
# The first Python in range. Without a Python in range, uv finds or downloads a Python.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c '$(IN_RANGE)' 2>/dev/null && echo $$python && exit; done; \
	command -v uv >/dev/null && echo "uv run --quiet --no-project --python '>=3.11,<3.14' python" || echo python3)
IN_RANGE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PORT ?= 3000
STAGE ?= default
BIN := .venv/bin
FUNCTIONS := predict train convert

.DEFAULT_GOAL := help
.PHONY: help setup gone run test test-fast test-long coverage image soak e2e bench bench-full lint types lint-template docs-check scan format lock data convert train deploy url logs destroy

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: .venv/.complete ## Make .venv with all locked packages (at once if nothing changed)

# .venv is made again if its Python is gone, for example after an upgrade of the system.
GONE := $(shell $(BIN)/python -c '' 2>/dev/null || echo gone)

INSTALL = @command -v $(firstword $(PYTHON)) >/dev/null \
	|| { echo "Python 3.11, 3.12 or 3.13 is needed, or uv, which downloads Python." >&2; exit 1; }; $(PYTHON) -m local.setup.installation

.venv/.complete: requirements/dev.txt $(GONE)
	$(INSTALL) dev $@
	@touch .venv/.serve

.venv/.serve: requirements/serve.txt $(GONE)
	$(INSTALL) serve $@

# Separate environments for tools that need other versions.
.venv/%/.complete: requirements/%.txt .venv/.complete
	$(INSTALL) $* $@

run: .venv/.serve ## Serve on http://127.0.0.1:3000 (PORT=3100 for another port)
	@$(BIN)/digits serve --port $(PORT)

# The tests of a file run in one process, and share servers and models.
PYTEST := $(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

test: setup ## Run the tests, all but the longest
	@$(PYTEST) -m "not long"

test-fast: setup ## Run the unit tests, for each change: no TensorFlow, no server, no process
	@$(PYTEST) tests/unit -m "not s3"

test-long: setup ## Run the longest tests: kills, faults, permissions, the documents as pasted, how good the model is
	@$(PYTEST) -m long

# A third slower than the tests alone, so nobody has to wait for it before a commit.
coverage: setup ## Run the tests, and check that they reach 85 % of the lines
	@$(PYTEST) -m "not long" --cov --cov-fail-under=85

soak: setup ## Inject faults and kill processes at random, for about an hour (ROUNDS=20 for fewer rounds, SEED=1 to repeat)
	@PYTHONPATH=.:functions/predict:functions/train:functions/convert $(BIN)/python -m tests.soak \
		--rounds $(or $(ROUNDS),200) $(addprefix --seed ,$(SEED)) $(addprefix --first ,$(FIRST))

image: REVISION = $(shell git describe --always --dirty --exclude '*' 2>/dev/null || echo unknown)
image: ## Build the images digits and digits:serve, which cannot train (with Docker)
	@docker build --build-arg REVISION=$(REVISION) --tag digits .
	@docker build --build-arg REVISION=$(REVISION) --tag digits:serve --target serve .
	@docker image ls --format '{{.Repository}}:{{.Tag}}  {{.Size}}' digits
	@echo "Run it: docker run -p 3000:3000 -v digits:/data digits"

e2e: setup ## Build the containers and drive them (with Docker), and the page (with Debian's chromium and chromium-driver)
	@$(BIN)/pytest tests/e2e

bench: setup data .venv/bench/.complete ## Measure speed and size beside peers, in minutes (with wrk and Docker)
	@$(BIN)/python -m bench

bench-full: setup data .venv/bench/.complete ## Measure three times as often, and measure trainings
	@$(BIN)/python -m bench --full

lint: setup types lint-template ## Check style, types, import directions and the template
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: setup ## Check the types
	@$(BIN)/mypy layers/shared cloud local training main.py tests bench/*.py research
	@for name in $(FUNCTIONS); do MYPYPATH=layers/shared:functions/$$name $(BIN)/mypy functions/$$name || exit 1; done

docs-check: setup ## Check the links in the documents
	@$(BIN)/pytest tests/unit/test_links.py

# SAM replaces some parameters by their values (W2001), and adds redundant dependencies (W3005).
lint-template: .aws-sam/transformed.json
	@SAM_CLI_TELEMETRY=0 $(BIN)/sam validate --lint --region us-east-1
	@$(BIN)/cfn-lint --ignore-checks W2001 W3005 -- $<

scan: .aws-sam/transformed.json .venv/checkov/.complete ## Search template.yaml for weaknesses (exceptions: .checkov.yaml)
	@LOG_LEVEL=ERROR .venv/checkov/bin/checkov --file $<

.aws-sam/transformed.json: template.yaml cloud/transform.py cloud/sam.py .venv/.complete
	@mkdir -p $(@D)
	@$(BIN)/python -m cloud.transform >$@ || { rm $@; exit 1; }

format: setup ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: setup ## Lock the newest versions into requirements/*.txt
	@for name in dev uv serve layer predict training training-gpu checkov keras bench; do \
		excludes=requirements/$${name%-gpu}-excludes.in overrides=requirements/$$name-overrides.in; \
		$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
			$$(test ! -f $$excludes || echo --excludes $$excludes) \
			$$(test ! -f $$overrides || echo --override $$overrides) \
			$$(echo dev checkov | grep -qw $$name || echo --constraint requirements/dev.txt) \
			--custom-compile-command "make lock" requirements/$$name.in -o requirements/$$name.txt || exit 1; done

data: .venv/.serve ## Download data/mnist.npz and check the file, or copy MNIST_NPZ=path
	@$(BIN)/digits data

convert: .venv/.serve ## Convert data/mnist.npz, or else the starter set, to TFRecords in the store
	@$(BIN)/digits convert

train: setup ## Train on the converted data and release the model
	@$(BIN)/digits train

deploy: setup ## Build everything, and create or update the stack on AWS (STAGE=staging for a second stack)
url: setup ## Print where the stack is, as shell variables
logs: setup ## Follow the logs of the API, the functions and the trainings
destroy: setup ## Delete the stack, and the data only if you confirm twice

deploy url logs destroy:
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m cloud $@ --stage $(STAGE)
