"""How the parts of an account are listed on pages: ways, sessions, exemption, history; it asks nobody."""

from collections.abc import Callable, Iterable

from mfa_gate.core.accounts import Account, Device, RememberedBrowser
from mfa_gate.core.browsers import browser_name
from mfa_gate.core.devices import lives_until
from mfa_gate.core.events import ORG, SYSTEM
from mfa_gate.core.policy import Policy, is_exempt
from mfa_gate.core.remembered import Held, trusted_until
from mfa_gate.core.sessions import Session
from mfa_gate.ports import Recorded
from mfa_gate.web.admin_views import ExemptionShown
from mfa_gate.web.views import BrowserLine, ClientLine, HistoryLine, SessionLine, Way


def way_lines(account: Account, now: int, *, may_replace: bool) -> tuple[Way, ...]:
    """The ways to confirm that somebody has."""
    return tuple(
        Way(
            id=totp.id,
            kind="totp",
            name=totp.name,
            added_at=totp.added_at,
            last_used_at=totp.last_used_at or None,
            may_replace=may_replace,
            paused_until=totp.strikes.paused_until if totp.strikes.paused_until > now else None,
            disabled=totp.strikes.disabled,
        )
        for totp in account.totps
    )


def session_lines(sessions: Iterable[Session], current: Session | None) -> tuple[SessionLine, ...]:
    """Sessions, with the one that this page is seen in marked."""
    return tuple(
        SessionLine(
            id=session.handle,
            browser=browser_name(session.user_agent),
            where=session.address or None,
            started_at=session.created_at,
            last_seen_at=session.touched_at or None,
            current=current is not None and session.key == current.key,
        )
        for session in sessions
    )


def browser_lines(
    browsers: Iterable[RememberedBrowser], policy: Policy, held: Held | None
) -> tuple[BrowserLine, ...]:
    """Browsers that are remembered, with the one that this page is seen in marked."""
    return tuple(
        BrowserLine(
            id=browser.handle,
            browser=browser.name,
            where=browser.address or None,
            remembered_at=browser.remembered_at,
            last_used_at=browser.used_at or None,
            until=trusted_until(browser, policy),
            current=held is not None and held.id == browser.id,
        )
        for browser in browsers
    )


def client_lines(devices: Iterable[Device], policy: Policy) -> tuple[ClientLine, ...]:
    """Registered clients."""
    return tuple(
        ClientLine(
            id=device.id,
            name=device.name,
            kind=device.kind,
            where=device.address or None,
            registered_at=device.registered_at,
            last_used_at=device.used_at if device.used_at > device.registered_at else None,
            until=lives_until(device, policy),
        )
        for device in devices
    )


def exemption_of(account: Account, now: int) -> ExemptionShown | None:
    """The exemption that runs."""
    kept = account.exemption
    if kept is None or not is_exempt(account, now):
        return None
    return ExemptionShown(
        until=kept.until, reason=kept.reason, approved_by=kept.approved_by, given_at=kept.given_at
    )


def history_lines(
    trail: Iterable[Recorded], profile: Callable[[str], str] = lambda _: ""
) -> tuple[HistoryLine, ...]:
    """Events, ready to be told; `profile(account id)` is the address of a person's profile, or empty."""
    return tuple(_history_line(recorded, profile) for recorded in trail)


def _history_line(recorded: Recorded, profile: Callable[[str], str]) -> HistoryLine:
    event = recorded.event
    whose = event.details.get("account", "") if event.account_id == ORG else event.account_id
    return HistoryLine(
        at=event.at,
        kind=event.kind,
        actor=None if event.actor == SYSTEM else event.actor.shown,
        person=event.subject or None,
        person_href=(profile(whose) or None) if whose else None,
        where=event.actor.address or None,
        facts={name: value for name, value in event.details.items() if name != "account"},
    )
