"""Names of people in what somebody wrote, as far as a rule can see them: said to be names, or before 先生 and 女士."""

import re

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪"
    "范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)
_FAMILY = rf"(?:欧阳|司马|上官|诸葛|[{SURNAMES}])"
CALLED = re.compile(rf"{_FAMILY}[\u4e00-\u9fff]{{0,2}}(?=先生|女士|小姐|同志)")
_SAID = (
    r"(?:我叫|我的名字[是叫]|(?:本人|我的?)?姓名(?:[是叫]|[：:])|(?:联系人|申请人|当事人|户主|车主)(?:[是叫]|[：:]))\s*"
)
NAMED = re.compile(rf"({_SAID})([\u4e00-\u9fff]{{2,4}}(?:·[\u4e00-\u9fff]{{1,8}})*)")
# A family name shows where the name ends; without one, the end of the clause has to.
_HAN = re.compile(r"[\u4e00-\u9fff]")
_FULL = re.compile(rf"{_FAMILY}[\u4e00-\u9fff]{{1,2}}")


def hide(text: str) -> str:
    """The text with 某 for each character of a name: as long as before, so that places in it stay where they are.

    >>> hide("我叫王小明，想问李女士的窗口")
    '我叫某某某，想问某女士的窗口'
    """

    def named(match: re.Match[str]) -> str:
        given = match[2]
        full = _FULL.match(given)
        if full is None and _HAN.match(text, match.end()):
            return match[0]
        end = full.end() if full and "·" not in given else len(given)
        return match[1] + "某" * end + given[end:]

    return CALLED.sub(lambda match: "某" * len(match[0]), NAMED.sub(named, text))
