"""Decides whether what a client sent is what an API call takes, and names every field that is not; it knows no call."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec.structs import FieldInfo, fields

from mfa_gate.core.messages import GateRequest, GateResponse, printable
from mfa_gate.core.responses import problem
from mfa_gate.web.api_schema import Taken
from mfa_gate.web.uploads import MOST

MAX_BYTES = 64 * 1024
MAX_FIELDS = 32
_TOLD = 20
"""Faults that are told at once; nobody mends more."""

T = TypeVar("T", bound=Taken)


def acceptable(request: GateRequest) -> GateResponse | None:
    """What speaks against reading this request's body at all, by its headers alone."""
    kinds = [value.partition(";")[0].strip().lower() for value in request.values("content-type")]
    if kinds != ["application/json"] or request.values("content-encoding"):
        return problem(415, "invalid", "Send JSON, plain, with `Content-Type: application/json`.")
    for length in request.values("content-length"):
        if not (length.isascii() and length.isdigit()):
            return problem(400, "invalid", "The length of the body is not a number.")
        if len(length) > 9 or int(length) > MAX_BYTES:
            return too_large()
    return None


def acceptable_file(request: GateRequest, kind: str) -> GateResponse | None:
    """What speaks against reading a file of this kind, by its headers alone.

    # Security: its length has to be said, or a file that was cut short on the way would be taken for the whole.
    """
    kinds = [value.partition(";")[0].strip().lower() for value in request.values("content-type")]
    if kinds != [kind] or request.values("content-encoding"):
        return problem(415, "invalid", f"Send a file, plain, with `Content-Type: {kind}`.")
    lengths = request.values("content-length")
    if not lengths:
        return problem(411, "invalid", "Send `Content-Length`.")
    if len(lengths) > 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
        return problem(400, "invalid", "The length of the body is not a number.")
    if len(lengths[0]) > 9 or int(lengths[0]) > MOST:
        return problem(413, "invalid", f"The file is larger than {MOST} bytes.")
    return None


def too_large() -> GateResponse:
    """413: more than any call takes."""
    return problem(413, "invalid", f"The body is larger than {MAX_BYTES} bytes.")


async def read_body(stream: AsyncIterator[bytes]) -> bytes | None:
    """The body; None as soon as it is larger than 64 KB, and the rest is left alone."""
    body = bytearray()
    async for chunk in stream:
        body += chunk
        if len(body) > MAX_BYTES:
            return None
    return bytes(body)


def decode_body(body: bytes, takes: type[T]) -> T | GateResponse:
    """The body as `takes`, or 400 where it is no JSON, 422 with `errors` where it is not the right one.

    Types are taken strictly: a code is a string, or leading zeros would be lost. An empty body is an empty object.
    """
    body = body or b"{}"
    try:
        sent = _typed(body, takes)
        if isinstance(sent, dict):
            return _mend(sent)
        faults = _twice(body) or _choices(sent)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return problem(400, "invalid", f"The body is not JSON: {printable(str(error))}.")
    except RecursionError:
        return problem(400, "invalid", "The body is nested too deep.")
    return _mend(faults) if faults else sent


def decode_query(query: str, takes: type[T]) -> T | GateResponse:
    """The fields of an address as `takes`, under the same rules; numbers are read from their digits."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        return problem(400, "invalid", "The query cannot be read: percent-encode it, in UTF-8.")
    sent = dict(pairs)
    if len(sent) < len(pairs):
        names = [name for name, _ in pairs]
        return _mend({printable(n, 60): "This field comes twice." for n in sent if names.count(n) > 1})
    try:
        return msgspec.convert(sent, takes, strict=False)
    except msgspec.ValidationError:
        return _mend(_faults(sent, takes, strict=False))


def _mend(errors: Mapping[str, str]) -> GateResponse:
    named = ", ".join(errors)
    detail = f"Mend the request: {named}." if errors else "The body must be a JSON object."
    return problem(422, "invalid", detail, errors=errors or None)


def _typed(body: bytes, takes: type[T]) -> T | dict[str, str]:
    """The body as `takes`, or what is wrong with it. Raises what msgspec raises for something that is not JSON."""
    try:
        return msgspec.json.decode(body, type=takes)
    except msgspec.ValidationError:
        sent = _with_whole_numbers(msgspec.json.decode(body))
    try:
        return msgspec.convert(sent, takes)
    except msgspec.ValidationError:
        return _faults(sent, takes, strict=True)


def _with_whole_numbers(sent: object) -> object:
    """The same with `5.0` as 5, which is one number in JSON (RFC 8259 §6) and an integer in its schemas."""
    match sent:
        case dict():
            return {name: _with_whole_numbers(value) for name, value in sent.items()}
        case list():
            return [_with_whole_numbers(value) for value in sent]
        case float() if sent.is_integer() and abs(sent) < 2**53:
            return int(sent)
        case _:
            return sent


def _faults(sent: object, takes: type[Taken], *, strict: bool) -> dict[str, str]:
    """Every field that is missing, unknown or wrong, with what is expected of it."""
    if not isinstance(sent, dict):
        return {}
    known = {field.encode_name: field for field in fields(takes)}
    found = {printable(name, 60): "There is no such field." for name in sent if name not in known}
    for name, field in known.items():
        found.update(_faults_of(field, sent, strict=strict) if name in sent else _missing(field))
    return dict(list(found.items())[:_TOLD])


def _missing(field: FieldInfo) -> dict[str, str]:
    return {field.encode_name: "This field is missing."} if field.required else {}


def _faults_of(field: FieldInfo, sent: Mapping[str, object], *, strict: bool) -> Iterator[tuple[str, str]]:
    try:
        msgspec.convert(sent[field.encode_name], field.type, strict=strict)
    except msgspec.ValidationError as error:
        text, _, place = str(error).partition(" - at `$")
        yield f"{field.encode_name}{place.removesuffix('`')}", f"{printable(text)}."


def _choices(sent: Taken) -> dict[str, str]:
    """What is wrong where one of several fields has to be there, and one alone."""
    names = sent.exactly_one
    there = [name for name in names if getattr(sent, name) is not msgspec.UNSET]
    if not names or len(there) == 1:
        return {}
    return {names[0]: f"Send one of {' and '.join(f'`{name}`' for name in names)}."}


def _twice(body: bytes) -> dict[str, str]:
    """The names that an object in `body` has twice: readers differ in which of the two they take (RFC 8259 §4)."""
    twice: dict[str, str] = {}

    def note(pairs: list[tuple[str, object]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                twice[name] = "This field comes twice."
            seen.add(name)

    json.loads(body, object_pairs_hook=note)
    return twice
