"""Judging a code against one account, and the session that a right one opens; it commits nothing.

Shared by everything that takes a code, so that pages, API and administration spend from one budget.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from msgspec.structs import replace

from mfa_gate.core.accounts import Account, FactorKind, Means, RememberedBrowser
from mfa_gate.core.assurance import acr_for, amr_for
from mfa_gate.core.devices import DeviceToken, counts, named
from mfa_gate.core.errors import RecordCorrupt
from mfa_gate.core.policy import Policy
from mfa_gate.core.remembered import BROWSER_ID_BYTES, TOKEN_BYTES, Held, trusted_until
from mfa_gate.core.sessions import Session, is_live, is_open, sign_in_of
from mfa_gate.core.transitions import (
    Attempt,
    Rejected,
    Step,
    try_recovery_code,
    try_setup_code,
    try_totp,
)
from mfa_gate.factors import recovery, totp
from mfa_gate.factors.peppers import Peppers
from mfa_gate.flows.checking import session_key
from mfa_gate.flows.results import Opened
from mfa_gate.flows.visitor import Visitor
from mfa_gate.ports import Change
from mfa_gate.signing import SessionCookie

LONGEST_CODE = 64
ID_BYTES = 32
FACTORS: Mapping[str, FactorKind] = MappingProxyType({"totp": "totp", "recovery_code": "recovery_code"})
"""What a client may name as the factor of a code."""


class CodeDesk:
    """Makes and judges codes. `random(n)` gives n bytes of cryptographic quality; `pepper` keys what is stored.

    `hold_clock` returns if this machine's clock can be believed, and else raises `StoreUnavailable`.
    """

    def __init__(
        self,
        *,
        pepper: Peppers | bytes,
        random: Callable[[int], bytes],
        hold_clock: Callable[[], None] = lambda: None,
    ) -> None:
        self._peppers = Peppers.of(pepper)
        self._random = random
        self.hold_clock = hold_clock

    def judge(
        self, account: Account, factor: FactorKind, code: str, attempt: Attempt, policy: Policy
    ) -> Step:
        """What this code does to the account. A malformed one counts like a wrong one (D05).

        Raises `StoreUnavailable` for a code that depends on a clock which cannot be believed (J13).
        """
        if is_no_code(code):
            return Step(account=account, events=(), result=Rejected())
        if factor == "totp":
            self.hold_clock()
            digits = totp.normalize_code(code)
            floor = totp.latest_step(policy.fresh_start_at)

            def step_of(secret: bytes) -> int | None:
                step = None if digits is None else totp.matching_step(secret, digits, attempt.now)
                # Security: which codes were spent until then is forgotten, so that none of them may count again.
                return step if step is not None and step > floor else None

            return try_totp(account, step_of, attempt)
        typed = recovery.normalize(code)
        return try_recovery_code(
            account,
            lambda hashes: None if typed is None else self._peppers.find(hashes, typed, account.id),
            attempt,
        )

    def judge_setup_code(self, account: Account, code: str, attempt: Attempt) -> Step:
        """What an administrator's setup code does to the account; a right one changes nothing yet."""
        if is_no_code(code):
            return Step(account=account, events=(), result=Rejected())
        typed = recovery.normalize(code)
        name = _setup_name(account.id)
        return try_setup_code(
            account,
            lambda kept: typed is not None and self._peppers.find((kept,), typed, name) is not None,
            attempt,
        )

    def new_recovery_codes(self, account_id: str) -> tuple[tuple[str, ...], tuple[bytes, ...]]:
        """Ten codes to show once, and their hashes to keep."""
        codes = recovery.new_codes(self._random)
        return codes, tuple(self._peppers.hash_code(code, account_id) for code in codes)

    def new_setup_code(self, account_id: str) -> tuple[str, bytes]:
        """A setup code of 80 bits to show once, and its hash to keep."""
        code = recovery.new_codes(self._random)[0]
        return code, self._peppers.hash_code(code, _setup_name(account_id))

    def is_token(self, stored: bytes, token: DeviceToken) -> bool:
        """Whether a stored hash is that of this token."""
        return self._peppers.find((stored,), token.secret, token.hashed_as) is not None

    def new_token(self, account_id: str) -> tuple[DeviceToken, bytes]:
        """A device's token to show once, and its hash to keep."""
        token = DeviceToken.new(account_id, self._random)
        return token, self._peppers.hash_code(token.secret, token.hashed_as)

    def new_secret(self) -> bytes:
        """A secret for an authenticator app."""
        return totp.new_secret(self._random)

    def new_browser(self) -> Held:
        """What a browser is to hold that is remembered from now on."""
        return Held(id=self._random(BROWSER_ID_BYTES), token=self._random(TOKEN_BYTES))

    def new_id(self, size: int = ID_BYTES) -> str:
        """A random id of `size` bytes in hex."""
        return self._random(size).hex()


def _setup_name(account_id: str) -> str:
    # Security: hashed under another name than the account's, so that neither kind of code passes for the other.
    return f"setup {account_id}"


def is_no_code(text: str) -> bool:
    """True if there is nothing to judge: empty, or longer than any code is (D22, D24). It is refused, not counted."""
    return len(text) > LONGEST_CODE or not text.strip()


def present(account: Account | None) -> Account:
    """The account of somebody who was seen before. Raises `RecordCorrupt`: lost is not "not enrolled"."""
    if account is None:
        raise RecordCorrupt(
            "The account of a visitor is gone from the store; restore the store from a backup."
        )
    return account


def as_of(visitor: Visitor, account: Account, now: int) -> Visitor:
    """The visitor, judged against the account as it was read just now: the session is dropped if it died since."""
    session = visitor.session
    live = session is not None and is_live(session, account, visitor.identity, visitor.policy, now)
    device = visitor.device and named(account, visitor.device.id)
    counting = device is not None and counts(device, account, visitor.policy, now)
    return replace(
        visitor, account=account, session=session if live else None, device=device if counting else None
    )


def still_open(
    sessions: tuple[Session, ...], account: Account, policy: Policy, now: int
) -> tuple[Session, ...]:
    """Those of an account's sessions that were not idle or dead by now."""
    return tuple(session for session in sessions if is_open(session, account, policy, now))


def change_of(read: Account, step: Step) -> Change | None:
    """The commit of a try that changes nothing but counts; None if it changed nothing."""
    if step.account == read and not step.events:
        return None
    return Change(account=step.account, events=step.events)


def open_session(
    visitor: Visitor,
    account: Account,
    factor: Means,
    *,
    session_id: str,
    store_id: str,
    now: int,
    browser: RememberedBrowser | None = None,
) -> Opened:
    """The session of somebody who has just proven `factor`, under the account's epoch of now.

    `browser`: it is opened in one that is remembered. Where that alone opens it, it is as old as the code was.
    """
    amr = amr_for(factor)
    verified_at, expires_at = now, now + visitor.policy.session_ttl_seconds
    if factor == "remembered_browser" and browser is not None:
        # Security: what asks for a fresh verification looks at this.
        verified_at = browser.remembered_at
        expires_at = min(expires_at, trusted_until(browser, visitor.policy))
    session = Session(
        key=session_key(session_id),
        account_id=account.id,
        epoch=account.epoch,
        source=visitor.identity.source,
        sign_in=sign_in_of(visitor.identity),
        factor=factor,
        amr=amr,
        acr=acr_for(amr),
        verified_at=verified_at,
        created_at=now,
        expires_at=expires_at,
        touched_at=now,
        client=visitor.client,
        user_agent=visitor.user_agent,
        address=visitor.actor.address,
        browser=browser.id if browser else b"",
    )
    cookie = SessionCookie(account=account.id, id=session_id, epoch=account.epoch, store=store_id)
    return Opened(session=session, cookie=cookie)
