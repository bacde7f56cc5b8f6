"""Nothing personal gets into a knowledge draft."""

import pytest

from services.cases.drafting import impersonal
from services.understanding.entities import pseudonymise


def hide(text: str) -> str:
    return pseudonymise(text, lambda kind, value: 1).text


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("我的手机号是【手机号1】，怎么改", "我的手机号是（手机号），怎么改"),
        ("王先生您好，请带身份证来", "市民您好，请带身份证来"),
        ("请欧阳女士周五来窗口", "请市民周五来窗口"),
        ("我们已通知李明先生和赵女士", "我们已通知市民和市民"),
        ("工单GD2026112000012已转办", "工单（号码）已转办"),
        ("回执会寄到 li.ming@example.com", "回执会寄到 （号码）"),
        ("尾号已登记为138****6125", "尾号已登记为（号码）"),
    ],
)
def test_masks_placeholders_case_numbers_and_addresses_are_taken_out(text: str, safe: str) -> None:
    assert impersonal(text, hide) == safe


@pytest.mark.parametrize(
    "secret", ["13812345678", "110101199003070011", "京A12345", "张伟", "138 1234 5678", "110101 19900307 0011"]
)
def test_whatever_a_clerk_typed_in_the_clear_is_not_in_the_draft(secret: str) -> None:
    text = {
        "张伟": "我叫张伟，想问公积金怎么提取",
        "京A12345": "您的车牌京A12345的违章已经核实",
    }.get(secret, f"请您核对号码{secret}后再来办理")
    cleaned = impersonal(text, hide)
    assert secret not in cleaned
    assert len(cleaned) > 8


def test_an_ordinary_answer_stays_as_it_is() -> None:
    text = (
        "领取《预售许可证》后第 3 个工作日，带 2 张 1 寸照片，上午 9:00-12:00 到市民中心 3 楼 12 号窗口，电话 12345。"
    )
    assert impersonal(text, hide) == text
