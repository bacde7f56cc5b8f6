"""Public service points near the citizen."""

from collections.abc import Mapping

from actions.base import LookupAction, Reply
from services.core.crypto import Reference
from services.lookups.validators import PLACE_KINDS, place_kind_in


class NearbyService(LookupAction):
    """Which kind of place is read from the citizen's own words (`nearby_query`), else asked."""

    name = "action_nearby_service"
    kind = "nearby"
    slots = ("location", "service", "nearby_query")

    async def answer(self, reference: Reference, values: Mapping[str, str]) -> Reply:
        wanted = place_kind_in(values.get("service", "")) or place_kind_in(values.get("nearby_query", ""))
        if wanted is None:
            options = {kind: f"找附近的{kind}" for kind in PLACE_KINDS}
            return self.ask("请问要找哪一类地点？目前可以查这些：", "service", options, keep=("location",))
        return await self.look_up(reference, {"location": values.get("location", ""), "service": wanted})
