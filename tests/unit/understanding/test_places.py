"""Places: last words, boundaries, anchors, and the words that only look like a place."""

from __future__ import annotations

import pytest

from services.understanding.entities import extract


def places(text: str) -> list[str]:
    return [entity.value for entity in extract(text) if entity.type == "location"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("想订区体育中心的场地", "区体育中心"),
        ("先看下石桥新村最近的药店", "石桥新村"),
        ("月牙岭这儿有人掉下去了", "月牙岭"),
        ("困在老鹰山上了，手机快没电", "老鹰山"),
        ("我在凤凰岭脚下，最近的医院", "凤凰岭"),
        ("送到锦里5栋1302，快点", "锦里5栋1302"),
        ("翡翠城二期物业乱收费", "翡翠城二期"),
        ("学院路有人飙车", "学院路"),
        ("我在美术馆南门，附近有厕所吗", "美术馆南门"),
        ("环城高速上好像超速了", "环城高速"),
        ("大货车堵在青岗山隧道口", "青岗山隧道口"),
        ("G70福银高速大洼出口下来最近的加油站", "G70福银高速大洼出口"),
        ("月亮河漂着一层死鱼", "月亮河"),
        ("停车场 大悦城", "大悦城"),
        ("打不通电话，双桥村三组着火", "双桥村三组"),
        ("寻日过皇岗口岸被拍", "皇岗口岸"),
        ("西大街9号，找个药店", "西大街9号"),
        ("我在G65包茂高速安康段，车坏了", "G65包茂高速安康段"),
        ("302国道旁边翻车了", "302国道"),
        ("第三中学门口全是小摊", "第三中学门口"),
        ("市二院挂号窗口态度差", "市二院"),
        ("长青社区卫生服务中心几点开门", "长青社区卫生服务中心"),
        ("平山道路灯坏了", "平山道"),
        ("朝阳大桥底下堆满垃圾", "朝阳大桥"),
        ("南河镇这边有没有药店", "南河镇"),
        ("石板铺这边有没有修手机的", "石板铺"),
        ("旺角最近嘅银行喺边", "旺角"),
        ("城西那个窗口", "城西"),
        ("Lakeside Plaza附近有没有厕所", "Lakeside Plaza"),
        ("nearest pharmacy to Xinjiekou", "Xinjiekou"),
        ("fujin you yinhang ma，renmin guangchang", "renmin guangchang"),
        ("最近的药店 新街口", "新街口"),
        ("前天在绵阳的违停", "绵阳"),
        ("东山路和育英街口天天堵车", "东山路和育英街口"),
        ("校门口（英才小学）没有人行道", "英才小学"),
        ("临江门附近的银行", "临江门"),
        ("锦里2期11栋有人打架", "锦里2期11栋"),
    ],
)
def test_a_place_is_found_with_its_own_boundaries(text: str, place: str) -> None:
    assert places(text) == [place]


def test_a_name_that_touches_a_known_one_is_part_of_it() -> None:
    assert places("滨湖区云谷这边哪有加油站") == ["滨湖区云谷"]


@pytest.mark.parametrize(
    "text",
    [
        "快递丢在驿站没人管",
        "自来水公司那边怎么说",
        "想跟人面对面谈",
        "哪家社区医院能看牙",
        "每晚跳广场舞吵死了",
        "件又丢驿站了",
        "新来的骑手不认得路",
        "长期收银行卡",
        "我家低保街道给报了",
        "公交12路车少人多",
        "附近有没有儿童医院",
        "附近24小时自助图书馆",
        "电动车充电站哪里有",
        "西安跟兰州你喜欢哪个",
        "讲个关于北京的笑话",
        "出租车司机绕路",
        "站在阳台边上抽烟",
        "本人预约台湾通行证",
        "国家市场监督管理局管不管",
        "从十一中午等到现在",
        "信访局那边收到材料没",
        "小孩掉河里了",
    ],
)
def test_a_verb_a_kind_of_place_or_small_talk_of_cities_is_no_place(text: str) -> None:
    assert places(text) == []
