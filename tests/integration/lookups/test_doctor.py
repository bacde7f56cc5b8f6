"""`huiying doctor` and the start of the processes, with connectors in and out of order."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import services
from services import schema
from services.cli import app
from services.core.database import Database

DEMO_CITY = Path(services.__file__).parent / "demo_city"


@pytest.fixture
def city(tmp_path: Path, sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with the demonstration city's files and a sandbox, and nothing else running."""
    folder = tmp_path / "city"
    shutil.copytree(DEMO_CITY, folder)
    url = f"sqlite:///{tmp_path / 'huiying.db'}"
    for name, value in {
        "HUIYING_VAR": str(tmp_path),
        "DATABASE_URL": url,
        "REDIS_URL": "",
        "CITY_DIR": str(folder),
        "SANDBOX_URL": sandbox.url,
        "CONNECTOR_SECRET_SANDBOX": "integration-test-key",
    }.items():
        monkeypatch.setenv(name, value)
    schema.upgrade(Database(url))
    return folder


def doctor() -> dict[str, Any]:
    found = CliRunner().invoke(app, ["doctor", "--json"])
    report: dict[str, Any] = json.loads(found.stdout)
    return report


def test_the_doctor_says_which_systems_answer(city: Path, sandbox: Any) -> None:
    sandbox.fault("utilities", error="500")
    sandbox.fault("progress", delay_seconds=30)
    report = doctor()
    assert report["connector_mistakes"] == []
    answers = report["connectors"]
    assert {name for name, answer in answers.items() if answer == "down"} == {"bill", "progress"}
    assert {name for name, answer in answers.items() if answer == "up"} == {
        "nearby", "outage", "violation", "vehicle_status", "licence_status", "outage_notice",
    }  # fmt: skip


def test_the_doctor_names_every_mistake_with_file_and_line(city: Path) -> None:
    bills = city / "connectors" / "bills.yaml"
    bills.write_text(bills.read_text(encoding="utf-8").replace("method: POST", "method: PUSH"), encoding="utf-8")
    nearby = city / "connectors" / "nearby.yaml"
    nearby.write_text(nearby.read_text(encoding="utf-8") + "colour: red\n", encoding="utf-8")
    lines = [len(bills.read_text(encoding="utf-8")[: bills.read_text(encoding="utf-8").index("PUSH")].splitlines())]
    lines.append(len(nearby.read_text(encoding="utf-8").splitlines()))
    mistakes = doctor()["connector_mistakes"]
    assert [mistake.split(": ")[0] for mistake in mistakes] == [f"bills.yaml:{lines[0]}", f"nearby.yaml:{lines[1]}"]


@pytest.mark.parametrize("process", [["actions.server", "--port", "0"], ["services.worker"]])
def test_a_process_does_not_start_with_a_mistake_and_says_it_in_one_line(city: Path, process: list[str]) -> None:
    path = city / "connectors" / "bills.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("kind: bill", "kind: bil"), encoding="utf-8")
    started = subprocess.run([sys.executable, "-m", *process], capture_output=True, text=True, timeout=60)
    assert started.returncode != 0
    assert "bills.yaml:2: kind: unknown" in started.stderr
    assert "Traceback" not in started.stderr


def test_the_doctor_says_that_nobody_may_read_tip_offs(city: Path) -> None:
    found = doctor()["tip_offs"]
    assert (found["named"], found["without_account"]) == ([], [])
    assert "confidential_readers" in found["problem"]
