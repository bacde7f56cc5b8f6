# All set-up happens by itself; both targets may be run again at any time.
PYTHON ?= python3
HUIYING = .venv/bin/huiying
SECONDS = 240
SEED = 7
PART = all

.PHONY: run test soak setup check lock

run: setup
	@exec $(HUIYING) up

setup:
	@$(PYTHON) setup_runtimes.py

test:
	@$(PYTHON) setup_runtimes.py --dev
	@.venv/bin/python -m tests $(TESTS)

# Minutes of faults on servers of its own (docs/time-limits.md): make soak SECONDS=600 SEED=11 PART=kills
soak:
	@$(PYTHON) setup_runtimes.py --dev
	@.venv/bin/python -m tests.soak --seconds $(SECONDS) --seed $(SEED) --part $(PART)

check:
	@$(PYTHON) setup_runtimes.py --dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

# Needs pip-tools in any environment; torch keeps its plain version, so that any build of it fits.
lock:
	pip-compile -q --allow-unsafe --strip-extras --no-header --no-annotate --no-emit-find-links --no-emit-index-url --no-emit-options --no-emit-trusted-host -o requirements.lock pyproject.toml
	cp requirements.lock requirements-dev.lock
	pip-compile -q --allow-unsafe --strip-extras --no-header --no-annotate --no-emit-find-links --no-emit-index-url --no-emit-options --no-emit-trusted-host --extra dev -o requirements-dev.lock pyproject.toml
	bash -c "comm -13 <(sort requirements.lock) <(sort requirements-dev.lock)" > requirements-dev.part && mv requirements-dev.part requirements-dev.lock
	sed -i -e 's/^torch==\([0-9.]*\)+cpu/torch==\1/' -e '/^$$/d' -e '/^# /d' requirements.lock
