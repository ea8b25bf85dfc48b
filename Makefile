# What people run here. Each target sets up what it needs and asks for nothing.
STACK ?= dev
FILE ?=
SCENE ?=
WHICH := --stack $(STACK) $(if $(FILE),--file $(FILE)) $(if $(SCENE),--scene $(SCENE))
PYTHON ?= python3
RUN := .venv/bin/python
PYTEST := $(RUN) -m pytest --dist loadgroup --no-loadscope-reorder
PIN ?=
LOCK := .venv/bin/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11

# Where nothing that is compiled is kept, each process of the tests compiles all of it.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help rehearse shell check drill test format docs bump

help: ## say what each target does
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "STACK=prod or FILE=path names another stack file for rehearse and shell"
	@echo "SCENE=existing or SCENE=manifests starts them from what others made"

rehearse: .venv/installed ## play a whole migration of a stack file on this machine
	$(RUN) -m rehearsal migrate $(WHICH)

shell: .venv/installed ## open a shell in which pulumi, cutover and aws work against an emulated AWS
	$(RUN) -m rehearsal shell $(WHICH)

check: .venv/installed ## check format, lint, types and imports, and run every test that needs no engine
	@$(MAKE) --no-print-directory --jobs 2 types quick

drill: .venv/installed ## run the tests on the real engine
	$(PYTEST) --numprocesses 3 -m engine

test: check drill ## check everything, and run every test

.PHONY: types quick
types: .venv/installed
	$(RUN) -m ruff format --check --quiet .
	$(RUN) -m ruff check --quiet .
	.venv/bin/lint-imports --no-logo --no-cache
	.venv/bin/zizmor --offline --quiet .github
	$(RUN) -m basedpyright

quick: .venv/installed
	$(PYTEST) --numprocesses 3 -m "not engine"

format: .venv/installed ## put code and imports into their form
	$(RUN) -m ruff format --quiet .
	$(RUN) -m ruff check --quiet --fix .

docs: .venv/installed ## write docs/configuration.md and docs/checks.md anew
	$(RUN) -m settings.reference
	$(RUN) -c 'from pathlib import Path; from cutover.rules.handbook import page; Path("docs/checks.md").write_text(page())'

bump: .venv/installed ## take a version wherever it is pinned: PIN=pulumi-aws==7.52.0, PIN=engine==3.260.0, or none for all that bounds allow
	@.venv/bin/pip install --quiet uv
ifneq ($(filter engine==%,$(PIN)),)
	echo $(patsubst engine==%,%,$(PIN)) > .pulumi.version
	cd rehearsal/engine/golang && go get -tool github.com/pulumi/pulumi/pkg/v3/cmd/pulumi@v$(patsubst engine==%,%,$(PIN))
else
	$(if $(PIN),sed -i.old -E 's/"($(firstword $(subst ==, ,$(subst [,\[,$(subst ],\],$(PIN))))))==[^"]*"/"$(PIN)"/' pyproject.toml && rm pyproject.toml.old)
	$(LOCK) $(if $(PIN),,--upgrade) pyproject.toml -o requirements.txt
	$(LOCK) $(if $(PIN),,--upgrade) pyproject.toml --group dev -o requirements-dev.txt
endif
	@echo "Now: make test, make rehearse, make rehearse STACK=prod" >&2

.venv/installed: requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit("$(PYTHON) is Python %d.%d; 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.12" % sys.version_info[:2])'
	@echo "Installing Python packages into .venv, once: one to five minutes" >&2
	$(PYTHON) -m venv --clear .venv
	.venv/bin/pip install --quiet --require-hashes -r requirements-dev.txt
	.venv/bin/pip install --quiet --no-deps --editable .
	touch $@
