"""The shape of `retention.yaml`."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Days = Annotated[int, Field(ge=1, le=36_500)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Kept(_Strict):
    """For how many days, counted from when it came, and why: `source` names the rule that says so."""

    days: Days
    source: str = ""


class RetentionFile(_Strict):
    """What is kept for how long. The defaults count where a city says nothing."""

    messages: Kept = Kept(days=1095)
    files: Kept = Kept(days=365)
    identifiers: Kept = Kept(days=180)
    tokens: Kept = Kept(days=30)
    notices: Kept = Kept(days=365)
    audit: Kept = Kept(days=1825)
