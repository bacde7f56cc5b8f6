"""An identifier of the citizen in the clear, for the clerk in charge: with a reason, in the record, so many an hour."""

from collections.abc import Callable
from datetime import datetime, timedelta

from services.accounts.schemas import StaffUser
from services.cases import repository, sight
from services.cases.holding import locked, written
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import Conflict, Forbidden, NotFound, TooManyRequests
from services.sla import service as sla

WINDOW = timedelta(hours=1)

# What a placeholder of a conversation stands for, None when the citizen did not consent to its use.
Resolve = Callable[[UnitOfWork, str, str], str | None]


def reveal(
    uow: UnitOfWork,
    secrets: Secrets,
    *,
    case_no: str,
    user: StaffUser,
    placeholder: str,
    reason: str,
    resolve: Resolve,
    now: datetime,
) -> str:
    """The identifier behind `placeholder` in the case's conversation, for whoever has the open case in hand.

    The event, with its reason, and the audit row are of the same transaction; neither holds the identifier. Raises
    NotFound for a case that `user` may not know of and for an identifier that there is not, Forbidden for anybody but
    the clerk in charge, TooManyRequests past the city's limit (`reveals_per_hour` of desk.yaml).
    """
    file = locked(uow, case_no, user)
    case = file.row
    text = written(reason)
    if case.assignee != user.name:
        raise Forbidden("只有经办人可以查看，请先认领或接手工单")
    if not file.is_open:
        raise Conflict("工单已结束，不能再查看")
    if case.conversation_id is None:
        raise NotFound("没有这条身份信息")
    if sight.shade(uow, case.conversation_id, apart_from=case_no, user=user):
        # They may belong to a tip-off that this clerk may not know of.
        raise NotFound("没有这条身份信息")
    repository.lock_reveals(uow.session)
    if repository.reveals_since(uow.session, user.name, now - WINDOW) >= sla.desk_rules(uow).reveals_per_hour:
        raise TooManyRequests("一小时内查看次数已达上限，请稍后再试")
    value = resolve(uow, case.conversation_id, placeholder)
    if value is None:
        raise NotFound("没有这条身份信息，或市民没有同意使用")
    data = {"placeholder": placeholder}
    file.append("revealed", actor=user.name, now=now, text=text, secrets=secrets, data=data)
    return value
