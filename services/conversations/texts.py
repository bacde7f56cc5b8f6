"""What the service itself says. The dialogue's own texts live in the bot's domain."""

from datetime import datetime

from services.conversations.schemas import Option, Outgoing
from services.core.clock import SHANGHAI

HUMAN_YES, HUMAN_NO = "human:yes", "human:no"
CONSENT_YES, CONSENT_NO = "consent:yes", "consent:no"
ENTRY_CHOICE = "faq:"
NONE_OF_THESE = "faq:none"
# "watch:<kind of lookup>": the citizen wants to be told when its system is back.
WATCH_CHOICE = "watch:"

QUICK_REPLIES = ("查违章", "办事预约", "查水电气账单", "查办件进度", "附近服务网点", "转人工")


def welcome(city_name: str) -> Outgoing:
    return Outgoing(
        f"您好，这里是{city_name}政务服务智能助手。办事指南直接问我，也可以查违章、查账单、查进度；"
        "需要工作人员时请说“转人工”。遇到危险请立即拨打 110、119 或 120。",
        type="options",
        options=tuple(Option(title=title, payload=title) for title in QUICK_REPLIES),
    )


CONSENT_REFUSED = Outgoing("好的，没有使用您的号码。不需要号码的问题我都可以继续回答，也可以为您转人工。")
CONSENT_GRANTED = Outgoing("谢谢，已记录您的同意。")
OFFER_HUMAN = Outgoing(
    "需要为您转给服务大厅的工作人员吗？",
    type="options",
    options=(Option(title="转人工", payload=HUMAN_YES), Option(title="不用了", payload=HUMAN_NO)),
)
HUMAN_DECLINED = Outgoing("好的，有需要随时说“转人工”。")
LOOKING = Outgoing("正在查询，请稍候…", sender="system")
MISS = Outgoing("抱歉，知识库里没有找到这个问题的答案。您可以换个说法再问一次。")
CANDIDATES = "您想问的是不是下面的问题？"
OTHER_CANDIDATES = "抱歉没有帮到您。您想问的是不是下面的问题？"
NOT_HELPED = Outgoing("抱歉没有帮到您。您可以换个说法再问一次，也可以请工作人员解答。")
RATED_HELPFUL = Outgoing("感谢您的评价。", sender="system")
MENU_GONE = Outgoing("菜单已经更新，请直接说出您要办的事。")
NONE_TITLE = "都不是"
DIALOGUE_DOWN = Outgoing("智能对话暂时不可用，查询类服务请稍后再试；办事问题仍可直接提问。")
ENTRY_GONE = Outgoing("这条内容已经更新，请重新提问。")
LATE = Outgoing("系统处理得比平时慢，这一条没有完成。请稍后再试，或说“转人工”。")
LAPSED = Outgoing("工作人员暂时离开，我先继续为您服务；您的工单仍在处理中。", sender="system")
LOCATION_TEXT = "[位置]"


REPORT = "我要反映问题"


def file_received(case_no: str | None) -> Outgoing:
    """What is said to a photo or a document; `case_no` is the open case that it went to."""
    if case_no is not None:
        return Outgoing(f"收到了，已经放进工单 {case_no}，工作人员会看到。", case_no=case_no)
    return Outgoing(
        "收到了。我看不懂图片里的内容，请用文字说说是什么事、在哪里；要登记成工单，点下面的按钮。",
        type="options",
        options=(Option(title=REPORT, payload=REPORT), Option(title="转人工", payload=HUMAN_YES)),
    )


def consent(retention_days: int) -> Outgoing:
    return Outgoing(
        "为您查询或办理时需要用到您提供的号码（如车牌、证件号、户号、手机号）。用途：仅用于本次查询或办理；"
        f"保存：加密存放，{retention_days} 天后删除。您是否同意？",
        type="options",
        options=(Option(title="同意", payload=CONSENT_YES), Option(title="不同意", payload=CONSENT_NO)),
    )


def acknowledged(case_no: str, who: str) -> Outgoing:
    return Outgoing(
        f"{who}已收到您的求助（工单 {case_no}），正在处理。请保持电话畅通，情况有变化随时在这里说；"
        "还在危险中请继续拨打 110、119 或 120。",
        sender="system",
        case_no=case_no,
    )


def claimed(clerk: str) -> Outgoing:
    """`clerk` is a department and a post."""
    return Outgoing(f"{clerk} 已接入，将直接回复您。", sender="system")


PHONE_VERIFIED = Outgoing("手机号验证成功。")
_RESEND = (Option(title="重新发送", payload="重新发送"), Option(title="换个手机号", payload="换个手机号"))
# By what came of trying a code (services.citizens.schemas.Checked).
CODES = {
    "wrong": Outgoing("验证码不对，请再核对一下。", type="options", options=_RESEND),
    "expired": Outgoing("验证码已经失效，请点“重新发送”。", type="options", options=_RESEND),
    "spent": Outgoing("验证码输错次数太多，已经作废。请稍后再预约。"),
}


# What a citizen chooses about a case: "case:<number>:<action>".
CASE_CHOICE = "case:"
RATINGS = ((5, "非常满意"), (4, "满意"), (3, "一般"), (2, "不满意"), (1, "很不满意"))


def resolved(case_no: str) -> Outgoing:
    choices = [(f"{name}（{score} 分）", f"rate{score}") for score, name in RATINGS]
    choices += [("确认已解决", "confirm"), ("没有解决，重新办理", "reopen")]
    return Outgoing(
        f"工单 {case_no} 已办结。请评价本次答复，也可以告诉我们问题是否解决。还有问题可以继续问我。",
        type="options",
        sender="system",
        case_no=case_no,
        options=tuple(Option(title=title, payload=f"{CASE_CHOICE}{case_no}:{what}") for title, what in choices),
    )


def closed(case_no: str, how: str) -> Outgoing:
    text = {
        "withdrawn": f"工单 {case_no} 已按您的要求撤回。",
        "confirmed": f"感谢您的确认，工单 {case_no} 已关闭。",
    }.get(how, f"工单 {case_no} 已关闭。还有问题可以继续问我。")
    return Outgoing(text, sender="system", case_no=case_no)


def ended_elsewhere(case_no: str, through: str, how: str) -> Outgoing:
    """What became of a case that the citizen's own was merged into; whoever is not helped by that may go on alone."""
    again = Option(title="没有解决，重新办理", payload=f"{CASE_CHOICE}{case_no}:reopen")
    return Outgoing(
        f"您的工单 {case_no} 并入的 {through} {how}。如果您的问题还没有解决，可以重新办理。",
        type="options",
        sender="system",
        case_no=case_no,
        options=(again,),
    )


def assigned(case_no: str, department: str) -> Outgoing:
    text = f"工单 {case_no} 已分派（{department}），工作人员接手后会在这里回复您。"
    return Outgoing(text, sender="system", case_no=case_no)


def held(case_no: str, until: datetime | None) -> Outgoing:
    text = f"工单 {case_no} 正在等您补充，直接在这里回复即可。"
    if until is not None:
        text += f"{moment(until)} 前没有收到补充，将按现有情况继续办理。"
    return Outgoing(text, sender="system", case_no=case_no)


def extended(case_no: str, due_at: datetime | None, reason: str) -> Outgoing:
    when = f"，最迟于 {moment(due_at)} 前回复您" if due_at is not None else ""
    return Outgoing(f"工单 {case_no} 经批准延期{when}。原因：{reason}", sender="system", case_no=case_no)


def merged(case_no: str, into: str) -> Outgoing:
    return Outgoing(
        f"工单 {case_no} 与 {into} 是同一件事，已合并办理，答复会发到这里。", sender="system", case_no=case_no
    )


WATCH_TITLE = "恢复后通知我"
WATCHED = Outgoing("好的，恢复后会在这里告诉您一次。")
ALREADY_BACK = Outgoing("这个系统已经恢复，现在可以重新查询了。")


def system_back(text: str, again: str) -> Outgoing:
    """A system that the citizen waited for works again; `again` asks once more."""
    if not again:
        return Outgoing(text)
    return Outgoing(text, type="options", options=(Option(title=again, payload=again),))


NO_CASES = Outgoing("您还没有工单。需要工作人员帮助时，请说“转人工”。")
NO_OPEN_CASE = Outgoing("您没有正在办理的工单。回复“我的工单”可以查看以前的工单。")


def added(case_no: str) -> Outgoing:
    return Outgoing(f"已补充到工单 {case_no}，工作人员会一并看到。", sender="system", case_no=case_no)


def case_line(case_no: str, status: str, due_at: datetime | None) -> str:
    return f"{case_no} {status}" + (f"，最迟于 {moment(due_at)} 前回复" if due_at is not None else "")


CASE_RATED = Outgoing("谢谢您的评价。")
CASE_PRESSED = Outgoing("已为您催办，工作人员会尽快处理。", sender="system")


def transferred(case_no: str, department: str) -> Outgoing:
    return Outgoing(f"工单 {case_no} 已转给{department}办理，回复后会在这里告诉您。", sender="system", case_no=case_no)


def reopened(case_no: str) -> Outgoing:
    return Outgoing(f"工单 {case_no} 已重新办理，回复后会在这里告诉您。", sender="system", case_no=case_no)


def promise(case_no: str, due_at: datetime | None, opening: datetime | None, *, reused: bool) -> str:
    """The case's number and the time by which it is answered; `opening` is when a closed hall opens again."""
    text = f"已记入您正在办理的工单 {case_no}" if reused else f"已为您转给服务大厅，工单号 {case_no}"
    if due_at is not None:
        text += f"，最迟于 {moment(due_at)} 前回复您"
    text += "。"
    if opening is not None:
        text += f"现在是非工作时间，大厅将于 {moment(opening)} 开始受理。"
    return text + "工作人员接入前，您可以继续向我提问。"


KEPT_SECRET = "您反映的事项按保密规定办理，只有指定的工作人员可以查看。"


def moment(at: datetime) -> str:
    """A moment as a citizen reads it."""
    local = at.astimezone(SHANGHAI)
    return f"{local.month}月{local.day}日 {local:%H:%M}"
