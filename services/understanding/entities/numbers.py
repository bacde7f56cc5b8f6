"""Identifying numbers: resident ids, phones, household, licence file, engine and case numbers.

Privacy decides every doubt: a long number that nothing explains is still claimed as an identifier.
"""

from __future__ import annotations

import re
from datetime import date

import phonenumbers
from stdnum.cn import ric

from services.understanding.entities.entities import EntityType
from services.understanding.entities.spans import Claims
from services.understanding.words import PROVINCES

_SEP = r"[\s\-_.·•—–\u200b-\u200f\ufe0f\u20e3\ufeff]"
_S = _SEP + "{0,2}"
_GAP_WORDS = r"[^0-9A-Z，。,;；!！?？\n]{0,8}?"

_ID18 = re.compile(r"(?<!\d)\d{17}[\dX](?![\dA-Z])")
_ID18_SPACED = re.compile(rf"(?<!\d)\d(?:{_S}\d){{16}}{_S}[\dX](?![\dA-Z])")
_ID15 = re.compile(r"(?<!\d)[1-9]\d{5}(\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\d{3}(?!\d)")
_ID_LABEL = re.compile(
    rf"(?:身份证|证件|公民身份|护照|通行证|台胞证|居留证|回乡证)(?:号码?|编号)?{_GAP_WORDS}"
    r"([A-Z]{0,2}\d(?:[\s\-]?\d){6,18}[X]?)(?![\dA-Z])"
)

_MOBILE = re.compile(rf"(?<!\d)(?:(?:00)?86{_S})?(1[3-9]\d{{9}})(?!\d)")
_MOBILE_SPACED = re.compile(rf"(?<!\d)(?:(?:00)?86{_S})?(1{_S}[3-9](?:{_S}\d){{9}})(?!\d)")
_LANDLINE = re.compile(r"(?<!\d)[(]?(0\d{2,3})[)]?[\s\-—]{0,2}([2-8]\d{6,7})(?!\d)")
_PHONE_LABEL = re.compile(
    rf"(?:手机号?码?|电话号?码?|座机|联系方式|联系电话|来电号码|机主)(?:是|为|"
    rf":)?{_GAP_WORDS}(\d(?:{_S}\d){{6,12}})(?!\d)"
)

_HOUSEHOLD_LABEL = re.compile(
    r"(?:户号|户头号?|用户号码?|用户编号|用户编码|客户编号|客户号|缴费号码?|缴费编号|交费号|"
    r"(?:水|电|气|燃气|煤气|热力)表?(?:户头|编号|编码|卡号|账号)|水表号|电表号|气表号|燃气表号|"
    r"燃气号|(?<!流)水号|(?<!来)电号|气号|用电编号|表号|卡表号|供暖号|热力号|用热编号|采暖号)"
    rf"(?!码?(?:手机|电话))(?:码|是|为|:)?{_GAP_WORDS}([A-Z]?\d(?:[\s\-]?\d){{4,15}})(?!\d)"
)
_FILE_LABEL = re.compile(
    rf"(?:档案编号|档案号码?|驾驶证档案|驾照档案|档编|档案){_GAP_WORDS}(\d(?:[\s\-]?\d){{9,13}})(?!\d)"
)
_ENGINE_LABEL = re.compile(
    r"(?:发动机|引擎|车架|识别代?码|VIN)(?:号码?|代码|编号|识别代?号)?(?:的|是|为|:)?"
    r"(?:(?:最?后|末|尾|尾号)(?:[四五六46]|[0-9])?(?:位|个|码)?(?:数字?|号|码)?)?(?:的|是|为|:)?"
    rf"{_GAP_WORDS}(?=[A-Z]*\d)([0-9A-Z](?:-?[0-9A-Z]){{3,19}})(?![0-9A-Z])"
)
_TAIL_LABEL = re.compile(
    r"(手机|电话|身份证|证件|银行卡|卡号|户号)?号?码?的?(?:最?后|末|尾)(?:四|五|六|"
    r"[456])(?:位|个|码)?(?:数字?|号|码)?"
    r"(?:的|是|为|:)?[\s,]*(?=[A-Z]*\d)([0-9A-Z]{4,6})(?![0-9A-Z年月日号点元块])"
)
_ISOLATED = re.compile(r"(?<![^\s,，。;；、/])(?=[A-Z]*\d)(?:[0-9A-Z]{4}|[0-9A-Z]{6})(?![^\s,，。;；、/!！?？])")

_CASE_PREFIXED = re.compile(r"(?<![A-Z0-9])[A-Z]{1,6}-?\d{6,20}(?:-\d{1,8})*(?![\dA-Z])")
_CASE_DASHED = re.compile(r"(?<![\dA-Z])(?:1\d{4}-)?((?:19|20)\d{6})-\d{3,8}(?!\d)")
# prefix and groups: LD2025-08-0031, ZX2025/0612/18
_CASE_GROUPED = re.compile(r"(?<![A-Z0-9])[A-Z]{2,6}[-/]?20\d\d(?:[-/]\d{1,8}){1,3}(?![\dA-Z])")
_OFFICE_WORDS = r"[府诉信访受复议字第办督政行民劳人社仲裁案立监投市区局公安法初终执消函告决申理件转]"
# As offices number their papers: 豫信访2025第0456号, 苏府复〔2025〕77号, 皖03受2025-00123. At most eight digits
# in a row, so that no identifier passes as one.
_PROVINCE = f"[{PROVINCES}]"
_CASE_WRITTEN = re.compile(
    rf"(?:{_PROVINCE}\d{{0,4}})?{_OFFICE_WORDS}{{1,8}}(?:[〔\[(]20[0-3]\d[〕\])]年?第?|20[0-3]\d年?第)\d{{1,7}}(?:-\d+)?号|"
    rf"[(〔\[]20[0-3]\d[)〕\]]{_PROVINCE}\d{{0,4}}{_OFFICE_WORDS}{{1,4}}\d{{1,7}}号|"
    rf"{_PROVINCE}\d{{2,4}}{_OFFICE_WORDS}{{1,4}}20[0-3]\d-\d{{3,8}}(?!\d)"
)
_CASE_LABEL = re.compile(
    r"(?:受理|办件|办理|工单|案件|业务|流水|回执|查询|申请|投诉|信访件?|登记|报案|申报|申办|"
    r"事项|单|(?<!证)件|受理单|编)"
    r"(?:编号|编码|号码?|单号|件号|单)(?:是|为|:)?"
    r"[^0-9A-Z，。,;；!！?？\n]{0,6}?([A-Z]{0,6}-?\d[0-9A-Z\-]{4,24})(?![0-9A-Z])"
)
_VEHICLE_CODE = re.compile(r"(?<![A-Z0-9])L(?=[0-9A-Z]*\d{4})[0-9A-HJ-NPR-Z]{16}(?![0-9A-Z])")
_PASSPORT = re.compile(r"(?:E[A-Z]?|[GDSPH])\d{7,8}")
_LONG_RUN = re.compile(r"(?<!\d)\d(?:[\s\-]?\d){6,}(?!\d)")
_LONG_PLAIN = re.compile(r"\d{7,}")
_NOT_PERSONAL = re.compile(
    r"(?:扣扣|QQ|微信|VX|V信|威信|WX|公众号|链接|HTTPS?|WWW|文号|国发|邮编|信用代码|税号|纳税人识别号)[^\d，。,;；\n]{0,4}$"
)
_SERVICE_LINE = re.compile(r"[48]00\d{7}$")
_AMOUNT = re.compile(r"^\s*(?:元|块|万|亿|度|方|吨|人民币|平米|平方)")

_BILL = re.compile(
    r"电|水费|气费|燃气|煤气|天然气|暖气|供暖|采暖|取暖|供热|热力|欠费|缴费|交费|账单|余额|户号|水|气|BILL"
)
_BILL_NAMED = re.compile(r"户号|[水电气]费|身份证")
_YEARS = re.compile(r"(?:19|20)\d\d\s?-\s?(?:19|20)\d\d")
_SHORT_NUMBERS = re.compile(r"1\d{2,4}(?:[\s\-]1\d{2,4})+")
_LICENCE = re.compile(r"驾照|驾驶证|扣分|记分|驾驶人|档案|几分|的分|违章|违法")
_CASE_WORDS = re.compile(r"工单|受理|办件|信访|进度|办到|办结|答复|跟进|投诉|举报|申请|反映")
_CASE = re.compile(
    r"工单|受理|编号|单号|回执|办件|案件|案号|信访|进度|处理到|办到|办结|答复|跟进|下文|回复|"
    r"状态|投诉|举报|申请|批下来|结果"
)


def _digits(text: str) -> str:
    return re.sub(r"[^0-9A-Z]", "", text)


def is_date_like(eight: str) -> bool:
    """True when eight digits read as YYYYMMDD between 1900 and 2099."""
    try:
        return 1900 <= date(int(eight[:4]), int(eight[4:6]), int(eight[6:8])).year <= 2099
    except ValueError:
        return False


def _claim_id(claims: Claims, start: int, end: int) -> bool:
    number = _digits(claims.folded[start:end])
    valid = bool(ric.is_valid(number)) if len(number) == 18 else _ID15.fullmatch(number) is not None
    return claims.claim("id_card", start, end, number, valid=valid)


def _claim_phone(claims: Claims, start: int, end: int) -> bool:
    number = _digits(claims.folded[start:end])
    if re.fullmatch(r"1[3-9]\d{9}", number):
        return claims.claim("phone", start, end, number)
    try:
        parsed = phonenumbers.parse(number, "CN")
        valid = phonenumbers.is_valid_number(parsed)
    except phonenumbers.NumberParseException:
        valid = False
    return claims.claim("phone", start, end, number, valid=valid)


def _household(claims: Claims, start: int, end: int) -> bool:
    number = _digits(claims.folded[start:end])
    return claims.claim("household_no", start, end, number, valid=8 <= len(number) <= 13)


def find_labelled_numbers(claims: Claims) -> None:
    """Claim numbers that the citizen named ("户号...", "档案编号...", "发动机号后四位...")."""
    text = claims.folded
    for match in _CASE_WRITTEN.finditer(text):
        claims.claim("case_no", *match.span(), _case_form(match.group()))
    for match in _CASE_GROUPED.finditer(text):
        if "/" in match.group():
            claims.claim("case_no", *match.span(), match.group())
    for match in _FILE_LABEL.finditer(text):
        number = _digits(match[1])
        claims.claim("license_file_no", *match.span(1), number, valid=len(number) == 12)
    for match in _HOUSEHOLD_LABEL.finditer(text):
        _household(claims, *match.span(1))
    for match in _CASE_LABEL.finditer(text):
        if re.search(r"身份|档案|户", text[max(0, match.start() - 3) : match.start(1)]) or not _case_shaped(match[1]):
            continue
        if match.group().startswith("编") and re.fullmatch(r"\d{8,13}", match[1]):
            if len(match[1]) == 12 and _LICENCE.search(text):
                claims.claim("license_file_no", *match.span(1), match[1])
                continue
            if _BILL_NAMED.search(text) and not _CASE_WORDS.search(text):
                _household(claims, *match.span(1))
                continue
        claims.claim("case_no", *match.span(1), _case_form(match[1]))
    for match in _PHONE_LABEL.finditer(text):
        number = _digits(match[1])
        if (
            _SERVICE_LINE.match(number)
            or re.match(r"(?:00)?861[3-9]\d{9}", number)
            or _ID18.match(text, match.start(1))
        ):
            continue
        _claim_phone(claims, *match.span(1))
    for match in _ENGINE_LABEL.finditer(text):
        claims.claim("engine_tail", *match.span(1), _digits(match[1]), valid=len(_digits(match[1])) <= 6)


def _case_form(text: str) -> str:
    return re.sub(r"\s", "", text)


def _case_shaped(number: str) -> bool:
    plain = _digits(number)
    # a bare 11-digit mobile or an 18-digit id behind "编号" is what it looks like, not a case
    if re.fullmatch(r"1[3-9]\d{9}|\d{17}[\dX]", plain):
        return False
    return sum(char.isdigit() for char in plain) >= 5


def find_ids(claims: Claims) -> None:
    """Claim resident ids of 18 or 15 digits, and labelled travel documents."""
    text = claims.folded
    for match in _ID18.finditer(text):
        _claim_id(claims, *match.span())
    for match in _ID_LABEL.finditer(text):
        _claim_id(claims, *match.span(1))
    for match in _ID15.finditer(text):
        _claim_id(claims, *match.span())
    for match in _ID18_SPACED.finditer(claims.masked()):
        _claim_id(claims, *match.span())


def find_case_numbers(claims: Claims) -> None:
    """Claim case numbers by their own shape: GD..., XF..., 20260314-00257."""
    text = claims.masked()
    for match in _VEHICLE_CODE.finditer(text):
        # a vehicle identification number (GB 16735) names a car as its engine number does
        claims.claim("engine_tail", *match.span(), match.group(), valid=False)
    text = claims.masked()
    for match in _CASE_PREFIXED.finditer(text):
        if _PASSPORT.fullmatch(match.group()) and not _CASE.search(text):
            claims.claim("id_card", *match.span(), match.group(), valid=False)
        elif sum(char.isdigit() for char in match.group()) >= 8 or _CASE.search(text):
            claims.claim("case_no", *match.span(), match.group())
    for match in _CASE_GROUPED.finditer(text):
        claims.claim("case_no", *match.span(), match.group())
    for match in _CASE_DASHED.finditer(text):
        if is_date_like(match[1]):
            claims.claim("case_no", *match.span(), match.group())


def find_phones(claims: Claims) -> None:
    """Claim mobile numbers and landlines with an area code."""
    for pattern in (_MOBILE, _MOBILE_SPACED):
        for match in pattern.finditer(claims.masked()):
            _claim_phone(claims, *match.span(1))
    for match in _LANDLINE.finditer(claims.masked()):
        try:
            number = phonenumbers.parse(match[1] + match[2], "CN")
        except phonenumbers.NumberParseException:
            continue
        separated = len(match.group()) > len(match[1]) + len(match[2])
        if phonenumbers.is_valid_number(number) and (separated or not _BILL.search(claims.folded)):
            claims.claim("phone", *match.span(), match[1] + match[2])


def find_engine_tails(claims: Claims) -> None:
    """Claim "后四位20C6", and a lone 4- or 6-character code beside a plate; "手机尾号6125" beside a case number."""
    for match in _TAIL_LABEL.finditer(claims.masked()):
        if match[1] is None and not claims.has("case_no"):
            claims.claim("engine_tail", *match.span(2), match[2])
        elif match[1] in (None, "手机", "电话") and claims.has("case_no") and re.fullmatch(r"\d{4}", match[2]):
            claims.claim("phone_tail", *match.span(2), match[2])
    if claims.has("plate") and not claims.has("engine_tail"):
        for match in _ISOLATED.finditer(claims.masked()):
            claims.claim("engine_tail", *match.span(), match.group())


def classify_long_number(number: str, text: str) -> EntityType | None:
    """Type of a long number that has no label, judged by its length and the words of the message."""
    dated = is_date_like(number[:8]) and len(number) > 8
    year_first = re.match(r"20[2-3]\d(?:0[1-9]|1[0-2])", number) is not None
    if re.fullmatch(r"1[3-9]\d{9}", number) or re.fullmatch(r"(?:00)?861[3-9]\d{9}", number):
        return "phone"
    if len(number) == 8 and is_date_like(number):
        return "datetime" if not re.search(r"户号|[水电气]|暖", text) else "household_no"
    if len(number) == 12 and _LICENCE.search(text) and not re.search(r"户号|[水电气]费", text):
        return "license_file_no"
    # an order or bank card number beside "申请" must not pass as a case number, which is not hidden
    if (dated or year_first) and len(number) not in (15, 18) and _CASE.search(text) and not _BILL_NAMED.search(text):
        return "case_no"
    if 7 <= len(number) <= 13 and _BILL.search(text):
        return "household_no"
    if dated and len(number) in (12, 13, 14) and not _BILL.search(text):
        return "case_no"
    if len(number) == 12 and 11 <= int(number[:2]) <= 65:
        return "license_file_no"
    if 8 <= len(number) <= 13:
        return "household_no"
    return "id_card" if len(number) >= 14 else None


def find_leftover_numbers(claims: Claims) -> None:
    """Claim what is left: no number of eight or more digits goes on in the clear unless it is harmless."""
    for pattern in (_LONG_PLAIN, _LONG_RUN):
        for match in pattern.finditer(claims.masked()):
            start, end = match.span()
            number = _digits(match.group())
            before = claims.folded[max(0, start - 16) : start]
            if _NOT_PERSONAL.search(before) or (
                _SERVICE_LINE.match(number) and re.search("电话|热线|客服|拨打", before)
            ):
                continue
            if _AMOUNT.match(claims.folded[end : end + 4]) or (pattern is _LONG_RUN and len(number) < 8):
                continue
            if re.fullmatch(r"(\d{1,3})\1+", number) or before.endswith("="):
                continue
            if _YEARS.fullmatch(match.group()) or _SHORT_NUMBERS.fullmatch(match.group()):
                continue
            kind = classify_long_number(number, claims.folded)
            if kind is not None and kind != "datetime":
                if kind == "id_card":
                    _claim_id(claims, start, end)
                    continue
                claims.claim(kind, start, end, number, valid=kind != "license_file_no" or len(number) == 12)


_UNIT = re.compile(r"\s*[年月日号点元块:]")
_EXPECTED: dict[str, tuple[EntityType, re.Pattern[str]]] = {
    # Letters alone are a tail only when nothing else was said.
    "engine_tail": (
        "engine_tail",
        re.compile(r"(?<![0-9A-Z])(?=[A-Z]*\d)[0-9A-Z]{4,8}(?![0-9A-Z])|^(?!CANCEL)[A-Z]{6}$"),
    ),
    "license_file_no": ("license_file_no", re.compile(r"(?<!\d)\d(?:[\s\-]?\d){7,13}(?!\d)")),
    "household_no": ("household_no", re.compile(r"(?<![0-9A-Z])[A-Z]?\d(?:[\s\-]?\d){4,15}(?!\d)")),
    "case_no": ("case_no", re.compile(r"(?<![0-9A-Z])[A-Z]{0,6}-?\d(?:-?[0-9A-Z]){4,24}(?![0-9A-Z])")),
    "phone": ("phone", re.compile(rf"(?<!\d)\d(?:{_S}\d){{6,12}}(?!\d)")),
    "phone_tail": ("phone_tail", re.compile(r"(?<![0-9A-Z])(?:1[3-9]\d{9}|\d{4})(?![0-9A-Z])")),
    "id_card": ("id_card", re.compile(rf"(?<!\d)[A-Z]{{0,2}}\d(?:{_S}\d){{6,18}}{_S}X?(?![0-9A-Z])")),
}


def find_expected(claims: Claims, expected: str) -> None:
    """Take the answer to a form's question as the type asked for, unless it names another one."""
    if expected not in _EXPECTED:
        return
    kind, pattern = _EXPECTED[expected]
    match = None if claims.has(kind) else pattern.search(claims.masked())
    if match is None or _UNIT.match(claims.folded[match.end() :]):
        return
    start, end = match.span()
    if kind == "id_card":
        _claim_id(claims, start, end)
    elif kind == "phone":
        _claim_phone(claims, start, end)
    elif kind == "household_no":
        _household(claims, start, end)
    elif kind == "phone_tail":
        claims.claim(kind, start, end, match.group()[-4:])
    else:
        number = _case_form(match.group()) if kind == "case_no" else _digits(match.group())
        lengths = {"engine_tail": range(4, 7), "license_file_no": range(12, 13)}.get(kind)
        claims.claim(kind, start, end, number, valid=lengths is None or len(number) in lengths)
