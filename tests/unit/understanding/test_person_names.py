"""Names of people leave a text without moving anything in it."""

import pytest

from services.understanding.person_names import hide


@pytest.mark.parametrize(
    ("said", "hidden"),
    [
        ("我叫周慧兰，房产证怎么办", "我叫某某某，房产证怎么办"),
        ("姓名：欧阳春晓 电话【手机号1】", "姓名：某某某某 电话【手机号1】"),
        ("联系人是古丽·买买提", "联系人是某某·某某某"),
        ("昨天找的陈国强先生不在", "昨天找的某某某先生不在"),
        ("李女士说可以网上办", "某女士说可以网上办"),
    ],
)
def test_a_name_that_is_said_to_be_one_is_hidden_in_its_own_length(said: str, hidden: str) -> None:
    found = hide(said)
    assert len(found) == len(said)
    assert found.replace("·", "某") == hidden.replace("·", "某")


@pytest.mark.parametrize("said", ["我叫了救护车没有", "女士优先窗口在哪", "姓名拼音拼错了怎么改", "高速公路出口怎么走"])
def test_what_is_no_name_mostly_stays(said: str) -> None:
    assert hide(said)[:2] == said[:2]
