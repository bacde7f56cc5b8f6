"""A town whose citizens and clerks keep the case desk busy, by a seed."""

import random
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

import services.schema
from services.accounts.schemas import StaffUser
from services.cases import service as cases
from services.cases.models import OPEN_STATUSES, Case
from services.container import DEMO_CITY, Container
from services.core.database import Base
from services.core.errors import HuiyingError
from services.notifications import service as notifications
from services.sla import service as sla
from tests.soak.clock import SharedClock

BOSS = StaffUser("boss", "supervisor", None)
DEALT = "市民政局"
DEPARTMENTS = (DEALT, "市公安局交通警察支队", None)
ROSTER = f"""queues:
  - department: {DEALT}
    assign: round_robin
    members: [{{name: zhang, capacity: 10000}}, {{name: li, capacity: 10000}}, {{name: zhao, capacity: 10000}}]
"""
# Beside the first answer, news is promised: clocks that follow one another.
UPDATES = """      - {target: update, kind: complaint, limit: 2, unit: working_days, source: 进展告知要求（示范）}
"""
# What supervisors and managers read at their console goes to a group of another platform too.
GROUP = """robots: [{name: 督办群, secret: robot}]
mailboxes: []
wechat: []
routes:
  - {kinds: [case_breach, case_escalation, case_urgent], readers: [role:supervisor, role:manager], robot: 督办群}
templates: []
"""
KINDS = ("consultation", "consultation", "help", "complaint", "suggestion", "urgent")


class Town:
    """Acts through the services, as the API does; each act is one transaction at the shared clock's time."""

    def __init__(self, container: Container, clock: SharedClock, folder: Path, seed: int) -> None:
        self.container = container
        self.database = container.database
        self.clock = clock
        self.random = random.Random(seed)
        self.acts = 0
        # Acts that the database, gone for a moment, refused.
        self.refused = 0
        self.alert_from: datetime | None = None
        self.alert_to: datetime | None = None
        assert services.schema.METADATA is Base.metadata
        Base.metadata.create_all(self.database.engine)
        city = folder / "city"
        city.mkdir(exist_ok=True)
        for file in DEMO_CITY.glob("*.yaml"):
            (city / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
        (city / "roster.yaml").write_text(ROSTER, encoding="utf-8")
        with (city / "policies.yaml").open("a", encoding="utf-8") as policies:
            policies.write(UPDATES)
        (city / "notifications.yaml").write_text(GROUP, encoding="utf-8")
        self.database.write(lambda uow: sla.apply_city(uow, city, clock.now()))
        self.database.write(lambda uow: notifications.apply_city(uow, city, clock.now()))

    def begin_alert(self) -> None:
        """From now on two reports a day are due."""
        self.alert_from = self._alert(1)

    def end_alert(self) -> None:
        self.alert_to = self._alert(0)

    def _alert(self, level: int) -> datetime:
        now = self.clock.now()
        self.database.write(lambda uow: cases.set_alert_level(uow, user=BOSS, level=level, now=now))
        return now

    def open(self, **given: Any) -> str:
        """A new case, every second one out of a conversation; its number."""
        values = {"kind": self.random.choice(KINDS), "department": self.random.choice(DEPARTMENTS), **given}

        def step(uow: Any) -> str:
            now = self.clock.now()
            conversation = None
            if self.random.random() < 0.5:
                conversation = self.container.conversations.open(uow, channel="web", now=now).conversation_id
            new = cases.NewCase(title="一件要办的事", channel="web", conversation_id=conversation, **values)
            return cases.open_case(uow, self.container.secrets, new, now=now).case_no

        return self.database.write(step)

    def act(self) -> None:
        """Something that happens to one of the open cases, or a new one. What does not fit its state is left."""
        self.acts += 1
        try:
            chosen = self._some_case() if self.random.random() < 0.6 else None
            if chosen is None:
                self.open()
            else:
                self._act_on(*chosen)
        except HuiyingError:
            pass
        except DBAPIError:
            self.refused += 1

    def _some_case(self) -> tuple[str, str | None] | None:
        with self.database.unit_of_work(read_only=True) as uow:
            found = uow.session.execute(
                sa.select(Case.case_no, Case.conversation_id)
                .where(Case.status.in_(OPEN_STATUSES))
                .order_by(Case.id.desc())
                .limit(60)
            ).all()
        if not found:
            return None
        chosen = self.random.choice(found)
        return chosen[0], chosen[1]

    def _act_on(self, case_no: str, conversation_id: str | None) -> None:
        secrets, staff = self.container.secrets, {"case_no": case_no, "user": BOSS}
        citizen = {"case_no": case_no, "conversation_id": conversation_id}
        acts: list[tuple[float, Callable[..., Any], dict[str, Any]]] = [
            (5, cases.reply, {**staff, "text": "答复", "resolve": self.random.random() < 0.5}),
            (4, cases.hold, {**staff, "question": "请补充材料"}),
            (1, cases.extend, {**staff, "days": 2, "reason": "需要核实"}),
            (1, cases.classify, {**staff, "kind": self.random.choice(("help", "complaint"))}),
            (1, cases.resume, staff),
            (1, cases.note, {**staff, "text": "备注"}),
        ]
        if conversation_id is not None:
            acts += [
                (2, cases.citizen_adds, {**citizen, "text": "补充一句"}),
                (1, cases.citizen_withdraws, citizen),
                (1, cases.citizen_presses, citizen),
            ]
        _, action, arguments = self.random.choices(acts, [weight for weight, _, _ in acts])[0]
        self.database.write(lambda uow: action(uow, secrets, now=self.clock.now(), **arguments))
