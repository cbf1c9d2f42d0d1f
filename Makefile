# The commands of this project; `make` alone lists them. What a command needs it sets up first, and the second time
# that takes no time. Paths are relative throughout, so that a checkout may lie in a directory with spaces.

.DEFAULT_GOAL := help
.PHONY: help run environment lint check format test soak bench pictures deb upgrade clean

PYTEST = .venv/bin/python -m pytest
# Most of them wait for processes more than they compute: twice the cores of a small machine.
JOBS ?= 3
SOAK ?= 20

help: ## list these commands
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1 \2/p' Makefile | while read -r name text; do printf 'make %-12s %s\n' "$$name" "$$text"; done

run: ## a crew in the foreground, from nothing: set-up, the daemon, examples/crew.yaml; Ctrl-C ends all of it
	@.ci/environment .venv
	@cat examples/what-to-try.txt
	@CREWD_HOME="$$PWD/.crewd" PATH="$$PWD/.venv/bin:$$PWD/examples/workers:$$PATH" exec .venv/bin/crewd run -c examples/crew.yaml

environment: ## all that the checks and the tests need: .venv, supervisor 4.2.5, packages of the system
	@.ci/system-packages
	@.ci/environment .venv dev
	@.ci/old-supervisor

lint: environment ## ruff, pyright strict on each Python, import-linter, shellcheck
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/pyright --pythonversion 3.11
	.venv/bin/pyright --pythonversion 3.12
	.venv/bin/pyright --pythonversion 3.13
	.venv/bin/lint-imports --no-logo
	.venv/bin/shellcheck .ci/python .ci/environment .ci/system-packages .ci/old-supervisor .ci/other-pythons .ci/upgrade .ci/run
	.venv/bin/shellcheck packaging/deb/build packaging/deb/debian/postinst packaging/deb/debian/prerm packaging/deb/debian/postrm
	.venv/bin/shellcheck --shell bash packaging/completions/crewd.bash packaging/completions/crewctl.bash

check: lint ## lint, unit and contract tests: what is quick
	$(PYTEST) -n $(JOBS) -m "not slow" tests/unit tests/contract tests/test_docs.py

format: environment ## let ruff put the code in form
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

test: environment ## all tests, on real supervisord; unit and contract tests on every Python that is here
	$(PYTEST) -n $(JOBS) -m "not slow" tests
	$(PYTEST) -m slow tests
	JOBS=$(JOBS) .ci/other-pythons

soak: environment ## the long tests, SOAK times as long (SOAK=20)
	CREWD_SOAK=$(SOAK) $(PYTEST) -m slow --timeout 0 tests

bench: environment ## crewd, stock supervisord and runit side by side, then the daemon, its API and the store
	cd tests && ../.venv/bin/python -m bench $(BENCH)

pictures: environment ## draw the dashboards in docs/images anew, after 8 minutes of the example crew
	cd tests && ../.venv/bin/python -m pictures

deb: ## the Debian package, for this machine's release, into dist
	@.ci/system-packages debhelper python3
	@.ci/environment .venv
	@packaging/deb/build dist && ls dist/*.deb

upgrade: ## move packaging/constraints.txt and requirements.txt to the newest versions that pyproject.toml allows
	.ci/upgrade

clean: ## remove what the other commands made: .venv, .cache, .crewd
	rm -rf .venv .cache .crewd .pytest_cache .ruff_cache .hypothesis .import_linter_cache
