# All set-up happens by itself; both targets may be run again at any time.
PYTHON ?= python3
HUIYING = .venv/bin/huiying

.PHONY: run test setup check lock

run: setup
	@exec $(HUIYING) up

setup:
	@$(PYTHON) setup_runtimes.py

test:
	@$(PYTHON) setup_runtimes.py --dev
	@.venv/bin/python -m pytest $(TESTS)

check:
	@$(PYTHON) setup_runtimes.py --dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
