"""Connectors: a departmental system described in YAML, checked before anything is asked of it.

connectors = load_connectors(folder, variables={"sandbox_url": url}, secrets={"sandbox": key})
connectors["violation"].base_url
"""

import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import jmespath
import yaml
from jmespath.exceptions import JMESPathError
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from services.core import yaml_lines
from services.core.errors import HuiyingError
from services.lookups.schemas import ANSWERS
from services.understanding.identifiers import FREE_TEXT, NORMALISERS

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_SECRET_PREFIX = "CONNECTOR_SECRET_"


class _Loader(yaml.SafeLoader):
    """YAML with the plain scalars of version 1.2: `no` and `02` are texts, not false and 2."""


_KEPT_TAGS = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge", "tag:yaml.org,2002:float")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in _KEPT_TAGS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|false)$"), list("tf"))
# Before the floats, whose pattern takes whole numbers too.
for _first in "-0123456789":
    _whole = ("tag:yaml.org,2002:int", re.compile(r"-?(?:0|[1-9][0-9]*)$"))
    _Loader.yaml_implicit_resolvers[_first] = [_whole, *_Loader.yaml_implicit_resolvers.get(_first, [])]


class ConnectorMistake(HuiyingError):
    """`problems` are lines of the form `FILE:LINE: what is wrong`."""

    status = 503
    title = "连接器配置有误"

    def __init__(self, problems: list[str]) -> None:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(problems[0] + more)
        self.problems = problems


def _expression(text: str) -> str:
    try:
        jmespath.compile(text)
    except JMESPathError as mistake:
        first_line = str(mistake).splitlines()[0]
        raise ValueError(f"no JMESPath expression: {first_line}") from None
    return text


def _parameter(name: str) -> str:
    if name not in NORMALISERS and not name.startswith(FREE_TEXT):
        raise ValueError(f"unknown parameter, the known ones are {', '.join(NORMALISERS)}, and {FREE_TEXT}...")
    return name


Expression = Annotated[str, AfterValidator(_expression)]
Parameter = Annotated[str, AfterValidator(_parameter)]
TextName = Literal["pay", "pay_link", "elsewhere", "again", "map_link"]
# Results are kept for thirty days (tasks.RETENTION).
LONGEST_KEPT_HOURS = 30 * 24
Outcome = Literal["not_found", "mismatch", "busy", "failed"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Auth(_Part):
    """The key `secret` (a name, never the value) travels in `header` behind `prefix`, or as the password of `user`.

    Exactly one of `header` and `user` (HTTP Basic, RFC 7617) is given.
    """

    secret: str
    header: str | None = Field(None, pattern=r"^[A-Za-z0-9-]+$")
    prefix: str = ""
    user: str | None = Field(None, pattern=r"^[^:]+$")

    @model_validator(mode="after")
    def _one_way(self) -> "Auth":
        if (self.header is None) == (self.user is None):
            raise ValueError("either header (an API key) or user (a name and password) is needed")
        return self


class Timeouts(_Part):
    """Seconds; `total` bounds one attempt, also against a system that trickles bytes."""

    connect: float = Field(2.0, gt=0, le=30)
    read: float = Field(20.0, gt=0, le=60)
    total: float = Field(25.0, gt=0, le=60)


class Retry(_Part):
    """For safe requests only; waits are random between zero and a bound that doubles."""

    attempts: int = Field(3, ge=1, le=10)
    first_wait: float = Field(0.2, gt=0)
    longest_wait: float = Field(2.0, gt=0)


class Breaker(_Part):
    """Opens after `failures` in a row and lets the next request try after `open_seconds`."""

    failures: int = Field(5, ge=1)
    open_seconds: float = Field(30.0, gt=0)


class Rate(_Part):
    """At most `calls` in any `seconds`, counted over all replicas."""

    calls: int = Field(ge=1, le=10_000)
    seconds: float = Field(gt=0, le=3600)


class Probe(_Part):
    """How to find out whether the system works, without anybody's number: a GET of `path`.

    It works when it answers with a status below 400 and, where `up` is given (JMESPath over the JSON answer), this
    holds.
    """

    path: str = Field(pattern=r"^/")
    up: Expression | None = None


class Request(_Part):
    """One way to ask: taken when all its `parameters` are known; `optional` ones go along.

    `query`, `body` and `result` are JMESPath: the first two over the parameters (after `codes`), the last over the
    JSON answer. `outcomes` are JMESPath conditions over the answer, the first that holds wins; `statuses` the same by
    HTTP status. `busy` is a system that asks to be asked later. `safe` says that asking twice does no harm; by
    default only GET is.
    """

    parameters: list[Parameter] = Field(min_length=1)
    optional: list[Parameter] = []
    method: Literal["GET", "POST"]
    path: str = Field(pattern=r"^/")
    safe: bool | None = None
    codes: dict[Parameter, dict[str, str]] = {}
    query: dict[str, Expression] = {}
    body: dict[str, Expression] = {}
    statuses: dict[int, Outcome] = {}
    outcomes: dict[Outcome, Expression] = {}
    result: Expression

    @property
    def is_safe(self) -> bool:
        return self.method == "GET" if self.safe is None else self.safe


class Connector(_Part):
    """A departmental system for one kind of lookup. `system` is its name as citizens read it.

    An answer is taken again for the same question during `cache_seconds`; while the system is down, during
    `last_known_hours`, marked with its time. `texts`: `elsewhere` (what else helps when it is down), `again` (what a
    citizen says to ask again), `pay` and `pay_link`, `map_link` with {lat}, {lng} and {name}.

    `answer: facts` makes room for a kind of one's own, whose result is {facts: [{name, value}]}.
    """

    answer: Literal["facts"] | None = None
    kind: str = Field(pattern=r"^[a-z][a-z_]{0,31}$")
    system: str
    base_url: str = Field(pattern=r"^https?://")
    auth: Auth | None = None
    timeouts: Timeouts = Timeouts()
    retry: Retry = Retry()
    breaker: Breaker = Breaker()
    rate: Rate | None = None
    probe: Probe | None = None
    cache_seconds: float = Field(0, ge=0)
    last_known_hours: float = Field(0, ge=0, le=LONGEST_KEPT_HOURS)
    texts: dict[TextName, str] = {}
    requests: list[Request] = Field(min_length=1)
    key: SecretStr | None = Field(None, exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_key(cls, value: object) -> object:
        if isinstance(value, dict) and "key" in value:
            raise ValueError("a key is never written here: name it under auth.secret")
        return value

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str, info: ValidationInfo) -> str:
        if kind not in ANSWERS and info.data.get("answer") is None:
            raise ValueError(f"unknown, the known ones are {', '.join(ANSWERS)}; any other needs `answer: facts`")
        return kind

    @property
    def said(self) -> Mapping[str, str]:
        """Its texts by name."""
        return {str(name): text for name, text in self.texts.items()}

    def request_for(self, parameters: Mapping[str, str]) -> Request | None:
        """The first request whose parameters are all given."""
        return next((one for one in self.requests if all(parameters.get(name) for name in one.parameters)), None)

    def missing(self, parameters: Mapping[str, str]) -> list[str]:
        """What the request that comes closest still needs."""
        lacking = [[name for name in one.parameters if not parameters.get(name)] for one in self.requests]
        return min(lacking, key=len)


def secrets_from(environment: Mapping[str, str]) -> dict[str, str]:
    """Connector secrets by lower-case name: `CONNECTOR_SECRET_TRAFFIC=x` is the secret `traffic`."""
    return {
        name.removeprefix(_SECRET_PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(_SECRET_PREFIX) and value
    }


def load_connectors(folder: Path, variables: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, Connector]:
    """Read every `*.yaml` of a folder, by kind.

    `variables` fill `${name}`, `secrets` the named keys. Raises ConnectorMistake with all mistakes of all files.
    """
    connectors: dict[str, Connector] = {}
    problems: list[str] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            connector = read_connector(path, variables, secrets)
        except ConnectorMistake as mistake:
            problems.extend(mistake.problems)
            continue
        if connector.kind in connectors:
            problems.append(f"{path.name}:1: there is another connector of kind {connector.kind}")
        connectors[connector.kind] = connector
    if problems:
        raise ConnectorMistake(problems)
    return connectors


def read_connector(path: Path, variables: Mapping[str, str], secrets: Mapping[str, str]) -> Connector:
    """Read one file; raises ConnectorMistake."""

    def mistake(line: int, text: str) -> str:
        return f"{path.name}:{line}: {text}"

    try:
        document = yaml_lines.read(path, _Loader)
    except UnicodeDecodeError:
        raise ConnectorMistake([mistake(1, "not UTF-8")]) from None
    except yaml_lines.YamlMistake as error:
        raise ConnectorMistake([mistake(error.line or 1, f"no YAML: {error.problem}")]) from None
    content = document.content
    if not isinstance(content, dict):
        raise ConnectorMistake([mistake(1, "a mapping is needed")])
    if document.repeated:
        raise ConnectorMistake([mistake(line, f"{key} stands twice") for line, key in document.repeated])
    unknown: list[str] = []
    for place, name in _unknown_variables(content, (), variables):
        unknown.append(mistake(document.line_of(place), f"unknown variable ${{{name}}}"))
    if unknown:
        raise ConnectorMistake(unknown)
    try:
        connector = Connector.model_validate(_fill(content, variables))
    except ValidationError as error:
        raise ConnectorMistake([_describe(one, document, mistake) for one in error.errors()]) from None
    if connector.auth is None:
        return connector
    key = secrets.get(connector.auth.secret)
    if not key:
        raise ConnectorMistake(
            [mistake(document.line_of(("auth", "secret")), f"no secret named {connector.auth.secret}")]
        )
    return connector.model_copy(update={"key": SecretStr(key)})


def _describe(error: Any, document: yaml_lines.Document, mistake: Callable[[int, str], str]) -> str:
    place = tuple(part for part in error["loc"] if part != "[key]")
    reason = error["msg"].removeprefix("Value error, ")
    where = ".".join(str(part) for part in place)
    return mistake(document.line_of(place), f"{where}: {reason}" if where else reason)


def _unknown_variables(
    value: object, place: tuple[Hashable, ...], variables: Mapping[str, str]
) -> Iterator[tuple[tuple[Hashable, ...], str]]:
    if isinstance(value, str):
        yield from ((place, name) for name in _VARIABLE.findall(value) if name not in variables)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _unknown_variables(one, (*place, key), variables)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _unknown_variables(one, (*place, number), variables)


def _fill(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: variables[found[1]], value)
    if isinstance(value, dict):
        return {key: _fill(one, variables) for key, one in value.items()}
    if isinstance(value, list):
        return [_fill(one, variables) for one in value]
    return value
