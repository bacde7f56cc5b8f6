"""The order of a run, and what stays together in one of its processes.

Imports nothing but pytest: the bot's tests read it too, in a runtime that has nothing of ours.
"""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# The whole system takes longest and waits most: it starts first, and the processes that are free do the rest. What is
# judged by the starter base's embeddings comes last, when the system has made them.
ORDER = ("e2e", "integration", "web", "unit", "quality")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files stay whole; tests/e2e too, whose two systems are started one after the other in one process."""
    rooms = {item: item.path.relative_to(TESTS).parts[0] for item in items}
    for item in items:
        name = "e2e" if rooms[item] == "e2e" else str(item.path.relative_to(TESTS))
        item.add_marker(pytest.mark.xdist_group(name))
    items.sort(key=lambda item: ORDER.index(rooms[item]) if rooms[item] in ORDER else len(ORDER))
