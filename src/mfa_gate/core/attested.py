"""How a file carries a signature in its last line, over every byte before it; what the file says it must not know.

Where that line stands each kind of file takes it for something harmless: HTML for a comment, CSV for one more row, and
of a JSON file it is the last field. So the file is whole in itself, and there is no second one to lose.
"""

import hashlib
import re
from base64 import b64decode, b64encode
from typing import Final, Literal

import msgspec

Form = Literal["html", "csv", "json"]
_DOMAIN: Final = b"mfa_gate report 1\0"
_SAID: Final = rb"([A-Za-z0-9_.:-]{1,100}) ([A-Za-z0-9+/]{86}==)"
_LINES: Final[dict[Form, tuple[bytes, bytes]]] = {
    "html": (b"<!-- mfa-gate signature: ", b" -->\n"),
    "csv": (b"signature,", b"\r\n"),
    "json": (b'"signature": "', b'"}\n'),
}
_LAST: Final[dict[Form, re.Pattern[bytes]]] = {
    form: re.compile(re.escape(head) + _SAID + re.escape(tail)) for form, (head, tail) in _LINES.items()
}


class Attested(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says of its signature: that `key` signed `message`. Whether that is so, only the key tells."""

    form: Form
    key: str
    message: bytes
    signature: bytes


def to_sign(form: Form, body: bytes) -> bytes:
    """What is signed: no file of one form passes for one of another, and none for anything else that is signed."""
    return _DOMAIN + form.encode() + b"\0" + hashlib.sha256(body).digest()


def attested(form: Form, body: bytes, key: str, signature: bytes) -> bytes:
    """The file: `body`, which ends a line, and its last line."""
    head, tail = _LINES[form]
    return body + head + key.encode() + b" " + b64encode(signature) + tail


def read(file: bytes) -> Attested | None:
    """What the last line of a file says; None if it is none of ours."""
    begin = file.rfind(b"\n", 0, -1) + 1
    for form, line in _LAST.items():
        found = line.fullmatch(file, begin)
        if found is not None:
            key, signature = found.groups()
            return Attested(
                form=form,
                key=key.decode(),
                message=to_sign(form, file[:begin]),
                signature=b64decode(signature),
            )
    return None
