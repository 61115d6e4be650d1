"""Every abstract input of the three decisions, against tables that were written from the design and not from the code.

The tables know only words: what a request is in the eyes of a person who reads design §4. What a word means as data
stands below them, in `VISITS` and `KNOWNS`.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Device, Exemption, Identity, RememberedBrowser
from mfa_gate.core.decision import (
    CLOSED,
    FOREIGN_DEVICE,
    FOREIGN_HOST,
    INACTIVE,
    SPELLING,
    UNCLAIMED,
    UNCLEAR,
    Allow,
    AllowStranger,
    AllowWithout,
    Decision,
    Deny,
    Enroll,
    Known,
    Malformed,
    Outcome,
    Paused,
    Preflight,
    SignIn,
    Unavailable,
    Verify,
    Visit,
    decide,
    ends_session,
    observed,
)
from mfa_gate.core.policy import DAY, PathRule, Policy
from mfa_gate.core.remembered import factors_mark
from mfa_gate.core.sessions import Session
from mfa_gate.core.throttle import FOREVER, Strikes
from tests.core.samples import ALICE, APP, CODES, ENROLLED, NEWCOMER, NOW, SESSION, with_app

# --- The words ---

RULES = ("sign_in", "sign_out", "public", "default", "step_up", "step_up, any age")
WHO = ("nobody", "alice", "ALICE", "ALICE where case does not matter")
ACCOUNTS = (
    "never recorded",
    "no factor",
    "no factor, exempt",
    "no factor, exempt until now",
    "no factor, has time",
    "no factor, has time, said later",
    "no factor, had time until now",
    "no factor, has time only by a clock set back",
    "no factor, would have time, but had one",
    "factor",
    "factor, exempt",
    "paused",
    "locked",
    "inactive",
    "inactive, exempt",
    "inactive, factor",
)
SESSIONS = (
    "none",
    "live",
    "by recovery code",
    "in a remembered browser",
    "earlier epoch",
    "expired",
    "idle",
    "another account's",
    "another sign-in's",
    "another source's",
    "from the future",
    "of a factor no longer allowed",
    "from before the store was put back",
)


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One abstract input, in words."""

    rule: str = ""
    who: str = ""
    unclear: bool = False
    unclaimed: bool = False
    preflight: bool = False
    foreign_host: bool = False
    store: bool
    account: str = "never recorded"
    session: str = "none"
    fresh: bool = False
    required: bool = False
    others_two_step: bool = False
    granted: bool = False
    navigates: bool = False
    device: str = "none"
    closed: bool = False
    """The policy takes nothing from this kind of client."""

    @property
    def person_has_two_step(self) -> bool:
        return self.account in {"factor", "factor, exempt", "paused", "locked", "inactive, factor"}

    @property
    def has_none(self) -> bool:
        return self.account.startswith("no factor")

    @property
    def two_step_matters(self) -> bool:
        """Design §4, "When the policy is off": else what worked yesterday works today."""
        return self.required or self.others_two_step or self.person_has_two_step

    @property
    def proven(self) -> bool:
        return self.session in {"live", "by recovery code", "in a remembered browser"}

    @property
    def proven_by_device(self) -> bool:
        return self.device == "counts"

    @property
    def device_good_enough_here(self) -> bool:
        """A code was given for it, and counts for step-up as long as any code does."""
        return self.proven_by_device and (self.rule != "step_up" or self.fresh)

    @property
    def good_enough_here(self) -> bool:
        """Design §7, "Powers": a session by recovery code, or by a browser, does not reach step-up."""
        if self.rule == "step_up":
            return self.session == "live" and self.fresh
        return self.session == "live" if self.rule == "step_up, any age" else True


# --- The oracle: the first line that fits ---

PASSES_UNNAMED = Allow(outcome=None)
PASSES_UNVERIFIED = Allow(outcome=Outcome(subject="alice"))

TABLE: tuple[tuple[str, Callable[[Case], bool], str], ...] = (
    ("who signs out may", lambda c: c.rule == "sign_out", "passes unnamed"),
    (
        "sign-in is open while the request is attributed to nobody",
        lambda c: c.rule == "sign_in" and c.who == "nobody" and not c.unclear and not c.unclaimed,
        "passes unnamed",
    ),
    (
        "break-glass, also without the store, where nothing is odd",
        lambda c: (
            c.granted
            and not c.store
            and not (c.who == "nobody" or c.unclear or c.unclaimed or c.foreign_host)
        ),
        "passes by grant",
    ),
    ("nothing is known", lambda c: not c.store, "unavailable"),
    ("a kind of client that is closed", lambda c: c.closed, "closed"),
    ("another host", lambda c: c.foreign_host and c.two_step_matters, "misdirected"),
    ("two voices", lambda c: c.unclear and c.two_step_matters, "unclear"),
    ("off: two voices", lambda c: c.unclear, "passes unnamed"),
    ("off: nobody", lambda c: c.who == "nobody" and not c.two_step_matters, "passes unnamed"),
    ("a preflight", lambda c: c.who == "nobody" and c.preflight, "preflight"),
    (
        "a foreign credential at the sign-in page",
        lambda c: c.who == "nobody" and c.rule == "sign_in",
        "passes without it",
    ),
    ("nobody", lambda c: c.who == "nobody", "sign in"),
    ("a lost record is not a record", lambda c: c.account == "never recorded", "unavailable"),
    ("another spelling", lambda c: c.who == "ALICE" and c.two_step_matters, "spelling"),
    ("off: another spelling", lambda c: c.who == "ALICE", "passes unnamed"),
    ("a foreign credential beside one's own", lambda c: c.unclaimed and c.two_step_matters, "unclaimed"),
    (
        "a device of somebody else",
        lambda c: c.device == "of another account" and c.two_step_matters,
        "foreign device",
    ),
    ("who has left", lambda c: c.account.startswith("inactive"), "inactive"),
    ("off: no factor", lambda c: c.has_none and not c.required, "passes unverified"),
    (
        "an exception was made, but not from confirming once more",
        lambda c: c.account == "no factor, exempt" and c.rule not in {"step_up", "step_up, any age"},
        "passes unverified",
    ),
    (
        "grace: there still is time, and nobody comes in between what no browser shows",
        lambda c: (
            c.account == "no factor, has time, said later"
            or (
                c.account == "no factor, has time"
                and not (c.navigates and c.rule in {"default", "step_up", "step_up, any age"})
            )
        ),
        "passes unverified",
    ),
    ("verified", lambda c: not c.has_none and c.proven and c.good_enough_here, "passes verified"),
    (
        "a code was given for the device",
        lambda c: not c.has_none and c.device_good_enough_here,
        "passes by device",
    ),
    ("break-glass", lambda c: c.granted, "passes by grant"),
    ("grace: a browser is asked, and may say later", lambda c: c.account == "no factor, has time", "ask"),
    ("on: no factor", lambda c: c.has_none, "enroll"),
    ("verified, but here more is asked", lambda c: c.proven or c.proven_by_device, "verify again"),
    ("paused", lambda c: c.account in {"paused", "locked"}, "wait"),
    ("not verified", lambda _: True, "verify"),
)


def answer(case: Case) -> str:
    word = next(word for _, fits, word in TABLE if fits(case))
    # Public is open; who would not pass as they are goes on without the portal's credentials.
    return "stranger" if case.rule == "public" and not word.startswith("passes") else word


# --- What the words mean ---

POLICY = Policy(
    require_two_step=False,
    session_ttl_seconds=3_600,
    idle_ttl_seconds=600,
    grace_seconds=100,
    grace_from="first_seen",
)
POLICIES = {
    "in a remembered browser": replace(POLICY, remember_seconds=DAY),
    "of a factor no longer allowed": replace(POLICY, allowed_factors=("totp",)),
    "from before the store was put back": replace(POLICY, fresh_start_at=NOW - 1_000),
}
SHOUTED = replace(ALICE, subject="ALICE")

IDENTITIES: dict[str, Identity | None] = {
    "nobody": None,
    "alice": ALICE,
    "ALICE": SHOUTED,
    "ALICE where case does not matter": replace(SHOUTED, case_insensitive=True),
}
PATH_RULES = {
    "sign_in": PathRule(kind="sign_in", path="/login"),
    "sign_out": PathRule(kind="sign_out", path="/logout"),
    "public": PathRule(kind="public", path="/static/"),
    "default": PathRule(kind="default", path="/"),
    "step_up": PathRule(kind="step_up", path="/admin/", max_age=300),
    "step_up, any age": PathRule(kind="step_up", path="/admin/"),
}
EXEMPTION = Exemption(reason="No phone yet", approved_by="root", given_at=NOW - 9, until=NOW + 1)
HAS_TIME = replace(NEWCOMER, first_seen_at=NOW - 99)
CLOSED_FOR_NOW = Strikes(paused_until=NOW + 100)
PEOPLE: dict[str, Account | None] = {
    "never recorded": None,
    "no factor": NEWCOMER,
    "no factor, exempt": replace(NEWCOMER, exemption=EXEMPTION),
    "no factor, exempt until now": replace(NEWCOMER, exemption=replace(EXEMPTION, until=NOW)),
    "no factor, has time": HAS_TIME,
    "no factor, has time, said later": replace(HAS_TIME, put_off_at=NOW - 1),
    "no factor, had time until now": replace(HAS_TIME, first_seen_at=NOW - 100, put_off_at=NOW - 1),
    "no factor, has time only by a clock set back": replace(HAS_TIME, first_seen_at=NOW + 61),
    "no factor, would have time, but had one": replace(HAS_TIME, last_verified_at=NOW - 50),
    "factor": ENROLLED,
    "factor, exempt": replace(ENROLLED, exemption=EXEMPTION),
    "paused": replace(
        with_app(ENROLLED, strikes=CLOSED_FOR_NOW), recovery=replace(CODES, strikes=CLOSED_FOR_NOW)
    ),
    "locked": with_app(ENROLLED, strikes=Strikes(shares=(("m", 50),))),
    "inactive": replace(NEWCOMER, active=False),
    "inactive, exempt": replace(NEWCOMER, active=False, exemption=EXEMPTION),
    "inactive, factor": replace(ENROLLED, active=False),
}


def person(account: str, session: str) -> Account | None:
    """The account of that word, with the browser that the session of that word rests on."""
    found = PEOPLE[account]
    if found is None or session != "in a remembered browser":
        return found
    browser = RememberedBrowser(
        id=b"b",
        token_hash=b"h",
        factor="totp",
        factors=factors_mark(found),
        epoch=found.epoch,
        remembered_at=NOW - 400,
        until=NOW + DAY,
    )
    return replace(found, remembered=(browser,))


def session_of(word: str, *, fresh: bool) -> Session | None:
    session = replace(
        SESSION, client="desktop", verified_at=NOW - 300 if fresh else NOW - 301, created_at=NOW - 1_000
    )
    by_code = replace(session, factor="recovery_code", amr=("urn:mfa-gate:recovery_code",), acr="low")
    return {
        "none": None,
        "live": session,
        "by recovery code": by_code,
        "in a remembered browser": replace(session, factor="remembered_browser", browser=b"b", amr=("b",)),
        "earlier epoch": replace(session, epoch=session.epoch - 1),
        "expired": replace(session, expires_at=NOW),
        "idle": replace(session, touched_at=NOW - 600),
        "another account's": replace(session, account_id="0" * 32),
        "another sign-in's": replace(session, sign_in="s2"),
        "another source's": replace(session, source="remote_user"),
        "from the future": replace(session, created_at=NOW + 61),
        "of a factor no longer allowed": by_code,
        "from before the store was put back": session,
    }[word]


DEVICES = (
    "counts",
    "unknown",
    "of another account",
    "of another kind",
    "earlier epoch",
    "over",
    "over by the policy",
    "from the future",
    "of a factor no longer allowed",
    "from before the store was put back",
)
DEVICE = Device(
    id="d" * 32,
    kind="desktop",
    name="Laptop",
    token_hash=b"hash",
    factor="totp",
    epoch=ENROLLED.epoch,
    registered_at=NOW - 300,
    expires_at=NOW + 1,
)
DEVICE_POLICIES = POLICIES | {"over by the policy": replace(POLICY, desktop_ttl_seconds=300)}


def with_device(account: Account | None, word: str, *, fresh: bool) -> Account | None:
    """Somebody of whom this device is registered."""
    device = replace(DEVICE, registered_at=NOW - 300 if fresh else NOW - 301)
    device = {
        "earlier epoch": replace(device, epoch=device.epoch - 1),
        "over": replace(device, expires_at=NOW),
        "from the future": replace(device, registered_at=NOW + 61),
        "of a factor no longer allowed": replace(device, factor="recovery_code"),
        "from before the store was put back": replace(device, registered_at=NOW - 1_000),
    }.get(word, device)
    return account and replace(account, devices=(device,))


def visits_of(case: Case, visits: tuple[Visit, ...]) -> tuple[Visit, ...]:
    """The same visits by the client that a case is about."""
    if case.closed:
        return tuple(replace(visit, client="mobile") for visit in visits)
    match case.device:
        case "none" | "unknown":
            return visits
        case "of another account":
            return tuple(replace(visit, foreign_device=True) for visit in visits)
        case "of another kind":
            return tuple(replace(visit, device=DEVICE.id, client="mobile") for visit in visits)
        case _:
            return tuple(replace(visit, device=DEVICE.id) for visit in visits)


def verified(known: Known | None) -> Allow:
    session = known.session if known else None
    if session is None:
        return Allow(outcome=None)
    told = Outcome(
        subject="alice", amr=session.amr, acr=session.acr, verified_at=session.verified_at, client="desktop"
    )
    return Allow(outcome=told)


FIXED: dict[str, Decision] = {
    "passes unnamed": PASSES_UNNAMED,
    "passes unverified": PASSES_UNVERIFIED,
    "stranger": AllowStranger(),
    "passes without it": AllowWithout(),
    "unavailable": Unavailable(),
    "misdirected": Malformed(reason=FOREIGN_HOST, status=421),
    "unclear": Malformed(reason=UNCLEAR),
    "unclaimed": Malformed(reason=UNCLAIMED),
    "preflight": Preflight(),
    "sign in": SignIn(),
    "spelling": Deny(reason=SPELLING),
    "inactive": Deny(reason=INACTIVE),
    "closed": Deny(reason=CLOSED),
    "foreign device": Deny(reason=FOREIGN_DEVICE),
    "enroll": Enroll(),
    "ask": Enroll(by=NOW + 1),
}


def meaning(word: str, case: Case, known: Known | None) -> Decision:
    match word:
        case "passes verified":
            return verified(known)
        case "passes by device":
            return Allow(
                outcome=Outcome(
                    subject="alice",
                    amr=("mfa", "otp"),
                    acr="urn:mfa-gate:aal2",
                    verified_at=NOW - 300 if case.fresh else NOW - 301,
                    client="desktop",
                )
            )
        case "passes by grant":
            subject = "alice" if known else case.who.partition(" ")[0]
            return Allow(outcome=Outcome(subject=subject), by_grant=True)
        case "verify again":
            return Verify(factors=("totp",), max_age=300 if case.rule == "step_up" else None)
        case "wait":
            return Paused(until=FOREVER if case.account == "locked" else NOW + 100)
        case "verify" if "of a factor no longer allowed" in {case.session, case.device}:
            return Verify(factors=("totp",))
        case "verify":
            return Verify(factors=("totp", "recovery_code"))
        case _:
            return FIXED[word]


KNOWNS: tuple[tuple[Case, Known | None], ...] = (
    (Case(store=False), None),
    *(
        (
            Case(store=True, account=account, session=session, required=required, fresh=fresh, device=device),
            Known(
                account=with_device(PEOPLE[account], device, fresh=fresh),
                session=session_of(session, fresh=fresh),
                policy=replace(DEVICE_POLICIES.get(device, POLICY), require_two_step=required),
            ),
        )
        for account, device, session, fresh, required in product(
            ("never recorded", "no factor", "factor", "paused", "inactive, factor"),
            DEVICES,
            ("none", "by recovery code"),
            (False, True),
            (False, True),
        )
        # Beside a session only a device that counts makes a difference.
        if (session == "none" and not fresh) or device == "counts"
    ),
    *(
        (
            Case(store=True, account=account, session=session, required=required, closed=True),
            Known(
                account=PEOPLE[account],
                session=session_of(session, fresh=False),
                policy=replace(POLICY, require_two_step=required, closed_clients=("mobile",)),
            ),
        )
        for account, session, required in product(ACCOUNTS, ("none", "live"), (False, True))
    ),
    *(
        (
            Case(
                store=True,
                account=account,
                session=session,
                fresh=fresh,
                required=required,
                others_two_step=others,
            ),
            Known(
                account=person(account, session),
                session=session_of(session, fresh=fresh),
                policy=replace(POLICIES.get(session, POLICY), require_two_step=required),
                others_two_step=others,
            ),
        )
        for account, session, fresh, required, others in product(
            ACCOUNTS, SESSIONS, (False, True), (False, True), (False, True)
        )
        # That no session helps who has no factor is tried in full with those who never had time to set one up.
        if " time" not in account or session in {"none", "live"}
    ),
)


def every_case(rule: str, who: str) -> Iterator[tuple[Case, tuple[Visit, ...], Known | None]]:
    for unclear, unclaimed, preflight, foreign, granted in product((False, True), repeat=5):
        flags: dict[str, Any] = {
            "unclear": unclear,
            "unclaimed": unclaimed,
            "preflight": preflight,
            "foreign_host": foreign,
            "granted": granted,
        }
        asking, acting = (
            Visit(rule=PATH_RULES[rule], identity=IDENTITIES[who], method=method, **flags)
            for method in ("GET", "POST")
        )
        ways = ((False, (asking, acting)), (True, (replace(asking, navigates=True),)))
        for (navigates, visits), (case, known) in product(ways, KNOWNS):
            told = visits_of(case, visits)
            yield replace(case, rule=rule, who=who, navigates=navigates, **flags), told, known


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("rule", RULES)
def test_every_abstract_input_is_decided_as_the_table_says(rule: str, who: str) -> None:
    for case, visits, known in every_case(rule, who):
        expected = meaning(answer(case), case, known)
        for visit in visits:
            assert decide(visit, known, NOW) == expected, case


def test_every_line_of_the_table_is_needed() -> None:
    unreached = {why for why, _, _ in TABLE}
    for rule, who in product(RULES, WHO):
        for case, _, _ in every_case(rule, who):
            unreached.discard(next(why for why, fits, _ in TABLE if fits(case)))
            if not unreached:
                return
    assert not unreached


def test_the_means_of_the_paused_are_all_closed() -> None:
    """Else "paused" in this file would not mean what the table takes it for."""
    paused = PEOPLE["paused"]
    assert paused is not None
    assert paused.recovery is not None
    assert [totp.id for totp in paused.totps] == [APP.id]
    assert paused.is_paused(NOW)
    assert not paused.is_paused(NOW + 100)


# --- Observe ---

VERDICTS: tuple[Decision, ...] = (
    AllowStranger(),
    AllowWithout(),
    SignIn(),
    Enroll(),
    Verify(factors=("totp",), max_age=5),
    Paused(until=FOREVER),
    Deny(reason="no"),
    Malformed(reason="twice"),
    Malformed(reason="elsewhere", status=421),
    Preflight(),
    Unavailable(),
)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_observe_refuses_nothing_and_changes_nothing_of_the_request(verdict: Decision) -> None:
    assert observed(verdict) == PASSES_UNNAMED


@pytest.mark.parametrize("verdict", [PASSES_UNNAMED, PASSES_UNVERIFIED])
def test_observe_leaves_alone_what_passes_anyway(verdict: Decision) -> None:
    assert observed(verdict) is verdict


# --- When a session ends ---


class Bearer(msgspec.Struct, frozen=True, kw_only=True):
    """A request that bears the gate's cookie, in words."""

    rule: str
    method: str
    who: str
    unclear: bool
    cross_site: bool
    narrow_cookie: bool


SIGN_INS = {
    "sign_in": PathRule(kind="sign_in", path="/login"),
    "sign_in by callback": PathRule(kind="sign_in", path="/callback", methods=("GET",)),
    "sign_in by either": PathRule(kind="sign_in", path="/login", methods=("GET", "POST")),
    "sign_out": PATH_RULES["sign_out"],
    "public": PATH_RULES["public"],
    "default": PATH_RULES["default"],
    "step_up": PATH_RULES["step_up"],
}
BEARERS: dict[str, tuple[Identity | None, str | None]] = {
    "nobody": (None, None),
    "the same": (ALICE, SESSION.account_id),
    "the same, other sign-in": (replace(ALICE, session_id="s2"), SESSION.account_id),
    "the same, unnamed sign-in": (replace(ALICE, session_id=None), SESSION.account_id),
    "the same, other source": (replace(ALICE, source="remote_user"), SESSION.account_id),
    "another": (replace(ALICE, subject="bob"), "b" * 32),
    "somebody never recorded": (replace(ALICE, subject="bob"), None),
}
SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
METHODS = (*SAFE, "POST", "PUT", "DELETE", "PROPFIND", "post")

ENDS: tuple[tuple[Callable[[Bearer], bool], bool], ...] = (
    (lambda b: b.rule == "sign_out", True),
    (lambda b: b.rule.startswith("sign_in") and b.method not in SAFE, True),
    (lambda b: b.rule == "sign_in by callback" and b.method == "GET", True),
    (lambda b: b.rule == "sign_in by either" and b.method in {"GET", "POST"}, True),
    (lambda b: b.unclear, False),  # it is not known who asks; such a request is refused
    (lambda b: b.who == "nobody" and b.cross_site, False),  # a Strict portal cookie stayed at home
    (lambda b: b.who == "nobody" and b.narrow_cookie, False),  # it is not sent to this path
    (lambda b: b.who == "the same", False),
    (lambda _: True, True),
)


def test_a_session_ends_exactly_when_the_table_says() -> None:
    flags = ((False, True),) * 3
    for rule, method, who, unclear, cross_site, narrow in product(SIGN_INS, METHODS, BEARERS, *flags):
        bearer = Bearer(
            rule=rule, method=method, who=who, unclear=unclear, cross_site=cross_site, narrow_cookie=narrow
        )
        identity, account_id = BEARERS[who]
        visit = Visit(
            rule=SIGN_INS[rule], method=method, identity=identity, unclear=unclear, cross_site=cross_site
        )
        why = ends_session(visit, SESSION, account_id, narrow_cookie=narrow)
        assert (why is not None) == next(ends for fits, ends in ENDS if fits(bearer)), bearer


@pytest.mark.parametrize(
    ("rule", "who", "reason"),
    [
        ("sign_out", "the same", "signed out of the portal"),
        ("sign_in by callback", "nobody", "signed in to the portal anew"),
        ("default", "nobody", "no longer signed in to the portal"),
        ("default", "another", "another person signed in"),
        ("default", "the same, other sign-in", "another sign-in of the same person"),
    ],
)
def test_the_trail_says_why(rule: str, who: str, reason: str) -> None:
    identity, account_id = BEARERS[who]
    assert ends_session(Visit(rule=SIGN_INS[rule], identity=identity), SESSION, account_id) == reason


def test_a_session_without_a_named_sign_in_stays_with_a_source_that_names_none() -> None:
    unnamed = replace(SESSION, sign_in="")
    visit = Visit(rule=PATH_RULES["default"], identity=replace(ALICE, session_id=None))
    assert ends_session(visit, unnamed, SESSION.account_id) is None
    named = replace(visit, identity=ALICE)
    assert ends_session(named, unnamed, SESSION.account_id) is not None
