"""Service names ("社保卡换卡", "结婚登记"), only where one is asked for.

A service is an entity when the citizen books, looks for a place or follows an application. In a
complaint or a bill question the same words are topic, not slot.
"""

from __future__ import annotations

import re

from services.understanding.entities.service_lexicon import UNLISTED, load_lexicon
from services.understanding.entities.spans import Claims

_BOOKING = re.compile(
    r"约(?!谈|车(?!管))|挂.{0,6}号|的号|个号|有号|冇号|取号|票号|抢号|放号|号源|名额|[占留].{0,4}位|空位|有位|排期|改期|取消|"
    r"档期|改到|换到|挪到|延到|时段|那一档|抢到|能排上|排一个|给排|(?<![预征])订(?!单|正|婚|阅)|^挂|帮我报|考场|出诊|还有号|"
    r"BOOK|APPOINTMENT|YUYUE|预YUE|预月|[玉遇欲]约|急诊号|^报(?=科目|名)"
)
_FOLLOWING = re.compile(
    r"进度|办到|走到哪|到哪|排到|轮到|轮候|公示|下来|批了|批到|第[几一二三四五]步|批没|批咗|批未|批完|批下|批准|审批|审核|审到|在审|初审|复审|预审|核准|"
    r"[办做制弄搞](?:好|完|结|成|妥)|[办做]出来|办理情况|制证|好了没|好了吗|好未|好没|成没|出来没|出来了|出证|出结论|出结果|"
    r"到账|发了没|发了吗|发放|发下来|可以领|能领|能取|能拿|几时[领攞拿]|寄出|寄到|寄了|邮寄|通过|过了[吗没不]|过咗未|受理|结果|"
    r"下文|状态|跟进|阶段|哪一步|哪步|环节|卡在|批次|报上去|报到|报批|转到|退回|打回|驳回|动静|有没有信|"
    r"(?:什么时候|啥时候|何时|几时|多久)(?:能|会|可以)?[批下发到]|打款|激活了?[吗没]|走完|成功了?[吗没]|批没批|审核过|没出来|还没[批下发到出审]|进展|转好|上会|"
    r"咋样了|怎样了|怎么样了|如何了|过会|等了.{0,6}[天月周]|多久能[拿领下]|催[一下办]|"
    r"搞掂|搞定[没未了]|报起|[递報报][咗起]|[有没得冇][消]息|查.{0,6}申请|"
    r"交的.{0,6}材料|递的|递交|提交|交上去|BANHAO|APPLICATION|STATUS|APPROVED|READY"
)
_SEARCHING = re.compile(
    r"附近|最近|就近|近点|近的|哪里|哪儿|哪有|哪能|哪个大厅|边度|边个|边有|周边|周围|旁边|跟前|怎么走|去哪|在哪|几远|网点|"
    r"大厅|窗口|自助机|便民点|办事点|的地方|离.{1,10}近|NEAREST|NEARBY|FUJIN"
)
_DOING = re.compile(
    r"^(?:我?[想要])?(?:去)?(?:办|补|换)(?!法|公|事)|(?:我|俺|咱|阮|阿拉|给.{1,6}|帮.{1,4}|替.{1,4})(?:想|要|来|去|得|想要)(?:办|辦|补|换|做)"
)
# Words of a grievance or of a lookup on fines: there a service name is only what the talk is about.
_ELSEWHERE = re.compile(
    r"投诉|举报|态度|效率|没人管|乱收|黄牛|退钱|跑路|太差|推诿|踢皮球|违章|违法|罚|扣分|几分|"
    r"的分|跑了.{0,2}趟|让我跑|刁难|不给办|不给开|建议|拖欠|还剩.{0,3}分|刷单|贷款秒|加微|加V|税点|假证|毕业证|当天可取|扮演|WEIZHANG"
)
# How letters begin, most of them grievances.
_LETTER = re.compile(r"领导您?好")
_GENERAL = re.compile(
    r"吗.*什么|怎么|如何|什么|多久|多少|条件|材料|流程|政策|规定|电费|水费|气费|账单|为什么|没人|还没"
)
_PERSON = re.compile(r"人工|真人|客服|坐席")
_ONLY = re.compile(r"(?:我.{0,8}|帮我|给我|想|要|去)?(?:办|办理|是|就|约|挂|做)?[个下]?\0[的吧呀啊号了。.!~\s]*")
# What may stand beside a service in an order like "公司核名，9/12，滨湖区".
_CLAUSE = re.compile(r"[，,。!！?？;；~\s]+")
_OFFICE = re.compile(
    r"(?:管理|服务)?(?:分?局|所(?!有)|科(?!目|技)|站(?!有)|院|屋|厅级|车(?!辆)|点(?![到钟半]|[一二三四五六七八九十])|协会|学校|公司|机构)"
)
_PLACE = re.compile(r"(?<!登记)处(?!理)|门诊|的?.{0,4}(?:医院|诊所)|中心|仪|照片|照相|场|馆|食堂")
_DESK = re.compile(r"(?:办证|办事|服务|政务|受理)?(?:大厅|窗口|自助机|网点)")
_LABELS = {"身份证", "驾驶证", "驾照", "档案", "社保卡", "护照", "通行证", "证件"}


def find_services(claims: Claims, *, asked: bool = False) -> None:
    """Claim service names when the message books, looks for a place or asks for progress.

    asked: a form wants the service. A short message with a day or an hour books, too, and so does a
    clause that is nothing but a service name. In a search for a place only what is done there counts:
    "打疫苗的医院" says which hospital, "公证处" is the place itself.
    """
    text = claims.folded
    books = _BOOKING.search(text) is not None
    follows = _FOLLOWING.search(text) is not None
    if not books and (_ELSEWHERE.search(text) or (_LETTER.search(text) and not follows)):
        return
    found = [match for match in load_lexicon().pattern.finditer(claims.masked()) if not _inside_word(text, match)]
    if not found:
        if books or follows:
            _find_unlisted(claims)
        return
    searches = not books and not asked and _SEARCHING.search(text) is not None
    wanted = asked or books or searches or follows or _DOING.search(text) is not None
    if not wanted and not _PERSON.search(text):
        dated = claims.has("datetime") and len(text) <= 30 and not _GENERAL.search(text)
        wanted = dated or (_names_only(text, found) and not claims.has("license_file_no"))
    if not wanted:
        return
    kept = [match for match in found if _is_service(claims, match, searches=searches)]
    at_desk = [match for match in kept if _DESK.match(text, match.end())]
    if len(at_desk) < len(kept):
        # "社保大厅办退休": the hall is where, the other is what
        kept = [match for match in kept if match not in at_desk]
    for match in kept:
        # "户口本丢了，约个补办户口本": the second says what is wanted of the first
        if not any(match.group() != other.group() and match.group() in other.group() for other in kept):
            claims.claim("service", match.start(), match.end(), match.group())


def _inside_word(text: str, match: re.Match[str]) -> bool:
    """ "CT" is no scan in "electric"."""
    start, end = match.span()
    before, after = text[start - 1 : start + 1], text[end - 1 : end + 1]
    return any(len(pair) == 2 and pair.isascii() and pair.isalpha() for pair in (before, after))


def _find_unlisted(claims: Claims) -> None:
    """A service that no list has, by its last word and what stands beside it ("约个骨髓配型检查，明天")."""
    match = UNLISTED.search(claims.masked())
    if match and match.lastgroup:
        claims.claim("service", *match.span(match.lastgroup), match[match.lastgroup])


def is_service_name(folded: str) -> bool:
    """True when the whole of a folded text is the name of a service ("年审", "护照换发")."""
    return load_lexicon().pattern.fullmatch(folded) is not None


def _names_only(text: str, found: list[re.Match[str]]) -> bool:
    """True when a clause of the message is nothing but the name of a service."""
    marked = text
    for match in reversed(found):
        marked = marked[: match.start()] + "\0" + marked[match.end() :]
    return any(_ONLY.fullmatch(clause) for clause in _CLAUSE.split(marked))


def _is_service(claims: Claims, match: re.Match[str], *, searches: bool) -> bool:
    text, name, end = claims.folded, match.group(), match.end()
    # "身份证440..." is the label of a number, not a service
    if name in _LABELS and _labels_number(claims, end):
        return False
    # "税务局" is where one goes, not what one wants done there
    if _OFFICE.match(text, end):
        return False
    return not (searches and (load_lexicon().describing.search(name) or _PLACE.match(text, end)))


def _labels_number(claims: Claims, end: int) -> bool:
    gap = re.match(r"[号码编是为:\s]*", claims.folded[end:])
    after = end + (gap.end() if gap else 0)
    return any(one.start <= after < one.end and one.type not in {"datetime", "location"} for one in claims.entities)
