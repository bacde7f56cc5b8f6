"""menus.yaml: what is taken, and what is refused with file and line."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

import services
from knowledge_base import import_file
from services import schema
from services.core.database import Database
from services.core.errors import NotFound, Unprocessable
from services.menus import service
from services.menus.city import read_menus
from services.menus.schemas import KeywordEdit
from services.menus.tree import Item

DEMO = Path(services.__file__).parent / "demo_city"
STARTER = Path(services.__file__).parents[1] / "knowledge_base" / "starter"
NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)
TODAY = date(2026, 11, 20)

CITY = """\
accounts:
  - key: city
    name: 市
    default: true
    welcome: 您好
    menu:
      - {title: 查违章, say: 查违章}
      - title: 更多
        items:
          - {title: 热线, text: 请拨打 12345}
    keywords:
      - {keyword: 上班时间, text: 九点到五点}
"""


@pytest.fixture
def database(tmp_path: Path) -> Database:
    made = Database(f"sqlite:///{tmp_path / 'city.db'}")
    schema.METADATA.create_all(made.engine)
    return made


def apply(database: Database, directory: Path, text: str) -> list[tuple[str, int, bool, int]]:
    (directory / "menus.yaml").write_text(text, encoding="utf-8")
    applied = database.write(lambda uow: service.apply_menus(uow, directory, NOW))
    return [(one.key, one.version, one.changed, one.keywords) for one in applied]


@pytest.mark.parametrize(
    ("wrong", "line", "says"),
    [
        (CITY.replace("say: 查违章}", "say: 查违章, human: true}"), 7, "exactly one of"),
        (CITY.replace("{title: 热线, text: 请拨打 12345}", "{title: 热线}"), 10, "exactly one of"),
        (CITY.replace("title: 更多", "title: 查违章"), 2, "same title"),
        (CITY.replace("welcome: 您好", "welcom: 您好"), 5, "Extra inputs"),
        (CITY.replace("key: city", "key: 市"), 2, "pattern"),
        (CITY.replace("default: true", "default: false"), 1, "exactly one account"),
        (CITY.replace("text: 九点到五点}", "match: contains, keyword: 早}"), 12, "exactly one of text and entry_id"),
        (CITY.replace("say: 查违章}", "link: 'javascript:alert(1)'}"), 7, "pattern"),
        (CITY.replace("menu:", "menu: ["), 13, "not valid YAML"),
    ],
)
def test_a_mistake_is_one_line_that_names_file_and_line(tmp_path: Path, wrong: str, line: int, says: str) -> None:
    (tmp_path / "menus.yaml").write_text(wrong, encoding="utf-8")
    with pytest.raises(Unprocessable) as refused:
        read_menus(tmp_path)
    assert "\n" not in refused.value.detail
    assert says in refused.value.detail
    if "YAML" not in says:
        assert refused.value.detail.startswith(f"menus.yaml: line {line}: ")


def test_a_menu_of_four_levels_is_refused(tmp_path: Path) -> None:
    deep = "{title: a, items: [{title: b, items: [{title: c, items: [{title: d, human: true}]}]}]}"
    text = CITY.replace("- {title: 查违章, say: 查违章}", f"- {deep}")
    (tmp_path / "menus.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(Unprocessable, match="more than 3 levels"):
        read_menus(tmp_path)


def test_the_demo_city_has_a_menu_of_three_levels_whose_entries_the_starter_base_has() -> None:
    known = {entry.id for path in STARTER.glob("*.jsonl") for entry in import_file(path).entries}
    file = read_menus(DEMO)
    assert file is not None
    depths = [max(item.depth() for item in account.menu) for account in file.accounts]
    assert max(depths) == 3
    wanted = [keyword.entry_id for account in file.accounts for keyword in account.keywords if keyword.entry_id]

    def collect(item: Item) -> None:
        if item.action and item.action.does == "entry":
            wanted.append(item.action.value)
        for below in item.items:
            collect(below)

    for account in file.accounts:
        for line in account.menu:
            collect(line.item())
    assert len(wanted) > 20
    assert set(wanted) <= known


def test_a_city_without_the_file_changes_nothing(database: Database, tmp_path: Path) -> None:
    apply(database, tmp_path, CITY)
    (tmp_path / "menus.yaml").unlink()
    assert database.write(lambda uow: service.apply_menus(uow, tmp_path, NOW)) == []
    with database.unit_of_work() as uow:
        assert [account.key for account in service.accounts(uow)] == ["city"]


def test_the_same_file_twice_makes_no_new_version_and_a_changed_menu_makes_one(
    database: Database, tmp_path: Path
) -> None:
    assert apply(database, tmp_path, CITY) == [("city", 1, True, 1)]
    assert apply(database, tmp_path, "# a comment\n" + CITY) == [("city", 1, False, 0)]
    assert apply(database, tmp_path, CITY.replace("您好", "欢迎")) == [("city", 2, True, 0)]
    with database.unit_of_work() as uow:
        account = service.find_account(uow, None)
        assert account is not None
        assert (account.version, account.welcome) == (2, "欢迎")


def test_a_retired_account_s_citizens_go_on_with_the_default_one_and_an_unknown_key_is_none(
    database: Database, tmp_path: Path
) -> None:
    second = CITY + "  - {key: old, name: 旧号, welcome: 旧}\n"
    apply(database, tmp_path, second)
    apply(database, tmp_path, CITY)
    with database.unit_of_work() as uow:
        account = service.find_account(uow, "old")
        assert account is not None
        assert account.key == "city"
        assert service.find_account(uow, "never") is None


def test_the_default_moves_to_another_account(database: Database, tmp_path: Path) -> None:
    second = CITY + "  - {key: new, name: 新号, welcome: 新}\n"
    apply(database, tmp_path, second)
    apply(
        database,
        tmp_path,
        second.replace("    default: true\n", "").replace("welcome: 新}", "welcome: 新, default: true}"),
    )
    with database.unit_of_work() as uow:
        account = service.find_account(uow, None)
        assert account is not None
        assert account.key == "new"


def test_applying_the_file_again_keeps_what_staff_have_changed(database: Database, tmp_path: Path) -> None:
    apply(database, tmp_path, CITY)
    with database.unit_of_work() as uow:
        row = service.find_replies(uow, "city", "", 10, 0).replies[0]
        edit = KeywordEdit(keyword="上班时间", text="八点半到五点", account="city")
        service.update_reply(uow, row.id, edit, actor="editor", now=NOW)
        uow.commit()
    assert apply(database, tmp_path, CITY.replace("九点到五点", "十点到五点")) == [("city", 1, False, 0)]
    with database.unit_of_work() as uow:
        reply = service.reply_to(uow, "city", "上班时间", TODAY)
        assert reply is not None
        assert reply.text == "八点半到五点"
        with pytest.raises(NotFound):
            service.delete_reply(uow, row.id + 1, actor="editor", now=NOW)


def test_a_keyword_that_left_the_file_goes_unless_staff_have_changed_it(database: Database, tmp_path: Path) -> None:
    apply(database, tmp_path, CITY)
    without = CITY[: CITY.index("    keywords:")]
    assert apply(database, tmp_path, without) == [("city", 1, False, 1)]
    with database.unit_of_work() as uow:
        assert service.find_replies(uow, None, "", 10, 0).total == 0
