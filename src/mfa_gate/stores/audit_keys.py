"""Decides which of the gate's audit keys made a link of the trail; it does not know where trails are kept."""

import hmac
from collections.abc import Iterator


def next_link(key: bytes, previous: bytes, record: bytes) -> bytes:
    """`core.events.link` over the bytes that were written.

    Decoding and encoding them again would break every old chain as soon as an event gets a new field.
    """
    return hmac.digest(key, previous + record, "sha256")


class AuditKeys:
    """The keys that chain events, oldest first; the last one makes new links, and any of them may have made an old one.

    No link says which: it is tried. A thief of an old key gains nothing by that: every chain ends in a sealed head.
    """

    __slots__ = ("_secrets",)

    def __init__(self, *secrets: bytes) -> None:
        self._secrets = secrets

    @classmethod
    def of(cls, key: "bytes | AuditKeys") -> "AuditKeys":
        """Itself, or the one key."""
        return key if isinstance(key, AuditKeys) else cls(key)

    def renew(self, *secrets: bytes) -> None:
        """Use these keys from now on."""
        self._secrets = secrets

    @property
    def newest(self) -> bytes:
        """The key that new links are made with."""
        return self._secrets[-1]

    def maker_of(
        self, previous: bytes, record: bytes, link: bytes, likely: bytes | None = None
    ) -> bytes | None:
        """The key that made this link, which is most often the `likely` one; None if none of ours did."""
        if likely is not None and next_link(likely, previous, record) == link:
            return likely
        return next((key for key in self._secrets if next_link(key, previous, record) == link), None)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._secrets)
