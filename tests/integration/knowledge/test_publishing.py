"""Publishing: deltas, rollback, two at once, a crash in the middle, answers that follow."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from knowledge_base import Entry, KnowledgeBase, Progress
from knowledge_base.embedding.protocol import Vectors
from knowledge_base.testing import FakeEmbedder
from services.core.audit import AuditRow
from services.core.clock import FixedClock
from services.core.database import Database
from services.core.errors import Conflict
from services.knowledge import publishing, repository, service, tasks
from services.knowledge.live import LiveKnowledge, snapshot_directory
from tests.integration.knowledge.conftest import NOW, Desk
from tests.support import outcomes

ROOT = Path(__file__).resolve().parents[3]


def test_an_edit_is_published_as_a_delta_that_embeds_only_what_changed(desk: Desk, entries: list[Entry]) -> None:
    desk.load(entries)
    first = desk.publish()
    assert (first.kind, first.entries, first.changed) == ("full", 100, 100)
    before = desk.embedder.texts_embedded
    desk.edit("e007", question="居住证第七种情况如何处理")
    second = desk.publish()
    assert (second.kind, second.changed, second.removed, second.entries) == ("delta", 1, 0, 100)
    assert desk.embedder.texts_embedded - before == 2
    hit = desk.now_live().search("居住证第七种情况如何处理").hits[0]
    assert (hit.entry_id, desk.live.version) == ("e007", second.version)
    with desk.database.unit_of_work(read_only=True) as uow:
        rows = {row.version: row for row in service.list_snapshots(uow)}
    assert (rows[2].base_version, rows[2].delta, rows[2].active) == (1, 1, True)


def test_a_publish_without_edits_makes_no_version(desk: Desk, entries: list[Entry]) -> None:
    desk.load(entries)
    first = desk.publish()
    again = desk.publish()
    assert (again.version, again.kind) == (first.version, "unchanged")
    assert desk.publish(full=True).kind == "full"


def test_a_deleted_entry_is_gone_from_the_next_version_and_back_after_a_rollback(
    desk: Desk, entries: list[Entry]
) -> None:
    desk.load(entries)
    first = desk.publish().version
    desk.database.write(lambda uow: service.delete_entry(uow, "e003", expected=None, actor="editor", now=NOW))
    assert (desk.publish().removed, len(desk.now_live())) == (1, 99)
    desk.database.write(lambda uow: service.roll_back(uow, first, actor="editor", now=NOW))
    assert desk.now_live().entry("e003").id == "e003"
    # What was edited is still waiting, and goes out as a delta of the version that is live.
    again = desk.publish()
    assert (again.kind, again.removed, len(desk.now_live())) == ("delta", 1, 99)


def test_many_edits_make_a_new_base(desk: Desk, entries: list[Entry]) -> None:
    desk.load(entries)
    desk.publish()
    for entry in entries[:40]:
        desk.edit(entry.id, answer="改过")
    assert desk.publish().kind == "delta"
    for entry in entries[40:70]:
        desk.edit(entry.id, answer="改过")
    third = desk.publish()
    assert third.kind == "full"
    assert desk.now_live().base_name == snapshot_directory(desk.root, third.version).name


def test_versions_of_one_base_share_it_in_a_process(desk: Desk, entries: list[Entry]) -> None:
    desk.load(entries)
    desk.publish()
    follower = LiveKnowledge(desk.database, FakeEmbedder, desk.root)
    assert follower.refresh()
    first = follower.current
    desk.edit("e001", answer="改过")
    desk.publish()
    assert follower.refresh()
    assert first is not None
    assert follower.current is not None
    assert follower.current._layers.base is first._layers.base
    desk.database.write(lambda uow: service.roll_back(uow, 1, actor="editor", now=NOW))
    assert follower.refresh()
    assert follower.current is first


class Gate(FakeEmbedder):
    """Lets a publish wait in its embedding until another one is through."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.go_on = threading.Event(), threading.Event()

    def embed_passages(self, texts: Sequence[str], progress: object = None) -> object:  # type: ignore[override]
        self.reached.set()
        assert self.go_on.wait(30)
        return super().embed_passages(texts)


def test_of_two_publishes_at_once_the_later_one_wins_and_the_overtaken_one_says_so(
    desk: Desk, entries: list[Entry]
) -> None:
    desk.load(entries)
    desk.publish()
    desk.edit("e001", answer="第一次改")
    gate, outcome = Gate(), []

    def slow() -> None:
        other = LiveKnowledge(desk.database, lambda: gate, desk.root)
        try:
            desk.publish(embedder=gate, live=other)
        except Conflict as conflict:
            outcome.append(conflict.detail)

    thread = threading.Thread(target=slow)
    thread.start()
    assert gate.reached.wait(30)
    desk.edit("e001", answer="第二次改")
    quick = desk.publish()
    gate.go_on.set()
    thread.join()
    assert outcome == [publishing.OVERTAKEN]
    assert desk.active() == quick.version
    assert desk.now_live().entry("e001").answer == "第二次改"
    assert desk.states() == {1: "ready", 2: "failed", 3: "ready"}


def test_of_two_first_publishes_at_once_one_wins(desk: Desk, entries: list[Entry]) -> None:
    desk.load(entries[:5])
    gates, outcomes = [Gate(), Gate()], []

    def work(gate: Gate) -> None:
        live = LiveKnowledge(desk.database, lambda: gate, desk.root)
        try:
            outcomes.append(desk.publish(embedder=gate, live=live).version)
        except Conflict:
            outcomes.append(0)

    threads = [threading.Thread(target=work, args=(gate,)) for gate in gates]
    for thread, gate in zip(threads, gates, strict=True):
        thread.start()
        assert gate.reached.wait(30)
    for gate in gates:
        gate.go_on.set()
    for thread in threads:
        thread.join()
    assert sorted(outcome > 0 for outcome in outcomes) == [False, True]
    assert desk.active() == max(outcomes)


def test_a_first_version_is_made_active_once_also_while_another_is_not_committed_yet(
    desk: Desk, entries: list[Entry]
) -> None:
    with desk.database.unit_of_work() as uow:
        for _ in range(2):
            repository.reserve_version(uow.session, "fake", 1, "editor", NOW)
        uow.commit()
    started, outcomes = threading.Event(), []

    def second() -> None:
        started.set()
        with desk.database.unit_of_work() as uow:
            outcomes.append(repository.switch(uow.session, 2, None))
            uow.commit()

    thread = threading.Thread(target=second)
    with desk.database.unit_of_work() as uow:
        assert repository.switch(uow.session, 1, None)
        thread.start()
        assert started.wait(30)
        uow.commit()
    thread.join(30)
    assert (outcomes, desk.active()) == ([False], 1)


def test_the_active_version_changes_only_from_the_expected_one(desk: Desk, entries: list[Entry]) -> None:
    desk.load(entries)
    first = desk.publish().version
    desk.edit("e001", answer="改过")
    second = desk.publish().version
    with desk.database.unit_of_work() as uow:
        assert not repository.switch(uow.session, first, first)
        assert not repository.switch(uow.session, first, None)
        assert repository.switch(uow.session, first, second)


def test_a_failed_publish_leaves_the_old_version_live(desk: Desk, entries: list[Entry]) -> None:
    class Broken(FakeEmbedder):
        def embed_passages(self, texts: Sequence[str], progress: object = None) -> object:  # type: ignore[override]
            raise RuntimeError

    desk.load(entries)
    desk.publish()
    desk.edit("e001", answer="改过")
    with pytest.raises(RuntimeError):
        desk.publish(embedder=Broken(), live=LiveKnowledge(desk.database, Broken, desk.root))
    assert (desk.active(), desk.states()) == (1, {1: "ready", 2: "failed"})
    assert desk.publish().kind == "delta"


CRASH = """
import os, sys
from pathlib import Path
from knowledge_base import SqliteEmbeddingCache
from knowledge_base.testing import FakeEmbedder
from services.core.clock import parse_moment
from services.core.database import Database
from services.knowledge import service

class Killed(FakeEmbedder):
    def embed_passages(self, texts, progress=None):
        if self.texts_embedded:
            os._exit(9)
        return super().embed_passages(texts)

folder = Path(sys.argv[2])
service.publish(Database(sys.argv[1]), Killed(), folder / "knowledge", actor="editor",
    now=parse_moment("2026-11-16T10:00"), cache=SqliteEmbeddingCache(folder / "embeddings.db"), full=True)
"""


def test_a_process_killed_in_a_publish_leaves_the_old_version_live_and_its_work_in_the_cache(
    desk: Desk, tmp_path: Path
) -> None:
    desk.load([Entry(id="old", question="旧的问题", answer="旧的答案")])
    desk.publish()
    desk.load([Entry(id=str(n), question=f"第{n}个问题", answer=f"第{n}个答案") for n in range(300)])
    command = [sys.executable, "-c", CRASH, desk.database.engine.url.render_as_string(False), str(tmp_path)]
    run = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT, check=False)
    assert run.returncode == 9
    assert (desk.active(), len(desk.now_live())) == (1, 1)
    before = desk.embedder.texts_embedded
    assert desk.publish().entries == 301
    assert desk.embedder.texts_embedded - before == 600 - 256
    assert len(desk.now_live()) == 301
    # The version that died is marked as failed once it has been silent for a day.
    later = NOW + timedelta(days=2)
    tasks.clear_old_versions(desk.database, desk.root, later)
    assert desk.states() == {1: "ready", 2: "failed", 3: "ready"}


def test_a_first_publish_is_usable_with_its_questions_and_the_worker_adds_the_answers(
    desk: Desk, entries: list[Entry]
) -> None:
    desk.load(entries)
    early = desk.publish(answers="later")
    assert (early.answers_pending, desk.embedder.texts_embedded) == (100, 100)
    assert desk.now_live().search("护照第1种情况怎么办").hits[0].entry_id == "e001"
    assert desk.finish()
    assert not desk.finish()
    assert desk.now_live().answers_pending == 0
    assert desk.live.version == early.version + 1
    with desk.database.unit_of_work(read_only=True) as uow:
        row = service.list_snapshots(uow)[0]
    assert (row.done, row.total, row.answers_pending) == (200, 200, 0)


def test_the_worker_publishes_no_edit_that_no_editor_published(desk: Desk, entries: list[Entry]) -> None:
    desk.load(entries)
    desk.publish(answers="later")
    desk.edit("e001", answer="还没有发布")
    assert desk.finish()
    assert desk.now_live().entry("e001").answer == "请到1号窗口"
    assert desk.publish().kind == "delta"
    assert desk.now_live().entry("e001").answer == "还没有发布"


def test_a_worker_overtaken_by_a_publish_goes_on_with_the_newer_version(desk: Desk, entries: list[Entry]) -> None:
    desk.load(entries)
    desk.publish(answers="later")
    gate = Gate()
    done: list[bool] = []

    def work() -> None:
        done.append(tasks.finish_publication(desk.database, lambda: gate, desk.root, lambda: NOW, lambda: desk.cache))

    thread = threading.Thread(target=work)
    thread.start()
    assert gate.reached.wait(30)
    # A second worker leaves it to the first one, until that has been silent for long.
    assert not desk.finish()
    desk.edit("e001", answer="改过")
    desk.publish(answers="later")
    gate.go_on.set()
    thread.join()
    assert done == [False]
    assert desk.finish()
    assert desk.now_live().entry("e001").answer == "改过"
    assert (desk.now_live().answers_pending, desk.now_live().delta_size) == (0, 0)


class Slow(FakeEmbedder):
    """Whoever waits for embeddings of some texts waits for `meanwhile`."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self.meanwhile = meanwhile

    def embed_passages(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        self.meanwhile()
        return super().embed_passages(texts, progress)


def test_a_completion_longer_than_its_lease_stays_with_its_worker_and_is_made_once(desk: Desk) -> None:
    many = [Entry(id=f"e{n:03d}", question=f"第{n}种情况怎么办", answer=f"请到{n}号窗口") for n in range(800)]
    desk.load(many)
    desk.publish(answers="later")
    clock, others = FixedClock(NOW), []
    before = desk.embedder.texts_embedded

    def meanwhile() -> None:
        clock.advance(publishing.LEASE * 0.6)
        others.append(desk.finish(clock.now()))

    slow = Slow(meanwhile)
    assert tasks.finish_publication(desk.database, lambda: slow, desk.root, clock.now, lambda: desk.cache)
    assert clock.now() - NOW > publishing.LEASE * 2
    assert set(others) == {False}
    assert (slow.texts_embedded, desk.embedder.texts_embedded) == (len(many), before)
    assert desk.states() == {1: "ready", 2: "ready"}


def test_a_worker_that_fell_silent_in_a_completion_does_not_undo_that_of_the_one_after_it(
    desk: Desk, entries: list[Entry]
) -> None:
    desk.load(entries)
    desk.publish(answers="later")
    clock, others = FixedClock(NOW), []

    def meanwhile() -> None:
        if not others:
            clock.advance(publishing.LEASE)
            others.append(desk.finish(clock.now()))

    silent = Slow(meanwhile)
    assert not tasks.finish_publication(desk.database, lambda: silent, desk.root, clock.now, lambda: desk.cache)
    assert others == [True]
    assert desk.states() == {1: "ready", 2: "failed", 3: "ready"}
    assert desk.active() == 3
    assert not desk.finish(clock.now())


def test_of_workers_at_once_one_completes_a_version(desk: Desk, entries: list[Entry]) -> None:
    desk.load(entries)
    desk.publish(answers="later")
    before = desk.embedder.texts_embedded
    assert sorted(outcomes(*(desk.finish for _ in range(4)))) == [False, False, False, True]
    assert desk.embedder.texts_embedded == before + 100
    assert desk.states() == {1: "ready", 2: "ready"}


def test_a_completion_that_failed_is_tried_again_at_once(desk: Desk, entries: list[Entry]) -> None:
    desk.load(entries)
    desk.publish(answers="later")

    def fails() -> None:
        raise RuntimeError("out of memory")

    broken = Slow(fails)
    with pytest.raises(RuntimeError):
        tasks.finish_publication(desk.database, lambda: broken, desk.root, lambda: NOW, lambda: desk.cache)
    assert desk.finish()


def test_the_worker_merges_a_delta_that_has_grown(desk: Desk, entries: list[Entry]) -> None:
    desk.load(entries)
    desk.publish()
    for entry in entries[:40]:
        desk.edit(entry.id, answer="改过")
    assert desk.publish().kind == "delta"
    assert desk.finish()
    merged = desk.now_live()
    assert (merged.delta_size, len(merged), merged.entry("e000").answer) == (0, 100, "改过")
    assert not desk.finish()


def test_a_version_of_another_model_or_a_damaged_one_is_known_to_be_of_no_use(desk: Desk, entries: list[Entry]) -> None:
    desk.load(entries)
    version = desk.publish().version
    assert service.is_usable(desk.root, version, desk.embedder)
    assert not service.is_usable(desk.root, version, FakeEmbedder(identity="another"))
    (snapshot_directory(desk.root, version) / "manifest.json").unlink()
    assert not service.is_usable(desk.root, version, desk.embedder)


def test_old_versions_are_cleared_away_but_never_a_base_in_use(
    desk: Desk, entries: list[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "KEPT_VERSIONS", 2)
    desk.load(entries[:10])
    for number in range(4):
        desk.edit("e001", answer=f"第{number}版")
        desk.publish()
    assert tasks.clear_old_versions(desk.database, desk.root, NOW) == 1
    assert desk.states() == {1: "ready", 2: "retired", 3: "ready", 4: "ready"}
    assert sorted(path.name for path in desk.root.iterdir()) == ["v000001", "v000003", "v000004"]
    KnowledgeBase.open(snapshot_directory(desk.root, 4), FakeEmbedder())


def test_searches_through_publishes_see_one_version_each(desk: Desk, entries: list[Entry]) -> None:
    desk.load(entries[:10])
    for entry in entries[:10]:
        desk.edit(entry.id, answer=f"{entry.id}|0")
    desk.publish()
    desk.now_live()
    stop, mixed, errors = threading.Event(), [], []

    def search() -> None:
        while not stop.is_set():
            try:
                kb = desk.live.current
                assert kb is not None
                stamps = {kb.entry(hit.entry_id).answer.split("|")[1] for hit in kb.search("第种情况怎么办").hits}
                if len(stamps) != 1:
                    mixed.append(stamps)
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, 9):
            for entry in entries[:10]:
                desk.edit(entry.id, answer=f"{entry.id}|{number}")
            desk.publish()
            desk.now_live()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert (mixed, errors) == ([], [])


def test_who_published_and_rolled_back_is_on_record(database: Database, desk: Desk, entries: list[Entry]) -> None:
    desk.load(entries)
    desk.publish(answers="later")
    desk.finish()
    desk.database.write(lambda uow: service.roll_back(uow, 1, actor="admin", now=NOW))
    with database.unit_of_work(read_only=True) as uow:
        rows = uow.session.execute(
            sa.select(AuditRow.actor, AuditRow.action, AuditRow.subject).order_by(AuditRow.id)
        ).all()
    assert [tuple(row) for row in rows[1:]] == [
        ("editor", "knowledge.publish", "knowledge:v1"),
        ("worker", "knowledge.complete", "knowledge:v2"),
        ("admin", "knowledge.rollback", "knowledge:v1"),
    ]
