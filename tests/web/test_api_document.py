"""The OpenAPI document says what the API does: its examples hold, and whatever fits it is answered as it says."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.types import ASGIApp, Receive, Scope, Send

from mfa_gate.core.responses import TITLES
from mfa_gate.web.api import OPERATIONS
from mfa_gate.web.api_calls import Operation
from mfa_gate.web.api_schema import GiveCode, Nothing
from tests.web.api_client import API, ApiClient, enrolled
from tests.web.house import House

Json = dict[str, Any]


@pytest.fixture
def document(house: House) -> Json:
    """The document, as anybody reads it."""
    answer = ApiClient(house, None).get("openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    read: Json = answer.json()
    return read


def test_the_document_names_every_call_and_where_it_stands(document: Json) -> None:
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": "http://localhost:8000/mfa/api/v1"}]
    calls = {f"{method.upper()} {path}" for path, table in document["paths"].items() for method in table}
    assert calls == {
        "GET /status",
        "POST /totp",
        "POST /totp/confirm",
        "POST /verify",
        "POST /verify/browser",
        "GET /browsers",
        "POST /browsers/forget",
        "POST /devices",
        "GET /devices",
        "DELETE /devices/{device}",
        "GET /admin/policy",
        "PATCH /admin/policy",
        "GET /admin/policy/versions",
        "GET /admin/policy/impact",
        "POST /admin/policy/impact/export",
        "GET /admin/users",
        "GET /admin/users/{id}",
        "POST /admin/users/{id}/reset",
        "POST /admin/users/{id}/sign-out",
        "POST /admin/users/{id}/forget-browsers",
        "POST /admin/users/{id}/remove-device",
        "POST /admin/users/{id}/exemption",
        "POST /admin/users/{id}/exemption/end",
        "GET /admin/audit",
        "POST /admin/audit/export",
        "POST /admin/users/export",
        "GET /admin/roster",
        "POST /admin/roster/offers",
        "POST /admin/roster",
        "POST /admin/reminders",
        "GET /admin/reminders",
        "GET /admin/reminders/{job}",
        "GET /admin/report",
        "GET /admin/reminders/{job}/results",
    }
    assert document["components"]["securitySchemes"]["session"]["name"] == "mfa_gate"


def test_every_problem_has_an_example_that_fits_its_schema(document: Json) -> None:
    examples = document["components"]["examples"]
    assert set(examples) == set(TITLES)
    fits = jsonschema_rs.validator_for({**document["components"]["schemas"]["Problem"]})
    for code, example in examples.items():
        assert example["value"]["code"] == code
        fits.validate(example["value"])


def test_every_body_has_an_example_that_fits_its_schema(document: Json) -> None:
    bodies = [
        operation["requestBody"]["content"]["application/json"]
        for table in document["paths"].values()
        for operation in table.values()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    ]
    assert len(bodies) == 18
    for body in bodies:
        schema = {**body["schema"], "components": document["components"]}
        fits = jsonschema_rs.validator_for(schema)
        for example in body["examples"].values():
            fits.validate(example["value"])


def test_the_document_is_the_same_for_everybody_and_names_no_host_that_was_asked(house: House) -> None:
    asked = ApiClient(house, None).send("GET", "openapi.json", headers={"Host": "evil.example"})
    assert "evil" not in asked.text
    assert asked.json() == enrolled(house, "root").get("openapi.json").json()
    assert ApiClient(house, None).send("POST", "openapi.json").status_code == 405


def test_bodies_say_that_nothing_else_is_taken(document: Json) -> None:
    schemas = document["components"]["schemas"]
    for name in (
        "StartTotp",
        "ConfirmTotp",
        "GiveCode",
        "ChangePolicy",
        "ExportList",
        "GiveReason",
        "EndSessions",
        "GiveExemption",
        "ExportTrail",
        "SendReminders",
        "ReminderFilter",
    ):
        assert schemas[name]["additionalProperties"] is False
    assert set(schemas["GiveCode"]["required"]) == set(GiveCode.__struct_fields__)


class _FromHome:
    """The app as a proxy on this machine reaches it, under the portal's own host."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [each for each in scope["headers"] if each[0] != b"host"]
        home = [*headers, (b"host", b"localhost:8000")]
        await self._app({**scope, "client": ("127.0.0.1", 50_000), "headers": home}, receive, send)


@pytest.fixture(scope="module")
def visited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiClient]:
    """An administrator, verified, among a few people."""
    house = House(tmp_path_factory.mktemp("visited"), mail={"dir": "mail"})
    enrolled(house, "alice")
    yield enrolled(house, "root")
    house.close()


@pytest.fixture(scope="module")
def drawn(visited: ApiClient) -> Any:  # noqa: ANN401 - the library's own types say no more
    """The document, read by a tool that makes requests of it."""
    config = schemathesis.Config.from_dict({"generation": {"with-security-parameters": False}})
    app = _FromHome(visited.house.app)
    return schemathesis.openapi.from_asgi(f"{API}/openapi.json", app, config=config)


SENT = [
    pytest.param(each, mode, id=f"{each.name}-{mode.value}")
    for each in OPERATIONS
    for mode in GenerationMode
    # Where nothing is taken, nothing can be wrong.
    if mode is GenerationMode.POSITIVE or each.takes is not Nothing or "{" in each.path
]


@pytest.mark.parametrize(("operation", "mode"), SENT)
def test_whatever_is_sent_is_answered_as_the_document_says(
    drawn: Any,  # noqa: ANN401
    visited: ApiClient,
    operation: Operation[Any],
    mode: GenerationMode,
) -> None:
    cookies = {cookie.name: cookie.value for cookie in visited.client.cookies.jar}
    headers = {"X-Portal-User": "root", "Origin": visited.house.home}
    seen: list[int] = []

    @given(case=drawn[operation.path][operation.method].as_strategy(generation_mode=mode))
    @settings(
        max_examples=20,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def send(case: Any) -> None:  # noqa: ANN401
        if isinstance(case.body, dict):
            # To JSON Schema 3.0 is an integer; here a version is written as it was read, and a moment as others are.
            assume(not any(isinstance(case.body.get(name), float) for name in ("version", "since", "until")))
        if mode is GenerationMode.POSITIVE and operation.name == "list_users":
            # A cursor is what another page has told; none can be made up from a schema.
            case.query.pop("after", None)
        response = case.call(headers=headers, cookies=cookies)
        # No schema says what a CSV file may hold; `test_api_roster.py` does.
        case.validate_response(response, excluded_checks=[positive_data_acceptance] if operation.file else [])
        seen.append(response.status_code)

    send()
    assert seen
