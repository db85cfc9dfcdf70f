# Pagewise. `make` lists the commands.

DOC ?= events/samples
OUT ?= out
PORT ?= 4567
N ?= 5000
SEEDS ?= 1000
FROM ?= 0
ENVIRONMENT ?= dev
FUNCTION ?= SplitterFunction
EVENT ?= s3-put-pdf
# Of the machines of a deployed stack: x86_64 or arm64.
ARCHITECTURE ?= x86_64

# `make local` deploys as prod does, under the project's own name.
ifeq ($(origin STACK),undefined)
STACK := $(if $(value ENDPOINT),pagewise,pagewise-dev)
endif
# A name reaches its command by the environment, as it is: make expands no `$` in it, and the shell runs nothing of it.
NAMES := DOC OUT TASKS OUTPUTS PROFILE DOCUMENT PAGE TASK REASON STACK ENDPOINT NAME FUNCTION EVENT PORT N SEEDS FROM ENVIRONMENT \
	ARCHITECTURE
$(foreach name,$(NAMES),$(eval override $(name) := $$(value $(name))))
export $(NAMES)

PYTHONPATH := layers/pagewise:.
export PYTHONPATH
# Makes the environments that a command needs, then runs it.
PAGEWISE := ./pagewise
DEVELOPMENT := .venvs/development/bin
SAM := SAM_CLI_TELEMETRY=0 .venvs/sam/bin/sam
BUILT := .aws-sam/build/template.yaml
# The layers' makefiles read ARCHITECTURE; the built template names theirs, so that a deploy cannot differ.
SAM_BUILD = $(SAM) build --parameter-overrides "Architecture=$$ARCHITECTURE" && \
	sed -i.bak "/^  Architecture:/,/^  [A-Z]/s/Default: .*/Default: $$ARCHITECTURE/" $(BUILT) && rm $(BUILT).bak
# SAM zips the functions' folders as they are: the leftovers of running them here stay here.
SAM_DEPLOY = find functions -name __pycache__ -prune -exec rm -r {} + && \
	$(SAM) deploy --config-env "$$ENVIRONMENT" $(DEPLOY)
# The core's own tests, by room; code in another process is not counted.
CORE_TESTS := tests/unit tests/adapters tests/protocol tests/split tests/outputs tests/handlers
PYTHON_SOURCES := layers functions commands local clients tests docs

.PHONY: help run local redrive engine invoke profile test coverage check lint docs checkov format bench fuzz simulate build deploy deploy-built submit delete cost lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## DOC=path [TASKS=a,b|all] [OUTPUTS=a,b|none] [OUT=out]: the whole pipeline on this machine, without an account or a key
	@$(PAGEWISE) run --doc="$$DOC" --out="$$OUT" $${TASKS:+--tasks="$$TASKS"} $${PROFILE:+--profile="$$PROFILE"} \
		$${OUTPUTS:+--outputs="$$OUTPUTS"}

local: ## the stack on this machine, until Ctrl-C: upload with any S3 client
	@$(PAGEWISE) local

redrive: ## DOCUMENT=id or ALL=true [PAGE=n] [TASK=t] [REASON=r] [STACK=pagewise-dev] [ENDPOINT=url]: failed page jobs again
	@$(PAGEWISE) redrive $(if $(value ALL),--all,--document="$$DOCUMENT") --stack="$$STACK" $${PAGE:+--page="$$PAGE"} \
		$${TASK:+--task="$$TASK"} $${REASON:+--reason="$$REASON"} $${ENDPOINT:+--endpoint="$$ENDPOINT"}

engine: ## PORT=n: the embedded OCR engine alone
	@$(PAGEWISE) engine --port="$$PORT"

invoke: $(BUILT) ## FUNCTION=SplitterFunction EVENT=s3-put-pdf: one function in a container, on the embedded stack
	@$(PAGEWISE) invoke $${ENDPOINT:+--endpoint="$$ENDPOINT"} -- "$$FUNCTION" "$$EVENT"

profile: ## NAME=receipts [STACK=pagewise-dev] [ENDPOINT=url]: put a profile of profiles/ into a stack
	@$(PAGEWISE) profile --stack="$$STACK" $${ENDPOINT:+--endpoint="$$ENDPOINT"} -- "$$NAME"

# Each test goes to whichever core is free; tests of whole stacks and browsers, one for each file, stay with their file.
# The review page's short ones come last. Tests of the embedded Lambda time functions by the second, and have the machine
# to themselves.
TESTS_ON_ALL_CORES := $(addprefix tests/,adapters build client engine fuzz handlers outputs protocol sam split \
	template unit faults/test_simulator.py faults/test_batch_lane.py)
TESTS_ALONE := $(patsubst %,tests/local/test_%.py,asynchronous_invocations environments faults nothing_is_left queues \
	recursion)
OTHER_TESTS := $(addprefix --ignore=,$(TESTS_ON_ALL_CORES) $(TESTS_ALONE))

test: export PAGEWISE_ENVIRONMENTS := all
# Many short processes import the same: bytecode is kept, whatever the caller's environment says.
test: export PYTHONDONTWRITEBYTECODE :=
test: ## all tests
	@local/setup.sh emulator functions engine local development sam sdk web
	@$(DEVELOPMENT)/pytest -n auto --dist worksteal $(TESTS_ON_ALL_CORES)
	@$(DEVELOPMENT)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(OTHER_TESTS)
	@$(DEVELOPMENT)/pytest $(TESTS_ALONE)

coverage: ## lines and branches of the core that its tests reach; minutes
	@local/setup.sh emulator functions engine local development
	@$(DEVELOPMENT)/coverage run --branch --source=layers/pagewise/pagewise -m pytest $(CORE_TESTS)
	@$(DEVELOPMENT)/coverage report --sort=cover --skip-covered

check: lint test ## lint, types, template, tests

lint: ## ruff, mypy, tsc, cfn-lint, sam validate; whether generated tables are current
	@local/setup.sh development engine sam web
	@$(MAKE) --no-print-directory --jobs=2 lint-types lint-engine lint-sources lint-template

# Parts of lint.
.PHONY : lint-types lint-engine lint-sources lint-template

lint-types: # the longest, so the first
	@$(DEVELOPMENT)/mypy --exclude '^local/engine/'

lint-engine: # its packages have a Python of their own
	@$(DEVELOPMENT)/mypy --cache-dir .mypy_cache/engine --python-executable .venvs/engine/bin/python local/engine

lint-sources:
	@$(DEVELOPMENT)/ruff check $(PYTHON_SOURCES)
	@$(DEVELOPMENT)/ruff format --check $(PYTHON_SOURCES)
	@.venvs/web/node_modules/.bin/tsc -p tests/review_page
	@python3 docs/generate.py --check
	@$(DEVELOPMENT)/python docs/api.py --check

lint-template:
	@$(DEVELOPMENT)/cfn-lint template.yaml
	@$(SAM) validate --lint

docs: ## the tables of docs/events.md and docs/cost.md; docs/api.md
	@local/setup.sh development
	@python3 docs/generate.py
	@$(DEVELOPMENT)/python docs/api.py

checkov: ## security rules on the template; suppressions are explained in .checkov.yaml
	@local/setup.sh development checkov
	@mkdir -p .cache && $(DEVELOPMENT)/python -m tests.template.expanded >.cache/template.json
	@.venvs/checkov/bin/checkov --config-file .checkov.yaml --skip-download -f .cache/template.json

format: ## put the sources into the one format
	@local/setup.sh development
	@$(DEVELOPMENT)/ruff check --fix-only $(PYTHON_SOURCES)
	@$(DEVELOPMENT)/ruff format $(PYTHON_SOURCES)

bench: ## one JSON object of ratios and overheads
	@local/setup.sh emulator functions engine local development sdk
	@$(DEVELOPMENT)/python -m tests.benchmarks

fuzz: ## N=5000: damaged documents against the splitter; each ends accepted or rejected and leaves nothing
	@local/setup.sh functions development
	@$(DEVELOPMENT)/python -m tests.fuzz --inputs="$$N"

build: ## [ARCHITECTURE=arm64]: the deployable stack under .aws-sam/build
	@local/setup.sh sam
	@$(SAM_BUILD)

$(BUILT): template.yaml $(shell find layers -type f -not -path '*/__pycache__/*')
	@local/setup.sh sam
	@$(SAM_BUILD)
	@touch $@

deploy: ## [ENVIRONMENT=dev|prod] [ARCHITECTURE=arm64]: to AWS, as samconfig.toml says
	@local/setup.sh local sam
	@account=$$($(PAGEWISE) account --environment="$$ENVIRONMENT") && printf '%s: %s\n' "$$ENVIRONMENT" "$$account"
	@$(SAM_BUILD)
	@$(SAM_DEPLOY)

deploy-built: ## [ENVIRONMENT=dev|prod]: the last make build, to AWS
	@local/setup.sh local sam
	@account=$$($(PAGEWISE) account --environment="$$ENVIRONMENT") && printf '%s: %s\n' "$$ENVIRONMENT" "$$account"
	@$(SAM_DEPLOY)

submit: ## DOC=path [STACK=pagewise-dev] [TASKS=a,b]: documents to a deployed stack, their text back
	@$(PAGEWISE) submit --doc="$$DOC" --out="$$OUT" --stack="$$STACK" $${ENDPOINT:+--endpoint="$$ENDPOINT"} \
		$${TASKS:+--tasks="$$TASKS"} $${PROFILE:+--profile="$$PROFILE"} $${OUTPUTS:+--outputs="$$OUTPUTS"}

delete: ## STACK=pagewise-dev: the stack and all that its buckets hold, after asking; the results table is kept
	@local/setup.sh local sam
	@printf 'Delete %s with every upload, page and receipt? Its name: ' "$$STACK"; read -r name; \
		$(PAGEWISE) empty --stack="$$STACK" --confirmed="$$name" && $(SAM) delete --stack-name "$$STACK" --no-prompts

cost: ## the cost of 1,000 and 1,000,000 pages, by docs/cost.py
	@python3 docs/cost.py

simulate: ## SEEDS=n: worlds with faults in any part, and whether every promise is kept
	@local/setup.sh development
	@$(DEVELOPMENT)/python -m tests.faults "$$SEEDS" "$$FROM"

lock: ## all lock files anew, from the pinned requirements
	@local/setup.sh development
	@uv --version >/dev/null 2>&1 && uv=uv || uv=.venvs/uv/bin/uv; for input in layers/*/requirements.in locks/*.in; do \
		overrides="$${input%.in}.overrides.txt"; [ -r "$$overrides" ] && set -- --override "$$overrides" || set --; \
		"$$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
			"$$@" "$$input" -o "$${input%.in}.txt" || exit 1; done

clean: ## environments, builds, outputs
	rm -rf .venvs .aws-sam .cache out
