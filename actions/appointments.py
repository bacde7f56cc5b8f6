"""Appointments: this version cannot book, says so, and offers the ways that can."""

from collections.abc import Mapping

from actions.base import CitizenAction, Reply, text_payload
from services.core.crypto import Reference

NOT_YET = (
    "这里暂时还不能直接预约，在线预约将在后续版本开通。您可以拨打 12345 政务服务便民热线预约，或由工作人员协助您办理。"
)


class BookAppointment(CitizenAction):
    name = "action_book_appointment"
    route = "book_appointment"

    async def answer(self, reference: Reference, values: Mapping[str, str]) -> Reply:
        return Reply([text_payload(self.route, NOT_YET), {"type": "offer_human", "route": self.route}])
