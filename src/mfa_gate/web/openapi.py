"""Draws the OpenAPI 3.1 document of the JSON API from its operations and types; it must not know what they do."""

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import fields

from mfa_gate.core.messages import GateResponse
from mfa_gate.core.responses import paused, problem, unavailable
from mfa_gate.web.api_calls import Operation
from mfa_gate.web.api_schema import Problem, Proof

Json = dict[str, Any]

_JSON = "application/json"
_REF = "#/components/schemas/{name}"
_ALWAYS = (
    (400, "invalid"),
    (401, "sign_in_required"),
    (403, "not_allowed"),
    (421, "invalid"),
    (422, "invalid"),
    (503, "unavailable"),
)
_CHANGING = ((413, "invalid"), (415, "invalid"))
_DESCRIPTION = """\
The gate's second step without a browser: set up, verify, administer.

**Who asks.** Every request carries whatever proves the first step to the portal, as it would at the portal itself,
and once there is one, the gate's session cookie, or the token of a registered client in `MFA-Gate-Device`.

**Changes** need `Content-Type: application/json`, and either an `Origin` (or `Sec-Fetch-Site`) that says
*same origin*, or, where no `Origin` is sent, the header `MFA-Gate-Request: 1`. Bodies have at most 64 KB (a roster,
which is `text/csv` and says its length, 64 MB). A field
that is unknown, or that comes twice, is refused. A code is a string.

**Errors** are problems of RFC 9457. Go by `code`. After a 503 the outcome is unknown: read `status`, then try again;
a code that was spent stays spent.

All times are UTC seconds. Clients must not mind members that are not described here."""
_EXAMPLES: dict[str, GateResponse] = {
    "invalid": problem(
        422, "invalid", "Mend the request: code.", errors={"code": "Expected `str`, got `int`."}
    ),
    "sign_in_required": problem(401, "sign_in_required", "Sign in to the portal first."),
    "two_step_setup_required": problem(
        401,
        "two_step_setup_required",
        "This needs two-step authentication. Set it up first.",
        setup_url="https://portal.example/mfa/setup",
    ),
    "two_step_code_required": problem(
        401,
        "two_step_code_required",
        "Confirm that it is you with a fresh code.",
        factors=["totp"],
        max_age=300,
    ),
    "code_rejected": problem(401, "code_rejected", "The code was not accepted."),
    "not_allowed": problem(403, "not_allowed", "This is not open to this account."),
    "not_found": problem(404, "not_found", "There is nothing of that name, or not any more."),
    "conflict": problem(409, "conflict", "Somebody else changed it first. Read it again."),
    "paused": paused(60, 0),
    "unavailable": unavailable(),
}


@lru_cache(maxsize=8)
def document(operations: tuple[Operation[Any], ...], server: str, cookie_name: str) -> bytes:
    """The document as JSON. `server` is the address under which the API stands."""
    types = {each.takes for each in operations}
    types |= {each.answers for each in operations if not each.media or _JSON in each.media}
    types |= {Problem, Proof}
    _, schemas = msgspec.json.schema_components(
        sorted(types, key=lambda each: each.__name__), ref_template=_REF
    )
    paths: dict[str, Json] = {}
    for operation in operations:
        if choices := operation.takes.exactly_one:
            schemas[operation.takes.__name__]["oneOf"] = [{"required": [choice]} for choice in choices]
        if together := operation.takes.together:
            schemas[operation.takes.__name__]["dependentRequired"] = {
                name: [other for other in together if other != name] for name in together
            }
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "mfa_gate", "version": "1", "description": _DESCRIPTION},
            "servers": [{"url": server}],
            "security": [{"portal": [], "session": []}, {"portal": [], "device": []}, {"portal": []}],
            "tags": [{"name": "self"}, {"name": "administration"}],
            "paths": paths,
            "components": {
                "schemas": schemas,
                "examples": {code: {"value": _value(said)} for code, said in _EXAMPLES.items()},
                "securitySchemes": {
                    "portal": {
                        "type": "apiKey",
                        "in": "cookie",
                        "name": "session",
                        "description": "Whatever names the visitor to the portal: its own session cookie, whose name "
                        "the portal chooses, or what a proxy in front of it adds.",
                    },
                    "session": {
                        "type": "apiKey",
                        "in": "cookie",
                        "name": cookie_name,
                        "description": "The gate's session, as `verify` and `totp/confirm` set it.",
                    },
                    "device": {
                        "type": "apiKey",
                        "in": "header",
                        "name": "MFA-Gate-Device",
                        "description": "The token of a registered client, as `POST devices` told it.",
                    },
                },
            },
        }
    )


def _operation(operation: Operation[Any], schemas: Json) -> Json:
    usual = (*_ALWAYS, *_CHANGING) if operation.takes_body else _ALWAYS
    drawn: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": ["administration" if operation.path.startswith("/admin/") else "self"],
        "parameters": [*_path_parameters(operation.path)],
        "responses": {"200": _success(operation), **_problems({*usual, *operation.refuses})},
    }
    if operation.changes:
        drawn["parameters"].append(_REQUEST_HEADER)
    if operation.takes_body:
        drawn["requestBody"] = {"required": True, "content": _content(operation)}
    else:
        drawn["parameters"] += _query_parameters(operation, schemas)
    return drawn


def _content(operation: Operation[Any]) -> Json:
    if operation.file:
        return {operation.file: {"schema": {"type": "string"}}}
    return {
        "application/json": {
            "schema": {"$ref": _REF.format(name=operation.takes.__name__)},
            "examples": {operation.name: {"value": msgspec.to_builtins(operation.example)}},
        }
    }


_REQUEST_HEADER: Json = {
    "name": "MFA-Gate-Request",
    "in": "header",
    "description": "`1`; needed where no `Origin` is sent.",
    "schema": {"type": "string"},
    "example": "1",
}


_NAMED: dict[str, tuple[str, str]] = {
    "id": ("The account's id, as the list of people has it.", "^[0-9a-f]{32}$"),
    "device": ("The device's id, as the list of devices has it.", "^[0-9a-f]{32}$"),
    "job": ("What `POST /admin/reminders` answered.", "^[0-9a-f]{16}$"),
}
"""What may stand in a path: what it is, and its form."""


def _path_parameters(path: str) -> Iterable[Json]:
    for name, (description, pattern) in _NAMED.items():
        if f"{{{name}}}" in path:
            yield {
                "name": name,
                "in": "path",
                "required": True,
                "description": description,
                "schema": {"type": "string", "pattern": pattern},
            }


def _query_parameters(operation: Operation[Any], schemas: Json) -> Iterable[Json]:
    described = schemas[operation.takes.__name__]["properties"]
    for field in fields(operation.takes):
        yield {
            "name": field.encode_name,
            "in": "query",
            "required": field.required,
            "schema": described[field.encode_name],
        }


def _success(operation: Operation[Any]) -> Json:
    drawn: Json = {
        "description": (operation.answers.__doc__ or "").strip(),
        "content": {
            kind: {
                "schema": {"$ref": _REF.format(name=operation.answers.__name__)}
                if kind == _JSON
                else {"type": "string"}
            }
            for kind in operation.media or (_JSON,)
        },
    }
    if any(field.type is Proof for field in fields(operation.answers)):
        drawn["headers"] = {
            "Set-Cookie": {"description": "The session's cookie.", "schema": {"type": "string"}}
        }
    return drawn


def _problems(refuses: Collection[tuple[int, str]]) -> dict[str, Json]:
    drawn: dict[str, Json] = {}
    for status in sorted({status for status, _ in refuses}):
        codes = sorted(code for each, code in refuses if each == status)
        drawn[str(status)] = {
            "description": "; ".join(f"`{code}`" for code in codes),
            "content": {
                "application/problem+json": {
                    "schema": {"$ref": _REF.format(name="Problem")},
                    "examples": {code: {"$ref": f"#/components/examples/{code}"} for code in codes},
                }
            },
        }
        if status in {429, 503}:
            drawn[str(status)]["headers"] = {
                "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string"}}
            }
    return drawn


def _value(said: GateResponse) -> object:
    return msgspec.json.decode(said.body)
