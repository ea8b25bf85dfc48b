# The two commands of the README, and the shell. Each sets up what it needs and asks for nothing.
STACK ?= dev
PYTHON ?= python3
RUN := .venv/bin/python

.PHONY: rehearse shell test format

rehearse: .venv/installed
	$(RUN) -m rehearsal migrate --stack $(STACK)

shell: .venv/installed
	$(RUN) -m rehearsal shell

test: .venv/installed
	$(RUN) -m ruff format --check --quiet .
	$(RUN) -m ruff check --quiet .
	$(RUN) -m basedpyright
	$(RUN) -m pytest

format: .venv/installed
	$(RUN) -m ruff format --quiet .
	$(RUN) -m ruff check --quiet --fix .

.venv/installed: requirements-dev.txt
	$(PYTHON) -m venv --clear .venv
	.venv/bin/pip install --quiet --require-hashes -r requirements-dev.txt
	touch $@
