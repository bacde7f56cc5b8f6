"""These tests need the bot runtime: bot/.venv/bin/python -m pytest tests/bot. Elsewhere they are not collected."""

import importlib.util
import sys
from pathlib import Path

BOT = Path(__file__).parents[2] / "bot"

if importlib.util.find_spec("rasa") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    sys.path[:0] = [str(BOT), str(BOT.parent)]
