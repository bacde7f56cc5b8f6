"""The grammar of service names, compiled from data/services.toml.

A name is a run of neighbours: leads ("补办"), modifiers ("机动车"), names ("身份证"), things that become a
service by what is done with them ("摩托车" before "注销") and actions ("换领"), at the end a dose ("第三针").
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from services.understanding.entities.word_tree import alternatives

# "打" leads a jab, not a list that is printed.
_JAB = r"打(?=[\u4e00-\u9fff]{0,4}(?:疫苗|针|价))"
_DOSE = r"(?:第?[一二三四1-4](?:针|剂)次?)?"


@dataclass(frozen=True, slots=True)
class Lexicon:
    """`pattern` finds a service in a folded text; `describing` holds the names that may only describe a place."""

    pattern: re.Pattern[str]
    describing: re.Pattern[str]


# A name that no list has: what it ends in, and what shows that it is booked or followed.
_INNER = (
    r"[^\W\d_的了吗不没有我你您他她它们这那哪个在和跟给去到想要能会就都还也请问说再先把被让帮约办查批交领取天月号点周几多"
    r"什怎]"
)
_BOOKED = (
    "登记|证|许可|备案|认证|认定|鉴定|评定|评估|检查|筛查|体检|门诊|科|疫苗|咨询|考试|培训|补贴|津贴|补助|救助|贷款|"
    "年检|检测|检验|审验|过户|面签|面谈|采集|体验|参观|讲座|场地|手续"
)
_FOLLOWED = (
    "证|证书|许可|备案|认定|鉴定|评定|补贴|津贴|补助|奖补|救助|贷款|登记|资格|执照|牌照|手续|资质|补偿款?|抚恤金|"
    "奖励金?|退款|改造"
)
UNLISTED = re.compile(
    rf"(?:预约|约|办理|办|取消|挂|报名?)(?:一下|一个|个|下)?(?P<booked>{_INNER}{{2,6}}(?:{_BOOKED}))"
    r"(?=的?预约|的号|[，,。.!！?？~\s]|$)|"
    r"(?:^|[，,。\s]|我.{0,2}[的嘅]|我(?:家|妈|爸)?|孩子的?|[递报办交弄]的|申请的)"
    rf"(?P<followed>{_INNER}{{2,9}}(?:{_FOLLOWED}))(?=申请|审[批核到]|批[了下没]|[办下走]|到哪|进度|结果|出来|通过|公示|发[了放]|好了)"
)


@cache
def load_lexicon() -> Lexicon:
    """The service names of data/services.toml, compiled once."""
    raw = tomllib.loads(resources.files(__package__).joinpath("data/services.toml").read_text("utf-8"))
    actions, describing = alternatives(raw["actions"]), alternatives([*raw["medical"], *raw["venues"]])
    name = alternatives([*raw["names"], *raw["medical"], *raw["venues"]])
    thing = rf"{alternatives(raw['objects'])}(?=(?:{actions}))"
    before = rf"(?:{alternatives(raw['modifiers'])})?"
    latin = "|".join(word.upper().replace(" ", " ?") for word in sorted(raw["latin"], key=len, reverse=True))
    return Lexicon(
        re.compile(
            rf"(?:(?<![可能以])领取?|{_JAB}|{alternatives(raw['leads'])})?{before}(?:{name}|{thing})(?:{name}|{thing}|{actions}){{0,3}}{_DOSE}"
            rf"|(?<![A-Z])(?:{latin})(?: RENEWAL| EXTENSION| REPLACEMENT)?(?![A-Z])"
        ),
        re.compile(f"(?:{describing})"),
    )
