"""Wild values for every place of a request: wherever the OpenAPI document says that something may be written.

Read from the document itself, so that a new operation, parameter or field is covered by being there.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

# In any JSON body, address or query. What is marked cannot be kept by both databases whatever the field.
REFUSED_TEXTS = ("一\0二", "x\ud800y")
REFUSED_NUMBERS = (10**20, float("nan"))
TEXTS = ("", "²", "9" * 20, "\u202e\ufeff𝕏🀄", "长" * 5_000)
NUMBERS = (-1, 2**63 - 1, 1e308)
OTHERS = (None, [{}])
REFUSED_DAYS = ("9999-12-31", "0001-01-01", "1899-12-31", "2200-01-01", "2026-02-30", "20260930x", "²026-09-30")
REFUSED_MOMENTS = (
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00",
    "2026-11-20T10:00:00+23:59",
    "2026-11-20T10:00:00-12:01",
    "2026-11-20T10:00:00+08:00:30",
    "2026-11-20T24:30:00Z",
    "1e400",
)
MOMENTS = ("2026-11-20T10:00:00+14:00", "2026-11-20T10:00:00-12:00", "2026-11-20T10:00:00.123456Z")
# Of fields that are a day or a moment, as people write it.
LONGEST_WRITTEN_DAY = 40
SAMPLES = {
    r"^1[3-9]\d{9}$": "13800138005",
    r"^[a-z0-9][a-z0-9_-]{0,31}$": "main",
}


@dataclass(frozen=True)
class Request:
    """`refused`: it holds something that no field takes, so the answer must be a 4xx."""

    method: str
    path: str
    place: str
    value: object
    refused: bool
    headers: dict[str, str]
    body: bytes | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path[:80]} {self.place}={str(self.value)[:40]!a}"


def requests_of(document: dict[str, Any], known: dict[str, list[str]]) -> Iterator[Request]:
    """For each operation, each of its parameters and each field of its JSON body, requests with one wild value each."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield from _Operation(document, known, method.upper(), path, operation).requests()


@dataclass
class _Operation:
    document: dict[str, Any]
    known: dict[str, list[str]]
    method: str
    path: str
    operation: dict[str, Any]

    def requests(self) -> Iterator[Request]:
        parameters = self.operation.get("parameters", [])
        body = self._sample_body()
        for parameter in parameters:
            schema = self._plain(parameter["schema"])
            for value, refused in _texts_for(schema):
                yield self._request(parameters, parameter, value, refused, body)
        if body is None:
            return
        for place, schema in self._places(self._body_schema(), ()):
            for value, refused in _values_for(schema):
                yield self._request(parameters, None, value, refused, _with(body, place, value), ".".join(place))
        for value in ("text", 10**20, [body] * 3, {**body, "\0": 1}, {**body, "more": _nested(60)}, _nested(900)):
            yield self._request(parameters, None, "another shape", True, value, "body")

    def _request(
        self,
        parameters: list[dict[str, Any]],
        wild: dict[str, Any] | None,
        value: object,
        refused: bool,
        body: Any,
        place: str | None = None,
    ) -> Request:
        path, query, headers = self.path, [], {}
        for one in parameters:
            name, where = one["name"], one["in"]
            if one is not wild and not one.get("required"):
                continue
            given = str(value) if one is wild else self._sample_parameter(one)
            if where == "path":
                # An empty or dotted segment is another address.
                path = path.replace(f"{{{name}}}", quote(given, safe="", errors="replace") or "%20")
            elif where == "query":
                query.append(f"{name}={quote(given, safe='', errors='replace')}")
            else:
                headers[name] = quote(given, safe="²")
        address = path + ("?" + "&".join(query) if query else "")
        content = None
        if body is not None:
            headers["content-type"] = "application/json"
            content = _dumped(body)
        named = place or (wild["name"] if wild is not None else "")
        return Request(self.method, address, named, value, refused, headers, content)

    def _sample_parameter(self, parameter: dict[str, Any]) -> str:
        real = self.known.get(parameter["name"])
        return real[0] if real else str(self._sample(parameter["schema"]))

    def _body_schema(self) -> dict[str, Any] | None:
        content = self.operation.get("requestBody", {}).get("content", {})
        return self._plain(content["application/json"]["schema"]) if "application/json" in content else None

    def _sample_body(self) -> Any:
        schema = self._body_schema()
        return self._sample(schema) if schema is not None else None

    def _plain(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema itself, of something optional that of the something."""
        if "$ref" in schema:
            return self._plain(self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
        for one in schema.get("anyOf", []):
            if one.get("type") != "null":
                return self._plain(one)
        return schema

    def _sample(self, schema: dict[str, Any]) -> Any:
        schema = self._plain(schema)
        if "enum" in schema:
            return schema["enum"][0]
        if "const" in schema:
            return schema["const"]
        match schema.get("type"):
            case "object":
                # Everything that there is, so that each field is one of a whole.
                return {name: self._sample(one) for name, one in schema.get("properties", {}).items()}
            case "array":
                return [self._sample(schema["items"])] if "items" in schema else []
            case "integer" | "number":
                return schema.get("minimum", 1)
            case "boolean":
                return True
        match schema.get("format"):
            case "date":
                return "2026-11-20"
            case "date-time":
                return "2026-11-20T02:00:00Z"
        return SAMPLES.get(schema.get("pattern", ""), "一段文字" * 3)[: schema.get("maxLength", 100)]

    def _places(self, schema: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
        schema = self._plain(schema)
        for name, one in schema.get("properties", {}).items():
            inner = self._plain(one)
            yield (*place, name), inner
            if inner.get("type") == "object":
                yield from self._places(inner, (*place, name))


def _texts_for(schema: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """What may stand in an address, query or header, where everything is text."""
    yield from ((text, "\0" in text) for text in (REFUSED_TEXTS[0], *TEXTS))
    kind, form = schema.get("type"), schema.get("format")
    if kind in ("integer", "number"):
        yield from ((text, True) for text in ("1" * 20, "-" + "9" * 20, "NaN", "1e30", "²", "１２³", "0x10"))
    elif form == "date":
        yield from ((day, True) for day in REFUSED_DAYS)
    elif schema.get("maxLength") == LONGEST_WRITTEN_DAY:
        yield from ((day, False) for day in (*REFUSED_DAYS, *REFUSED_MOMENTS, *MOMENTS))


def _values_for(schema: dict[str, Any]) -> Iterator[tuple[object, bool]]:
    yield from ((value, True) for value in (*REFUSED_TEXTS, *REFUSED_NUMBERS))
    yield from ((value, False) for value in (*TEXTS, *NUMBERS, *OTHERS))
    match schema.get("format"):
        case "date":
            yield from ((day, True) for day in REFUSED_DAYS)
        case "date-time":
            yield from ((moment, True) for moment in REFUSED_MOMENTS)
            yield from ((moment, False) for moment in MOMENTS)
        case _ if schema.get("maxLength") == LONGEST_WRITTEN_DAY:
            yield from ((day, False) for day in (*REFUSED_DAYS, *REFUSED_MOMENTS))


def _with(body: Any, place: tuple[str, ...], value: object) -> Any:
    if not place:
        return value
    return {**body, place[0]: _with(body.get(place[0]), place[1:], value)}


def _nested(depth: int) -> Any:
    nest: Any = []
    for _ in range(depth):
        nest = [nest]
    return nest


def _dumped(body: Any) -> bytes:
    return json.dumps(body).encode()
