"""An earlier state works, is stopped in the middle of everything, and this one goes on with the same data.

    .venv/bin/python -m tests.attacks.upgrade COMMIT

The earlier state runs from a checkout of its own, made for it and removed afterwards, with this interpreter; so both
must agree on the pinned packages, which is said when they do not. Ends with 1 when anything was lost.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.attacks.target import PROJECT, Target, say
from tests.e2e.conftest import Citizen

LOCKS = ("requirements.lock", "bot/requirements.lock")
HOUSEHOLD = "80013327"
PHONES = {"booked": "13800008011", "booking": "13800008012"}
GIT_SECONDS = 120


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """A checkout of `commit` that borrows the environments of this one."""
    with tempfile.TemporaryDirectory(prefix="huiying-before-") as folder:
        tree = Path(folder) / "tree"
        git("worktree", "add", "--detach", "-q", str(tree), commit)
        try:
            for lock in LOCKS:
                if (tree / lock).read_text() != (PROJECT / lock).read_text():
                    print(f"{lock} of {commit} differs from this one's, whose packages both use", file=sys.stderr)
            (tree / ".venv").symlink_to(PROJECT / ".venv")
            (tree / "bot" / ".venv").symlink_to(PROJECT / "bot" / ".venv")
            yield tree
        finally:
            git("worktree", "remove", "--force", str(tree))


def git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=PROJECT, capture_output=True, text=True, timeout=GIT_SECONDS, check=True
    )
    return done.stdout


def texts(answer: dict[str, Any]) -> str:
    return "\n".join(message["text"] for message in answer["messages"])


def options(answer: dict[str, Any]) -> list[str]:
    return [option["payload"] for message in answer["messages"] for option in message["options"] or ()]


class Town:
    """Who is in the middle of what. Their browsers keep tokens and cookies over the upgrade, as real ones do."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.citizens = {
            name: self._citizen() for name in ("form", "booking", "booked", "complaint", "waiting", "danger")
        }
        self.staff = {role: target.staff(role) for role in ("clerk", "supervisor", "manager")}
        self.cases: dict[str, str] = {}
        self.booked = ""

    def _citizen(self) -> Citizen:
        conversation, headers = self.target.conversation()
        return Citizen(self.target.client(**headers), conversation, headers["authorization"].split()[1])

    def begin(self) -> None:
        """Everything stands half way when this returns."""
        form = self.citizens["form"].consented()
        assert "户号" in texts(form.send("查电费"))
        booked = self.citizens["booked"].consented()
        self._to_confirmation(booked, PHONES["booked"])
        asked = booked.send(choice="确认预约")
        self.booked = next(message["data"]["no"] for message in asked["messages"] if message["type"] == "result")
        self._to_confirmation(self.citizens["booking"].consented(), PHONES["booking"])
        self.cases["complaint"] = self.citizens["complaint"].send("我要投诉窗口工作人员态度差")["case_no"]
        self.cases["waiting"] = self.citizens["waiting"].send("转人工")["case_no"]
        self.cases["danger"] = self.citizens["danger"].send("我家着火了，快来人")["case_no"]
        for name in ("waiting", "danger"):
            self._act(name, "claim")
        self._act("danger", "reply", text="消防已经出发", resolve=False)
        self._act("waiting", "hold", text="请问是哪个窗口？")

    def _to_confirmation(self, citizen: Citizen, phone: str) -> None:
        asked = citizen.send("想预约办公证")
        asked = citizen.send(choice=options(asked)[0])
        asked = citizen.send(phone)
        assert "确认预约" in options(asked), texts(asked)

    def _act(self, name: str, action: str, **body: Any) -> dict[str, Any]:
        answer = self.staff["clerk"].post(f"/api/v1/cases/{self.cases[name]}/{action}", json=body)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    def state(self) -> dict[str, Any]:
        """What must be the same before and after: every message, case, limit, and appointment, and who is logged in."""
        shown: dict[str, Any] = {}
        for name, citizen in self.citizens.items():
            shown[f"messages of {name}"] = [(one["id"], one["type"], one["text"]) for one in citizen.messages()]
        for name, number in self.cases.items():
            case = self.staff["clerk"].get(f"/api/v1/cases/{number}").raise_for_status().json()
            shown[f"case of {name}"] = {
                key: case[key]
                for key in ("case_no", "status", "kind", "department", "priority", "title", "assignee", "next_due_at")
            } | {"clocks": [(one["target"], one["due_at"], one["state"]) for one in case["clocks"]]}
        listed = self.staff["supervisor"].get("/api/v1/cases").raise_for_status().json()["cases"]
        shown["cases listed"] = sorted(one["case_no"] for one in listed)
        figures = self.staff["manager"].get("/api/v1/statistics/timeliness").raise_for_status().json()
        shown["figures"] = {name: figures["overall"][name] for name in ("cases", "answered", "open", "overdue")}
        return shown

    def finish(self) -> list[str]:
        """Everybody goes on where they were; what did not work."""
        lost = []

        def expect(what: str, holds: bool, got: str) -> None:
            if not holds:
                lost.append(f"{what}: {got[:200]}")

        bill = texts(self.citizens["form"].send(HOUSEHOLD))
        expect("the open form takes the household number and finds the bill", "元" in bill, bill)
        done = texts(self.citizens["booking"].send(choice="确认预约"))
        expect("the booking is confirmed", "预约成功" in done, done)
        mine = texts(self.citizens["booked"].send("我的预约"))
        expect("the appointment made before is there", self.booked in mine, mine)
        place = texts(self.citizens["complaint"].send("政务大厅三号窗口"))
        expect("the complaint goes on with its next question", "什么时候" in place, place)
        said = self.citizens["waiting"].send("三号窗口")
        answered = self._act("waiting", "reply", text="已经了解，谢谢", resolve=True)
        expect("the wait has ended and the case is answered", answered["status"] == "resolved", answered["status"])
        read = [one["text"] for one in self.citizens["waiting"].messages()]
        expect("the citizen reads the answer", any("已经了解" in one for one in read), texts(said))
        urgent = self._act("danger", "reply", text="人都出来了吗？", resolve=False)
        expect("the urgent case is still the clerk's", urgent["case_no"] == self.cases["danger"], str(urgent))
        return lost


def main() -> int:
    parser = argparse.ArgumentParser(prog="upgrade", description=__doc__)
    parser.add_argument("commit", help="the earlier state, as git names it")
    commit = git("rev-parse", "--short", parser.parse_args().commit).strip()
    with checkout(commit) as before:
        target = Target(before)
        try:
            town = Town(target)
            town.begin()
            earlier = town.state()
            target.end()
            target.project = PROJECT
            seconds = target.start()
            later = town.state()
            changed = [name for name, value in earlier.items() if later.get(name) != value]
            lost = changed + town.finish()
            messages = sum(len(value) for name, value in earlier.items() if name.startswith("messages"))
            figures = {"before": commit, "messages": messages, "cases": len(earlier["cases listed"])}
            say("upgrade", **figures, ready_after_seconds=round(seconds, 1), lost=lost)
        finally:
            target.stop()
    return int(bool(lost))


if __name__ == "__main__":
    sys.exit(main())
