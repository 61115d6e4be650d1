"""Decides whether what a browser sent is a form, read within bounds; it must not know what the form is for."""

from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Literal
from urllib.parse import parse_qsl

from msgspec import Struct

from mfa_gate.core.messages import GateRequest

MAX_BYTES = 64 * 1024
MAX_FIELDS = 64
"""A tick for everybody on a page of the list, and what else stands there."""


class Form(Struct, frozen=True):
    """The fields of one form, each sent once."""

    fields: Mapping[str, str]

    def get(self, name: str) -> str:
        """What was typed into a field; empty if it was not sent."""
        return self.fields.get(name, "")


class Unreadable(Struct, frozen=True):
    """Not one of our forms; nothing of it is looked at."""

    status: Literal[400, 413, 415]


Sent = Form | Unreadable
NOTHING = Form(MappingProxyType({}))


async def read_form(request: GateRequest, stream: AsyncIterator[bytes]) -> Sent:
    """The form in a request's body; `stream` is read up to 64 KB and left alone where its size or type is wrong."""
    kinds = [value.partition(";")[0].strip().lower() for value in request.values("content-type")]
    if kinds != ["application/x-www-form-urlencoded"] or request.values("content-encoding"):
        return Unreadable(415)
    for length in request.values("content-length"):
        if not (length.isascii() and length.isdigit()):
            return Unreadable(400)
        if len(length) > 9 or int(length) > MAX_BYTES:
            return Unreadable(413)
    body = bytearray()
    async for chunk in stream:
        body += chunk
        if len(body) > MAX_BYTES:
            return Unreadable(413)
    return parse_form(bytes(body))


def parse_form(body: bytes) -> Sent:
    """The fields of an urlencoded body in UTF-8. A field that comes twice has no meaning: nobody may choose one."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError:
        return Unreadable(400)
    fields = dict(pairs)
    return Form(MappingProxyType(fields)) if len(fields) == len(pairs) else Unreadable(400)


def parse_query(query: str) -> Mapping[str, str]:
    """The fields of an address's query that occur once; the others, and what cannot be read, are left out."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        return {}
    names = [name for name, _ in pairs]
    return {name: value for name, value in pairs if names.count(name) == 1}
