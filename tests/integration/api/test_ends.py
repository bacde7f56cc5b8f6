"""The whole API at the ends of numbers, days and texts, on both databases."""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from schemathesis import GenerationMode

from tests.integration.api.wild import Request, requests_of
from tests.integration.conftest import copied
from tests.soak.api import Api, examine, opened_api

REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/9")
SEED = 20261118
EXAMPLES = 2
# Of a whole that is too long for one test.
PARTS = 4


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The application on each database."""
    folder = tmp_path_factory.mktemp("api")
    with ExitStack() as stack:
        if request.param == "sqlite":
            address = f"sqlite:///{folder / 'api.db'}"
        else:
            address = stack.enter_context(copied(request.getfixturevalue("postgres_template"))).url
        yield stack.enter_context(opened_api(folder, address, REDIS))


def asker_of(path: str) -> str:
    return "citizen" if path.startswith("/api/v1/conversations") else "admin"


def complaint(api: Api, request: Request) -> str | None:
    """What is wrong with the answer to a request, or None."""
    try:
        answer = api.send(
            asker_of(request.path), request.method, request.path, headers=request.headers, data=request.body
        )
    except Exception as error:
        return f"{request}: {type(error).__name__}"
    status = answer.status_code
    if status >= 500:
        return f"{request}: {status}"
    if request.refused and status < 400:
        return f"{request}: taken, {status}"
    if status >= 400:
        found = answer.json()
        if answer.headers["content-type"] != "application/problem+json" or found["status"] != status:
            return f"{request}: {status} is no problem document"
    return None


@pytest.mark.parametrize("part", range(PARTS))
def test_a_wild_value_in_any_place_of_a_request_is_refused_as_a_problem_or_taken(api: Api, part: int) -> None:
    requests = list(requests_of(api.document, api.known))[part::PARTS]
    assert len(requests) > 100
    assert [found for request in requests if (found := complaint(api, request))] == []


@pytest.mark.parametrize("part", range(PARTS))
def test_no_request_drawn_from_the_document_gets_an_answer_that_it_does_not_name(api: Api, part: int) -> None:
    wrong: list[str] = []
    for number, operation in list(enumerate(api.operations))[part::PARTS]:
        for mode in GenerationMode:
            asker = asker_of(operation.path)
            wrong += examine(api, operation, mode, asker, seed=SEED + number, examples=EXAMPLES)
    assert wrong == []
