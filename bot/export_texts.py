"""List every NLU example, so that the service can embed them before `rasa train`.

    python bot/export_texts.py            one JSON array of strings on standard output

Runs on either runtime: standard library and PyYAML only.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml


def training_texts(folder: Path) -> list[str]:
    """The distinct example texts of all NLU files in a folder, in file order; OSError when unreadable."""
    texts: dict[str, None] = {}
    for path in sorted(folder.glob("*.yml")):
        for block in yaml.safe_load(path.read_text(encoding="utf-8"))["nlu"]:
            for line in block["examples"].splitlines():
                if line.startswith("- "):
                    texts[line[2:].strip()] = None
    return list(texts)


if __name__ == "__main__":
    json.dump(training_texts(Path(__file__).parent / "data" / "nlu"), sys.stdout, ensure_ascii=False)
