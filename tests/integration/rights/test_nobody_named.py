"""Before the first tip-off comes somebody must be named: the start, the pages and the commands say when nobody is."""

from pathlib import Path

import pytest
import yaml

import services
from services import health
from services.core.clock import FixedClock
from services.sla import service as sla
from services.supervision.first_start import prepare_data
from tests.integration.rights.conftest import World

DEMO_CITY = Path(services.__file__).parent / "demo_city"
PAGES = {"clerk": "/staff", "supervisor": "/staff/appointments", "manager": "/manager", "admin": "/editor"}


def name(world: World, folder: Path, *names: str) -> None:
    """Put another desk.yaml in force."""
    for path in DEMO_CITY.glob("*.yaml"):
        (folder / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    rules = yaml.safe_load((folder / "desk.yaml").read_text(encoding="utf-8"))
    rules["confidential_readers"] = list(names)
    (folder / "desk.yaml").write_text(yaml.safe_dump(rules, allow_unicode=True), encoding="utf-8")
    clock = world.container.clock
    assert isinstance(clock, FixedClock)
    world.container.database.write(lambda uow: sla.apply_city(uow, folder, clock.now()))


def test_the_demo_city_names_somebody_who_can_log_in_and_work(world: World) -> None:
    world.log_in()
    assert health.tip_offs(world.container) == {"named": ["inspector"], "without_account": [], "problem": None}
    for who, page in PAGES.items():
        assert "保密工单" not in world.ask(who, "GET", page).text
    assert world.ask("inspector", "GET", "/staff").status_code == 200


@pytest.mark.parametrize(("names", "words"), [((), "尚未指定"), (("ghost",), "ghost 没有可以办理工单的账号")])
def test_pages_start_and_doctor_say_when_nobody_can_read_a_tip_off(
    world: World, tmp_path: Path, names: tuple[str, ...], words: str
) -> None:
    world.log_in()
    name(world, tmp_path, *names)
    try:
        for who, page in PAGES.items():
            assert words in world.ask(who, "GET", page).text
        # An editor can do nothing about cases.
        assert words not in world.ask("editor", "GET", "/editor").text
        assert words in str(health.tip_offs(world.container)["problem"])
        said: list[str] = []
        prepare_data(world.container, said.append)
        assert [line for line in said if words in line]
    finally:
        name(world, tmp_path, "inspector")
