"""What the API answers of browsers that are remembered, as typed values; the companion of `api_schema.py`."""

from typing import Annotated, Self, TypeAlias

from msgspec import Meta, Struct

from mfa_gate.core.accounts import RememberedBrowser
from mfa_gate.core.policy import Policy
from mfa_gate.core.remembered import Held, trusted_until

Handle: TypeAlias = Annotated[str, Meta(max_length=64)]


class BrowserNow(Struct, frozen=True, kw_only=True):
    """A browser that is remembered. `id` names it, and opens nothing; `current`: this very one."""

    id: str
    name: Annotated[str, Meta(description="Such as `Firefox on Linux`; empty where it is none that we know.")]
    address: Annotated[str, Meta(description="From where it was used last.")]
    remembered_at: int
    used_at: int
    until: int
    current: bool = False

    @classmethod
    def of(cls, browser: RememberedBrowser, policy: Policy, held: Held | None) -> Self:
        """The browser as it is told."""
        return cls(
            id=browser.handle,
            name=browser.name,
            address=browser.address,
            remembered_at=browser.remembered_at,
            used_at=browser.used_at,
            until=trusted_until(browser, policy),
            current=held is not None and held.id == browser.id,
        )


class Browsers(Struct, frozen=True, kw_only=True):
    """One's own browsers that are remembered, the newest first."""

    browsers: tuple[BrowserNow, ...]


class BrowsersForgotten(Struct, frozen=True, kw_only=True):
    """How many browsers are not remembered any more."""

    forgotten: int
