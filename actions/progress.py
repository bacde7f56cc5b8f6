"""Progress of the citizen's own cases and of applications in departmental systems."""

from actions.base import LookupAction


class QueryProgress(LookupAction):
    name = "action_query_progress"
    kind = "progress"
    slots = ("case_no",)
