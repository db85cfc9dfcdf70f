# Pagewise. `make` lists what there is.

DOC ?= events/samples
OUT ?= out
PORT ?= 4567
N ?= 5000

PYTHONPATH := layers/pagewise:.
export PYTHONPATH
LOCAL := .venvs/local/bin/python -m local
DEVELOPMENT := .venvs/development/bin
SEEDS ?= 1000
FROM ?= 0
SAM := SAM_CLI_TELEMETRY=0 .venvs/sam/bin/sam
BUILT := .aws-sam/build/template.yaml
# `make local` deploys as prod does, under the project's own name.
STACK ?= $(if $(ENDPOINT),pagewise,pagewise-dev)
ENVIRONMENT ?= dev
FUNCTION ?= SplitterFunction
EVENT ?= s3-put-pdf
PYTHON_SOURCES := layers functions local tests docs

.PHONY: help run local redrive engine invoke profile test check lint docs checkov format bench fuzz simulate build deploy submit delete cost lock clean

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## DOC=path [TASKS=a,b|all] [OUT=out]: the whole pipeline on this machine, without an account or a key
	@local/setup.sh
	@$(LOCAL) run --doc "$(DOC)" --out "$(OUT)" $(if $(TASKS),--tasks "$(TASKS)") $(if $(PROFILE),--profile "$(PROFILE)")

local: ## the stack on this machine, until Ctrl-C: upload with any S3 client
	@local/setup.sh
	@$(LOCAL) serve

redrive: ## DOCUMENT=id or ALL=true [PAGE=n] [TASK=t] [REASON=r] [STACK=pagewise-dev] [ENDPOINT=url]: failed page jobs again
	@local/setup.sh local
	@$(LOCAL) redrive $(if $(ALL),--all,--document "$(DOCUMENT)") --stack "$(STACK)" $(if $(PAGE),--page "$(PAGE)") \
		$(if $(TASK),--task "$(TASK)") $(if $(REASON),--reason "$(REASON)") $(if $(ENDPOINT),--endpoint "$(ENDPOINT)")

engine: ## PORT=n: the embedded OCR engine alone
	@local/setup.sh engine local
	@$(LOCAL) engine --port $(PORT)

invoke: $(BUILT) ## FUNCTION=SplitterFunction EVENT=s3-put-pdf: one function in a container, on the embedded stack
	@local/setup.sh
	@$(LOCAL) invoke "$(FUNCTION)" "$(EVENT)" $(if $(ENDPOINT),--endpoint "$(ENDPOINT)")

profile: ## NAME=receipts [STACK=pagewise-dev] [ENDPOINT=url]: put a profile of profiles/ into a stack
	@local/setup.sh local
	@$(LOCAL) profile "$(NAME)" --stack "$(STACK)" $(if $(ENDPOINT),--endpoint "$(ENDPOINT)")

test: ## all tests
	@local/setup.sh emulator functions engine local development sam sdk
	@$(DEVELOPMENT)/pytest

check: lint test ## lint, types, template, tests

lint: ## ruff, mypy, cfn-lint, sam validate; whether generated tables are current
	@local/setup.sh development engine sam
	@$(DEVELOPMENT)/ruff check $(PYTHON_SOURCES)
	@$(DEVELOPMENT)/ruff format --check $(PYTHON_SOURCES)
	@$(DEVELOPMENT)/mypy --exclude '^local/engine/'
	@$(DEVELOPMENT)/mypy --python-executable .venvs/engine/bin/python local/engine
	@$(DEVELOPMENT)/cfn-lint template.yaml
	@$(SAM) validate --lint
	@python3 docs/generate.py --check

docs: ## the tables of docs/events.md and docs/cost.md
	@python3 docs/generate.py

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
	@$(DEVELOPMENT)/python -m tests.fuzz --inputs "$(N)"

build: ## the deployable stack under .aws-sam/build
	@local/setup.sh sam
	@$(SAM) build

$(BUILT): template.yaml $(shell find layers -type f -not -path '*/__pycache__/*')
	@local/setup.sh sam
	@$(SAM) build
	@touch $@

deploy: ## [ENVIRONMENT=dev|prod]: to AWS, as samconfig.toml says
	@local/setup.sh local sam
	@account=$$($(LOCAL) account) && echo "$(ENVIRONMENT): $$account"
	@$(SAM) build
	@$(SAM) deploy --config-env $(ENVIRONMENT) $(DEPLOY)

submit: ## DOC=path [STACK=pagewise-dev] [TASKS=a,b]: documents to a deployed stack, their text back
	@local/setup.sh local
	@$(LOCAL) submit --doc "$(DOC)" --out "$(OUT)" --stack "$(STACK)" $(if $(ENDPOINT),--endpoint "$(ENDPOINT)") \
		$(if $(TASKS),--tasks "$(TASKS)") $(if $(PROFILE),--profile "$(PROFILE)")

delete: ## STACK=pagewise-dev: the stack and all that its buckets hold, after asking; the results table is kept
	@local/setup.sh local sam
	@printf 'Delete %s with every upload, page and receipt? Its name: ' "$(STACK)"; read -r name; \
		$(LOCAL) empty --stack "$(STACK)" --confirmed "$$name" && $(SAM) delete --stack-name "$(STACK)" --no-prompts

cost: ## what 1,000 and 1,000,000 pages cost, by docs/cost.py
	@python3 docs/cost.py

simulate: ## SEEDS=n: worlds in which anything may fail, and whether every promise is kept
	@local/setup.sh development
	@$(DEVELOPMENT)/python -m tests.faults $(SEEDS) $(FROM)

lock: ## all lock files anew, from the pinned requirements
	@local/setup.sh development
	@uv --version >/dev/null 2>&1 && uv=uv || uv=.venvs/uv/bin/uv; for input in layers/*/requirements.in locks/*.in; do \
		overrides="$${input%.in}.overrides.txt"; [ -r "$$overrides" ] && set -- --override "$$overrides" || set --; \
		"$$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
			"$$@" "$$input" -o "$${input%.in}.txt" || exit 1; done

clean: ## environments, builds, outputs
	rm -rf .venvs .aws-sam .cache out
