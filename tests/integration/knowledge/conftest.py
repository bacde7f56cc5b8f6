"""An editor's desk over each database: entries, publishing, and a process that follows."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from knowledge_base import Entry, ImportResult, KnowledgeBase, SqliteEmbeddingCache
from knowledge_base.testing import FakeEmbedder
from services.core.clock import parse_moment
from services.core.database import Database
from services.knowledge import service, tasks
from services.knowledge.live import LiveKnowledge

NOW = parse_moment("2026-11-16T10:00")


class Desk:
    """Everything that one process of the system has of the knowledge base."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.root = folder / "knowledge"
        self.cache = SqliteEmbeddingCache(folder / "embeddings.db")
        self.embedder = FakeEmbedder()
        self.live = LiveKnowledge(database, lambda: self.embedder, self.root)

    def load(self, entries: Sequence[Entry]) -> None:
        result = ImportResult(entries=list(entries))
        self.database.write(lambda uow: service.store_import(uow, result, actor="editor", now=NOW))

    def edit(self, entry_id: str, **values: Any) -> None:
        def save(uow: Any) -> None:
            before = service.get_entry(uow, entry_id)
            content = before.model_dump(
                exclude={"id", "answer_text", "content_hash", "updated_at", "updated_by", "extra"}
            )
            service.update_entry(uow, entry_id, {**content, **values}, expected=None, actor="editor", now=NOW)

        self.database.write(save)

    def publish(self, **options: Any) -> service.Publication:
        return service.publish(
            self.database,
            options.pop("embedder", self.embedder),
            self.root,
            actor="editor",
            now=NOW,
            cache=self.cache,
            live=options.pop("live", self.live),
            **options,
        )

    def finish(self, moment: datetime = NOW) -> bool:
        """What the worker does every few seconds."""
        return tasks.finish_publication(
            self.database, lambda: self.embedder, self.root, lambda: moment, lambda: self.cache
        )

    def now_live(self) -> KnowledgeBase:
        self.live.refresh()
        assert self.live.current is not None
        return self.live.current

    def states(self) -> dict[int, str]:
        with self.database.unit_of_work(read_only=True) as uow:
            return {row.version: row.state for row in service.list_snapshots(uow)}

    def active(self) -> int | None:
        with self.database.unit_of_work(read_only=True) as uow:
            return service.active_version(uow)


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path)


@pytest.fixture
def entries() -> list[Entry]:
    """A hundred entries: enough that answers may follow later."""
    subjects = ["身份证", "护照", "公积金", "社保卡", "驾驶证", "居住证", "结婚证", "房产证", "营业执照", "准生证"]
    return [
        Entry(
            id=f"e{n:03d}", question=f"{subjects[n % 10]}第{n}种情况怎么办", answer=f"请到{n}号窗口", department="大厅"
        )
        for n in range(100)
    ]
