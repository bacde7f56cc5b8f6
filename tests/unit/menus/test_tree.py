"""Digits and words in a menu."""

import pytest

from services.menus.tree import Action, Chosen, Command, Item, Menu, Shown, place_from, place_text, read, step

MENU = Menu(
    (
        Item(
            "交通",
            (
                Item("查违章", action=Action("say", "查违章")),
                Item(
                    "驾驶证", (Item("换证", action=Action("entry", "e1")), Item("补办", action=Action("entry", "e2")))
                ),
            ),
        ),
        Item("人工", action=Action("human")),
    )
)


@pytest.mark.parametrize("text", ["1", "１", " 1 ", "①", "1。", "回复1", "选1", "1号", "按１"])
def test_a_digit_is_read_in_any_width_and_with_the_words_around_it(text: str) -> None:
    assert read(text) == Command("number", (1,))


@pytest.mark.parametrize("text", ["1-2", "１－２", "1—2", "1.2", "1_2", "1 - 2"])
def test_a_path_is_read_with_any_dash(text: str) -> None:
    assert read(text) == Command("path", (1, 2))


@pytest.mark.parametrize("text", ["0", "０", "返回", "返回。", "上一级"])
def test_zero_and_back_go_up(text: str) -> None:
    assert read(text) == Command("up")


@pytest.mark.parametrize("text", ["菜单", "菜单！", " 主菜单", "MENU"])
def test_menu_shows_the_menu(text: str) -> None:
    assert read(text) == Command("show")


@pytest.mark.parametrize(
    "text",
    ["", "12", "12345", "2026", "1-2-3-4", "0-1", "1-0", "10", "菜单在哪里", "返回上海要多久", "1个人", "12月3号"],
)
def test_everything_else_is_no_command(text: str) -> None:
    assert read(text) is None


def moved(place: tuple[int, ...], text: str) -> Shown | Chosen:
    command = read(text)
    assert command is not None
    return step(MENU, place, command)


def test_digits_go_down_level_by_level_to_a_leaf() -> None:
    assert moved((), "1") == Shown((1,))
    assert moved((1,), "2") == Shown((1, 2))
    leaf = moved((1, 2), "2")
    assert isinstance(leaf, Chosen)
    assert (leaf.place, leaf.item.title) == ((1, 2), "补办")


def test_a_path_counts_from_the_top_wherever_one_stands() -> None:
    assert moved((1, 2), "1-2") == Shown((1, 2))
    leaf = moved((1,), "1-2-1")
    assert isinstance(leaf, Chosen)
    assert leaf.item.title == "换证"


def test_up_leads_one_level_up_and_from_the_top_to_the_top() -> None:
    assert moved((1, 2), "0") == Shown((1,))
    assert moved((1,), "返回") == Shown(())
    assert moved((), "0") == Shown(())


def test_menu_leads_to_the_top_from_anywhere() -> None:
    assert moved((1, 2), "菜单") == Shown(())


def test_a_number_that_is_not_on_the_level_stays_where_one_is_and_says_so() -> None:
    assert moved((1,), "7") == Shown((1,), unknown=True)
    assert moved((), "2-1") == Shown((), unknown=True)


def test_a_place_that_the_menu_no_longer_has_counts_as_the_top() -> None:
    assert moved((4, 4), "1") == Shown((1,))


def test_places_are_written_and_read_back() -> None:
    for place in ((), (3,), (1, 2), (9, 8)):
        assert place_from(place_text(place)) == place
    for text in ("0", "1-", "a", "1-2-3-4", "10"):
        assert place_from(text) is None
