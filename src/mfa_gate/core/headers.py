"""Decides which headers only the gate may set; it must not know what they say.

Every one of them is removed from what the portal will see, whoever sent it and however it is spelled (CVE-2026-30851).
"""

import re
from functools import lru_cache
from itertools import product

OUR_HEADERS = frozenset(
    {
        "remote-user",
        "remote-name",
        "remote-email",
        "remote-groups",
        "x-forwarded-user",
        "x-remote-user",
        "x-auth-request-user",
    },
)
"""Names of ours beside the prefixes, folded. `MFA-Gate-Request` and `MFA-Gate-Device` are for the gate's own API and
fall under a prefix: it reads them from the request, the portal never sees them."""

_PREFIXES = ("mfa-gate-", "x-mfa-")
_NOT_ALPHANUMERIC = re.compile(r"[^a-z0-9]")
_MAX_SEPARATORS = 8
_REMEMBERED = 64
"""Characters of a name that is worth remembering."""


def fold_header(name: str) -> str:
    """The form in which all spellings of a header are one.

    WSGI makes `_` of `-`; CGI programs and some servers make it of anything that is neither letter nor digit.
    """
    return _folded_before(name) if len(name) <= _REMEMBERED else _folded(name)


def _folded(name: str) -> str:
    return _NOT_ALPHANUMERIC.sub("-", name.lower())


_folded_before = lru_cache(2_048)(_folded)
"""The same names come with every request; a client that makes up others only pushes names out of it."""


def spellings(name: str) -> frozenset[str]:
    """All ways to write the name with `-` and `_`, lower case, for one look-up in a set; ValueError past 8 of them."""
    parts = fold_header(name).split("-")
    if len(parts) - 1 > _MAX_SEPARATORS:
        raise ValueError(
            f"header name {name!r} has more than {_MAX_SEPARATORS} separators; choose a shorter one"
        )
    return frozenset(
        parts[0] + "".join(separator + part for separator, part in zip(separators, parts[1:], strict=True))
        for separators in product("-_", repeat=len(parts) - 1)
    )


OUR_SPELLINGS = frozenset(spelling for name in OUR_HEADERS for spelling in spellings(name))
"""`OUR_HEADERS` expanded: for a loop over all headers, `name in OUR_SPELLINGS or name.startswith(OUR_PREFIXES)`."""

OUR_PREFIXES = tuple(sorted(spelling for prefix in _PREFIXES for spelling in spellings(prefix)))
"""The prefixes that are ours, expanded, for `str.startswith` on a lower-case name."""


def is_ours(name: str, configured: frozenset[str]) -> bool:
    """True if only the gate may set this header. `configured`: further names, each through `fold_header`."""
    folded = fold_header(name)
    return folded in configured or is_ours_folded(folded)


def is_ours_folded(folded: str) -> bool:
    """The same of a name that went through `fold_header`, where nothing more is configured."""
    return folded in OUR_HEADERS or folded.startswith(_PREFIXES)
