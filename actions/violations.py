"""Traffic violations, by vehicle or by driving licence."""

from actions.base import LookupAction


class QueryViolation(LookupAction):
    name = "action_query_violation"
    kind = "violation"
    slots = ("plate", "plate_kind", "engine_tail", "license_file_no", "id_card")
