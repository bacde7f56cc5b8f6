"""What a menu looks like in a conversation: lines with digits for any channel, options to tap where there are some."""

from services.conversations import texts
from services.conversations.schemas import Option, Outgoing
from services.menus import service as menus

PAYLOAD = "menu:"
CHOOSE = "请选择需要的服务："
HINT = "回复数字选择，回复“菜单”回到这里。"
HINT_BELOW = "回复数字选择，回复 0 返回上一级。"
UNKNOWN = "没有这一项，请从下面选择："
IN_FORM = "您正在办理的事项还留着：直接回复即可继续，回复“取消”退出。也可以点选下面的服务。"
BACK = "返回上一级"


def welcome(account: menus.Account | None, city_name: str) -> Outgoing:
    """The first message of a conversation: the account's welcome and the first level of its menu."""
    if account is None:
        return texts.welcome(city_name)
    greeting = account.welcome.replace("{city}", city_name)
    return _level(account, (), greeting, HINT) if account.menu else Outgoing(greeting)


def shown(account: menus.Account, place: menus.Place, *, unknown: bool = False, in_form: bool = False) -> Outgoing:
    """The level below `place`."""
    here = account.menu.item(place)
    heading = f"{here.title}：" if here else CHOOSE
    if unknown:
        heading = UNKNOWN
    if in_form:
        # Inside a form a digit is an answer to its question.
        return _level(account, place, heading, IN_FORM)
    return _level(account, place, heading, HINT_BELOW if place else HINT)


def place_of(account: menus.Account, payload: str) -> menus.Place | None:
    """The place that a tapped option names; None when it is of another version of the menu."""
    version, _, place = payload.removeprefix(PAYLOAD).partition(":")
    return menus.place_from(place) if version == str(account.version) else None


def _level(account: menus.Account, place: menus.Place, intro: str, hint: str) -> Outgoing:
    lines = [
        (str(number), item.title, (*place, number)) for number, item in enumerate(account.menu.level(place) or (), 1)
    ]
    if place:
        lines.append(("0", BACK, place[:-1]))
    numbered = "\n".join(f"{digit} {title}" for digit, title, _ in lines)
    return Outgoing(
        f"{intro}\n{numbered}\n{hint}",
        type="options",
        options=tuple(
            Option(title=title, payload=f"{PAYLOAD}{account.version}:{menus.place_text(target)}")
            for _, title, target in lines
        ),
        # A page that shows the options need not repeat them as lines.
        data={"menu": {"intro": intro, "hint": hint, "digits": [digit for digit, _, _ in lines]}},
    )
