"""What the organization requires: the policy, the path rules, and one predicate for where a person stands.

Policy lives in the store and is versioned; path rules are settings. Both are values here; nobody is asked.
"""

from typing import Literal

import msgspec

from mfa_gate.core.accounts import Account, FactorKind, fold_subject
from mfa_gate.core.assurance import SKEW_SECONDS
from mfa_gate.core.clients import NativeKind
from mfa_gate.core.paths import fold_path
from mfa_gate.core.throttle import FOREVER

RuleKind = Literal["sign_in", "sign_out", "public", "step_up", "default"]
Status = Literal["inactive", "paused", "enrolled", "exempt", "grace", "missing"]
Because = Literal[
    "everyone", "group", "own_choice", "policy_off", "exempt", "inactive", "outside_groups", "left_out_group"
]
"""Why two-step is or is not asked of a person; the pages have the sentences."""
GraceFrom = Literal["policy", "first_seen", "created"]
"""From when a person's time to set up two-step counts: from the day on which it was first required of anybody, or from
when they were first seen or their record was made, where that is later."""

HOUR = 3600
DAY = 24 * HOUR
PUT_OFF_SECONDS = 12 * HOUR
"""How long "later" counts: whoever has time to set up two-step is asked once a working day."""


class GroupFactors(msgspec.Struct, frozen=True, kw_only=True):
    """Members of `group` confirm in these ways only; they take away from what the policy allows, and add nothing."""

    group: str
    factors: tuple[FactorKind, ...]


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The organization's policy. `version` rises by one with every change."""

    version: int = 0
    require_two_step: bool = False
    required_groups: tuple[str, ...] = ()
    """The groups of whose members two-step is required; everyone, where none is named."""
    left_out_groups: tuple[str, ...] = ()
    """The groups whose members are left out, whatever other groups they are in."""
    remind_while_off: bool = False
    """Whether people are reminded although nothing is required of them yet."""
    allowed_factors: tuple[FactorKind, ...] = ("totp", "recovery_code")
    group_factors: tuple[GroupFactors, ...] = ()
    session_ttl_seconds: int = 12 * HOUR
    idle_ttl_seconds: int = HOUR // 2
    mobile_ttl_seconds: int = 30 * DAY
    desktop_ttl_seconds: int = 30 * DAY
    """How long a code counts for the mobile or desktop client that was registered with it."""
    closed_clients: tuple[NativeKind, ...] = ()
    """The kinds of client that get nothing here, whoever uses them."""
    remember_seconds: int = 0
    """How long a browser may be remembered after a code, at most; 0: not at all."""
    forget_before: int = 0
    """Browsers remembered before then do not count: their time was over, or the lifetime was shortened to less."""
    longest_exemption_seconds: int = 90 * DAY
    grace_seconds: int = 0
    """How long people who never had two-step may put it off; 0: not at all."""
    grace_from: GraceFrom = "policy"
    first_required_at: int = 0
    """When two-step was first required. Turning it off and on again does not move it, so no time is given twice."""
    changed_at: int = 0
    changed_by: str = ""
    changed_why: str = ""
    fresh_start_at: int = 0
    """No session opened until then counts, nor a code of that time: the store was put back from an older copy."""

    def ttl_of(self, kind: NativeKind) -> int:
        """How many seconds a code counts for a client of this kind."""
        return self.mobile_ttl_seconds if kind == "mobile" else self.desktop_ttl_seconds

    @property
    def reminds(self) -> bool:
        """True while reminders go out."""
        return self.require_two_step or self.remind_while_off


class PathRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of `[portal] rules`. A path ending in `/` is a prefix, any other is that one path."""

    kind: RuleKind
    path: str
    methods: tuple[str, ...] = ()
    max_age: int | None = None


DEFAULT = PathRule(kind="default", path="/")
_RELAXING = ("sign_in", "sign_out", "public")


def match_rule(rules: tuple[PathRule, ...], path: str, method: str, *, overridden: bool = False) -> PathRule:
    """The first rule that fits, else `DEFAULT`. `overridden`: the request asks the portal to take another method.

    # Security: a rule that relaxes compares byte for byte; one that tightens also fits other spellings of
    # its path, because the portal behind may treat them as the same page (CVE-2026-48794).
    """
    for rule in rules:
        if _names(rule, method, overridden=overridden) and _fits(rule, path):
            return rule
    return DEFAULT


def _names(rule: PathRule, method: str, *, overridden: bool) -> bool:
    if not rule.methods:
        return True
    if rule.kind in _RELAXING:
        # Security: the portal may take the other method, so no relaxing rule that names methods fits (CVE-2026-94379).
        return method in rule.methods and not overridden
    # Security: portals take `post` for POST, and make the page of a GET to answer a HEAD.
    asked = method.upper()
    return overridden or asked in rule.methods or (asked == "HEAD" and "GET" in rule.methods)


def _fits(rule: PathRule, path: str) -> bool:
    if rule.path == path or (rule.path.endswith("/") and path.startswith(rule.path)):
        return True
    if rule.kind in _RELAXING:
        return False
    wanted, folded = fold_path(rule.path), fold_path(path)
    return folded == wanted or (rule.path.endswith("/") and folded.startswith(wanted.rstrip("/") + "/"))


_ASKING: tuple[Because, ...] = ("everyone", "group")


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a person stands. `required`: the policy asks them for two-step now.

    `until`: when that changes by itself, without anything being written; `FOREVER` if it does not. `deadline`: by when
    two-step has to be set up, where it will be required and there still is time; None as long as that has no end.
    `group`: the one because of which.
    """

    status: Status
    required: bool
    covered: bool
    because: Because
    until: int = FOREVER
    deadline: int | None = None
    group: str = ""
    reminded: bool = False
    """Whether reminders go to them: two-step is required of them, or will be and the policy says so."""
    by_exemption: bool = False
    """Whether they pass only because they are exempt, and not since nothing is asked of them yet, or still."""

    @property
    def applies(self) -> bool:
        """True if the policy asks them for two-step, now or once their time is over."""
        return self.because in _ASKING


def standing(account: Account, policy: Policy, now: int) -> Standing:
    """The one predicate behind the gate, the list, its filter, the counters and the reports (design §7)."""
    exempt, grace_ends_at = is_exempt(account, now), _grace_ends_at(account, policy, now)
    status, until = _status(account, now, exempt=exempt, grace_ends_at=grace_ends_at)
    rule, group = _rule(account, policy)
    because = _because(account, policy, rule, exempt=exempt)
    applies = because in _ASKING
    deadline = max(grace_ends_at, account.exempt_until if because == "exempt" else 0)
    has_time = status in ("grace", "exempt") and (applies or because == "exempt")
    return Standing(
        status=status,
        required=applies and status != "grace",
        covered=account.has_factor,
        because=because,
        until=until,
        deadline=deadline if has_time and deadline < FOREVER else None,
        group=group if because == rule else "",
        by_exemption=because == "exempt" and status == "exempt" and now >= grace_ends_at,
        reminded=status in ("grace", "missing")
        and (applies or (policy.remind_while_off and rule in _ASKING)),
    )


def _because(account: Account, policy: Policy, rule: Because, *, exempt: bool) -> Because:
    if not account.active:
        return "inactive"
    if not policy.require_two_step:
        return "own_choice" if account.has_factor else "policy_off"
    return "exempt" if exempt and rule in _ASKING else rule


def _rule(account: Account, policy: Policy) -> tuple[Because, str]:
    """What the policy says of this person while it is on, and the group because of which.

    # Security: leaving out relaxes, so a group must be named byte for byte; requiring fits every spelling of it.
    """
    for group in policy.left_out_groups:
        if group in account.all_groups:
            return "left_out_group", group
    if not policy.required_groups:
        return "everyone", ""
    theirs = {fold_subject(group) for group in account.all_groups}
    for group in policy.required_groups:
        if fold_subject(group) in theirs:
            return "group", group
    return "outside_groups", ""


def is_exempt(account: Account, now: int) -> bool:
    """True while an exemption counts: from when it was given, so that a clock set back lengthens none, to its end."""
    exemption = account.exemption
    return exemption is not None and exemption.given_at - SKEW_SECONDS <= now < exemption.until


def _grace_ends_at(account: Account, policy: Policy, now: int) -> int:
    """When this person's time to set up ends; `FOREVER` while it has not begun, 0 if they have none.

    # Security: computed from the policy of now and from what never changes, so that nothing renews it: not signing in
    again, not turning two-step off, not an administrator's turning the policy off and on. A clock set back to before it
    began gives no time at all.
    """
    if not (policy.require_two_step and policy.grace_seconds) or account.had_factor:
        return 0
    own = own_begin(account, policy.grace_from)
    if own >= FOREVER:
        return FOREVER
    begins_at = max(policy.first_required_at, own)
    return begins_at + policy.grace_seconds if begins_at - SKEW_SECONDS <= now else 0


class Grace(msgspec.Struct, frozen=True, kw_only=True):
    """Which of those who never had two-step have time to set it up now, so that they are found without being read.

    `everybody`, or whose `own` time, as `own_begin` has it, is later than `after`; nobody where that is None, too.
    """

    everybody: bool = False
    own: GraceFrom | None = None
    after: int = 0


def grace_of(policy: Policy, now: int) -> Grace:
    """The same as `standing` says of each of them, unless a clock was set back."""
    if (
        not (policy.require_two_step and policy.grace_seconds)
        or policy.first_required_at - SKEW_SECONDS > now
    ):
        return Grace()
    after = now - policy.grace_seconds
    if policy.first_required_at > after:
        return Grace(everybody=True)
    return Grace() if policy.grace_from == "policy" else Grace(own=policy.grace_from, after=after)


def own_begin(account: Account, grace_from: GraceFrom) -> int:
    """From when a person's own time counts; `FOREVER` if it has not begun."""
    if grace_from == "first_seen":
        return account.first_seen_at or FOREVER
    return (account.created_at or account.first_seen_at) if grace_from == "created" else 0


def _status(account: Account, now: int, *, exempt: bool, grace_ends_at: int) -> tuple[Status, int]:
    """The first status that fits, and until when nothing but a write changes where the person stands."""
    ends = account.exempt_until if exempt else FOREVER
    if not account.active:
        return "inactive", FOREVER
    if account.is_paused(now):
        return "paused", min(account.opens_at, ends)
    if account.has_factor:
        return "enrolled", ends
    if exempt:
        return "exempt", ends
    return ("grace", grace_ends_at) if now < grace_ends_at else ("missing", FOREVER)


def is_put_off(account: Account, now: int) -> bool:
    """True while somebody who has time to set up has said "later" so lately that they are not asked again."""
    return abs(now - account.put_off_at) < PUT_OFF_SECONDS


def allowed_factors(account: Account, policy: Policy) -> tuple[FactorKind, ...]:
    """The kinds of factor that the policy takes of this person, in its order."""
    if not policy.group_factors:
        return policy.allowed_factors
    theirs = {fold_subject(group) for group in account.all_groups}
    rules = [rule for rule in policy.group_factors if fold_subject(rule.group) in theirs]
    return tuple(kind for kind in policy.allowed_factors if all(kind in rule.factors for rule in rules))


def usable_factors(account: Account, policy: Policy) -> tuple[FactorKind, ...]:
    """The kinds of factor that this person has and the policy takes of them, in the order of the policy."""
    codes = account.recovery
    has: dict[FactorKind, bool] = {
        "totp": bool(account.totps),
        "recovery_code": codes is not None and bool(codes.hashes),
    }
    return tuple(kind for kind in allowed_factors(account, policy) if has[kind])
