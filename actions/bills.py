"""Water, electricity, gas and heating bills."""

from collections.abc import Mapping

from actions.base import LookupAction, Reply
from services.core.crypto import Reference
from services.lookups.validators import BILL_KINDS, bill_kind_in


class QueryBill(LookupAction):
    """Which kind of bill is read from the citizen's own words (`bill_query`), else asked."""

    name = "action_query_bill"
    kind = "bill"
    slots = ("household_no", "bill_query")

    async def answer(self, reference: Reference, values: Mapping[str, str]) -> Reply:
        bill_kind = bill_kind_in(values.get("bill_query", ""))
        if bill_kind is None:
            options = {kind: f"查{kind}" for kind in BILL_KINDS}
            return self.ask("请问要查哪一种费用？", "bill_kind", options, keep=("household_no",))
        return await self.look_up(reference, {"household_no": values.get("household_no", ""), "bill_kind": bill_kind})
