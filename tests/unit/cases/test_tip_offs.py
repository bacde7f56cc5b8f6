"""An ordinary grievance that begins with 举报 stays where a clerk can answer it."""

import pytest

from services.cases.tip_offs import is_confidential


@pytest.mark.parametrize(
    "text",
    [
        "举报某局科长吃拿卡要",
        "我要举报村支书贪污低保款",
        "举报派出所民警收红包",
        "举报有人在出租屋开设赌场",
        "举报一家医院骗取医保基金",
        "举报公司偷税，请为我保密",
        "举报邻居违建，不要透露我的姓名",
    ],
)
def test_tip_offs_about_people_in_office_dangerous_crimes_or_asked_to_be_kept_secret_are(text: str) -> None:
    assert is_confidential(text)


@pytest.mark.parametrize(
    "text",
    [
        "举报楼下烧烤店半夜占道经营，噪音扰民，希望尽快处理",
        "举报餐馆用地沟油",
        "举报邻居违建",
        "举报共享单车乱停乱放",
        "投诉办事大厅工作人员态度差",
        "举报黑诊所无证行医",
    ],
)
def test_everyday_grievances_are_not(text: str) -> None:
    assert not is_confidential(text)
