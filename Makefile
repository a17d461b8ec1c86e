# paymux: make run | install | test | test-long | tools | lint | docs | lock. Everything lands in .venv; nothing is installed elsewhere.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run install test test-long lint lock bench torture audit docs browser tools clean

run: .venv/run.installed
	@PAYMUX_STOP_WITH=$$PPID exec $(BIN)/paymux dev

# What a machine needs that runs paymux in earnest; see docs/operate.md.
install: .venv/run.installed

.venv/made: build/check_python.sh
	@sh build/check_python.sh $(PYTHON)
	@$(PYTHON) -m venv .venv
	@touch $@

# The package is used from its source: a path file and a two-line command, no build step.
.venv/run.installed: .venv/made requirements.lock build/link_source.sh
	@echo "Installing into .venv: a minute or so, this once." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@sh build/link_source.sh
	@touch $@

# Without their dependencies, all of which the lock names: it holds other versions of some than the clients of providers
# ask for (build/client-overrides.txt).
.venv/dev.installed: .venv/run.installed requirements-dev.lock
	@echo "Installing the tools of the tests into .venv: a minute or so, this once." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.lock
	@touch $@

# What `.venv/bin/pytest` and the other tools of this file need, without running anything.
tools: .venv/dev.installed

browser: .venv/dev.installed
	@sh build/provide_browser.sh

# Three on two cores: each waits for its own database, browser or processes a third of its time.
test: .venv/dev.installed browser
	$(BIN)/pytest -m "not slow" -n 3 --dist loadfile

test-long: .venv/dev.installed browser
	$(BIN)/pytest -m slow -n 2 --dist loadfile

lint: .venv/dev.installed
	$(BIN)/ruff check src tests bench docs/*.py
	$(BIN)/ruff format --check src tests bench docs/*.py
	$(BIN)/mypy
	$(BIN)/mypy tests bench
	$(BIN)/mypy -m docs.generate -m docs.evidence
	$(BIN)/lint-imports
	$(BIN)/python -m docs.generate --check

bench: .venv/dev.installed
	$(BIN)/python -m bench.run

# MINUTES=60 SEED=2 make torture: traffic while everything dies, then an audit; exits 1 on any breach.
torture: .venv/dev.installed
	$(BIN)/python -m bench.torture --minutes $(or $(MINUTES),5) --seed $(or $(SEED),1)

# Known vulnerabilities of what the locks name; "not checked", and no failure, where nobody can be asked.
audit: .venv/made
	@sh build/audit_packages.sh $(PYTHON)

# First what each connector does at its simulator is tried anew: the tables are made from that.
docs: .venv/dev.installed
	$(BIN)/python -m tests.conformance.field_probe
	$(BIN)/python -m docs.generate

# Hashed locks that name no index host.
lock: .venv/dev.installed
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/python -m uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --no-annotate -q -o requirements.lock
	$(BIN)/python -m uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --overrides build/client-overrides.txt \
	  --no-emit-index-url --no-emit-find-links --no-header --no-annotate -q -o requirements-dev.lock

clean:
	rm -rf .venv
