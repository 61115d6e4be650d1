"""Decides what `[roster]` holds; it must not know how a roster is read."""

import re
from typing import Final

import msgspec

from mfa_gate.settings.values import Secret, require

_CALLABLE: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


class Roster(msgspec.Struct, frozen=True, kw_only=True):
    """Where `mfa-gate users import` without a file finds the organization's people: in Python, or in a database."""

    callable: str = ""
    """`module:function`: called without arguments, it gives a mapping for each person, with the columns of the CSV
    file as keys. Whoever can change that module runs code as the gate's user."""
    url: Secret | None = None
    """A database, as SQLAlchemy names it, like `postgresql+psycopg://reader:password@host/portal`; needs the extra
    `roster`. A user who may read only the columns of the query is enough, and best."""
    query: str = ""
    """What is asked there; it gives the columns `realm, subject, name, email, groups, active`, or some of them."""

    def __post_init__(self) -> None:
        fits = not self.callable or _CALLABLE.fullmatch(self.callable)
        require(
            fits, "[roster] callable", self.callable, "write module:function, like portal.people:everybody."
        )
        pair = "url and query belong together. Write both, or neither."
        require((self.url is not None) == bool(self.query.strip()), "[roster] query", self.query, pair)
        both = "people come from one place. Take callable or url out."
        require(not self.callable or self.url is None, "[roster] callable", self.callable, both)

    @property
    def is_set(self) -> bool:
        """True if there is a place to read from."""
        return bool(self.callable or self.query)
