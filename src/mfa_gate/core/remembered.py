"""Browsers in which no code is asked for at sign-in: when one counts, how its token changes, what a copy looks like.

Pure. A browser holds an id and a token. Each use exchanges the token; the one before counts for a little while longer,
since tabs ask at the same time and an answer may be lost, and is answered with the same new one. Whoever shows an older
one has a copy, or is who was copied: the browser is forgotten, and its owner is told. It knows no cookie.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import msgspec
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, FactorKind, RememberedBrowser
from mfa_gate.core.assurance import SKEW_SECONDS
from mfa_gate.core.browsers import known_browser
from mfa_gate.core.events import Actor, Audience, Event
from mfa_gate.core.places import came_from
from mfa_gate.core.policy import Policy, allowed_factors
from mfa_gate.core.transitions import event

GRACE_SECONDS: Final = 60
"""How long the token before counts on after it was exchanged."""
CAP: Final = 10
"""Browsers of one account; the one that was remembered first gives way."""
BROWSER_ID_BYTES: Final = 16
TOKEN_BYTES: Final = 32
SALT_BYTES: Final = 16
_SHOWN: Final = re.compile(r"([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})", re.ASCII)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a browser holds: which one it is, and the token that it got last."""

    id: bytes
    token: bytes

    @property
    def text(self) -> str:
        """The same as the value of a cookie."""
        return f"{_encoded(self.id)}.{_encoded(self.token)}"

    @classmethod
    def read(cls, text: str) -> "Held | None":
        """What a cookie's value says; None for anything that is not exactly `text`."""
        found = _SHOWN.fullmatch(text)
        if found is None:
            return None
        held = cls(id=_decoded(found[1]), token=_decoded(found[2]))
        # Security: base64 has several spellings of the same bytes; only ours counts.
        return held if held.text == text else None


class Recognized(msgspec.Struct, frozen=True, kw_only=True):
    """The browser is the one that was remembered. `held` is what it holds from now on."""

    account: Account
    events: tuple[Event, ...]
    browser: RememberedBrowser
    held: Held


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """A token was shown that was exchanged long ago. The browser is forgotten in `account`."""

    account: Account
    events: tuple[Event, ...]
    browser: RememberedBrowser


def factors_mark(account: Account) -> bytes:
    """Another one after every change of the factors that somebody has."""
    named = "\0".join(sorted(totp.id for totp in account.totps if not totp.strikes.disabled))
    return hashlib.sha256(named.encode()).digest()[:16]


def trusted_until(browser: RememberedBrowser, policy: Policy) -> int:
    """When a browser is forgotten, by its own end or the policy's. Using it moves neither."""
    return min(browser.until, browser.remembered_at + policy.remember_seconds)


def is_trusted(browser: RememberedBrowser, account: Account, policy: Policy, now: int) -> bool:
    """True while a browser of this account counts.

    # Security: judged against account and policy of now, so that whatever changes either ends it without a write; and a
    clock that is set back lengthens nothing.
    """
    return (
        policy.remember_seconds > 0
        and account.active
        and browser.epoch == account.epoch
        and browser.factors == factors_mark(account)
        and browser.factor in allowed_factors(account, policy)
        and browser.remembered_at > policy.fresh_start_at
        and browser.remembered_at >= policy.forget_before
        and browser.remembered_at - SKEW_SECONDS <= now < trusted_until(browser, policy)
    )


def trusted(account: Account, policy: Policy, now: int) -> tuple[RememberedBrowser, ...]:
    """The browsers that count, in the order in which they were remembered."""
    return tuple(each for each in account.remembered if is_trusted(each, account, policy, now))


def remembers(account: Account, policy: Policy, held: Held | None, now: int) -> bool:
    """True if the browser that holds this is one of those that count, whatever its token says."""
    return held is not None and any(each.id == held.id for each in trusted(account, policy, now))


def remembered(
    account: Account,
    policy: Policy,
    fresh: Held,
    factor: FactorKind,
    *,
    instead_of: Held | None,
    actor: Actor,
    user_agent: str,
    now: int,
) -> tuple[Account, tuple[Event, ...]]:
    """The account with one browser more, in which `factor` was confirmed just now, in place of what it held before."""
    browser = RememberedBrowser(
        id=fresh.id,
        token_hash=_hash(fresh.token),
        factor=factor,
        factors=factors_mark(account),
        epoch=account.epoch,
        remembered_at=now,
        until=now + policy.remember_seconds,
        used_at=now,
        name=known_browser(user_agent),
        address=actor.address,
    )
    others = [
        each
        for each in trusted(account, policy, now)
        if instead_of is None or not hmac.compare_digest(each.id, instead_of.id)
    ]
    after = replace(account, remembered=(*others, browser)[-CAP:])
    said = event(after, "browser_remembered", actor, now, ("owner",), until=browser.until, **_named(browser))
    return after, (said,)


def recognize(
    account: Account, policy: Policy, shown: Held, *, salt: bytes, actor: Actor, user_agent: str, now: int
) -> Recognized | Copied | None:
    """Judge what a browser shows; None: it is none of this account's that counts.

    `salt` makes the next token of the one that is shown, so that whoever asks twice is given the same one.
    """
    browser = next(
        (each for each in trusted(account, policy, now) if hmac.compare_digest(each.id, shown.id)), None
    )
    if browser is None:
        return None
    hashed = _hash(shown.token)
    if hmac.compare_digest(hashed, browser.token_hash):
        held = _next(shown, salt)
        used = replace(
            browser,
            token_hash=_hash(held.token),
            former_hash=hashed,
            salt=salt,
            rotated_at=now,
            used_at=now,
            address=actor.address,
        )
    elif hmac.compare_digest(hashed, browser.former_hash) and _in_grace(browser, now):
        held, used = _next(shown, browser.salt), replace(browser, used_at=now)
    else:
        after, _ = _without(account, (browser,))
        told = event(after, "browser_copied", actor, now, ("owner",), **_named(browser))
        return Copied(account=after, events=(told,), browser=browser)
    kept = tuple(used if each.id == used.id else each for each in trusted(account, policy, now))
    after, elsewhere = came_from(replace(account, remembered=kept), actor, user_agent, now)
    # A cookie that came along to where nobody ever was is worth a letter, whatever it shows.
    told = event(after, "browser_recognized", actor, now, ("owner",) if elsewhere else (), **_named(browser))
    return Recognized(account=after, events=(told,), browser=used, held=held)


def forgotten(
    account: Account, browsers: tuple[RememberedBrowser, ...], actor: Actor, now: int, *, reason: str = ""
) -> tuple[Account, tuple[Event, ...]]:
    """The account without these browsers. `reason`: somebody else did it, and says why; the owner is told."""
    after, gone = _without(account, browsers)
    if not gone:
        return account, ()
    said = {"reason": reason} if reason else {}
    notify: tuple[Audience, ...] = ("owner",) if reason else ()
    return after, (event(after, "browser_forgotten", actor, now, notify, number=gone, **said),)


def _without(account: Account, browsers: tuple[RememberedBrowser, ...]) -> tuple[Account, int]:
    ids = {each.id for each in browsers}
    kept = tuple(each for each in account.remembered if each.id not in ids)
    return replace(account, remembered=kept), len(account.remembered) - len(kept)


def _named(browser: RememberedBrowser) -> dict[str, str]:
    return {"browser": browser.name} if browser.name else {}


def _in_grace(browser: RememberedBrowser, now: int) -> bool:
    return -SKEW_SECONDS <= now - browser.rotated_at <= GRACE_SECONDS


def _next(shown: Held, salt: bytes) -> Held:
    """The token after this one. Who has only the store lacks the token, who has only the token lacks the salt."""
    return replace(shown, token=hmac.new(shown.token, salt, hashlib.sha256).digest())


def _hash(token: bytes) -> bytes:
    # 256 random bits need neither salt nor time.
    return hashlib.sha256(token).digest()


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
