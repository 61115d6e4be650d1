"""What attacks on codes, factors and sessions share: every surface that takes a code, and what an account counts."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from urllib.parse import urlencode

import msgspec
import pyotp
from msgspec.structs import replace

from mfa_gate.core.accounts import Totp, account_id
from mfa_gate.core.events import EventKind
from mfa_gate.core.throttle import Strikes
from mfa_gate.ports import Change
from mfa_gate.web.dates import day_of
from tests.edges.asking import NAVIGATION, Ask, Got, Headers
from tests.edges.rig import HOME, Client, Rig
from tests.edges.town import NOW, REALM, Person
from tests.offices import offices_of

API = "/mfa/api/v1"
STALE_SECONDS = 1_000
"""So old that every act asks for a fresh code, and not so old that the session has been idle too long."""

Give = Callable[[Client, str], Ask]


@dataclass(frozen=True)
class Surface:
    """One place that takes a code of root's app. `give` is the request that hands it in, by a client before it."""

    name: str
    give: Give
    verified: bool = True

    def client(self, rig: Rig) -> Client:
        """A client of root's that stands before this surface; verified ones since the town began."""
        client = rig.client("root", verified=self.verified)
        client.page("/mfa/account" if self.verified else "/mfa/verify")
        return client


def api_ask(client: Client, method: str, path: str, body: object, *headers: tuple[str, str]) -> Ask:
    """A call of the API as this client would send it now."""
    sent: Headers = (("MFA-Gate-Request", "1"), ("Content-Type", "application/json"), *headers)
    return Ask(
        method=method,
        target=f"{API}/{path}",
        headers=(*sent, *client.cookies),
        body=msgspec.json.encode(body),
        peer=client.peer,
    )


def form_ask(client: Client, path: str, **fields: str) -> Ask:
    """A form below the mount as this client would send it now, with the token of the page that it is shown."""
    sent: Headers = (
        *NAVIGATION[:2],
        ("Sec-Fetch-Site", "same-origin"),
        ("Origin", HOME),
        ("Content-Type", "application/x-www-form-urlencoded"),
    )
    body = urlencode({"csrf": csrf(client), **fields}).encode()
    return Ask(
        method="POST",
        target=f"/mfa/{path}",
        headers=(*sent, *client.cookies),
        body=body,
        peer=client.peer,
    )


def csrf(client: Client) -> str:
    """The token of the page that this client is shown."""
    found = client.soup.find("input", attrs={"name": "csrf"})
    assert found is not None, client.soup.get_text(" ", strip=True)[:300]
    return str(found["value"])


def _verify_call(client: Client, code: str) -> Ask:
    return api_ask(client, "POST", "verify", {"factor": "totp", "code": code})


def _verify_page(client: Client, code: str) -> Ask:
    return form_ask(client, "verify", factor="totp", code=code)


def _policy_page(client: Client, code: str) -> Ask:
    version = client.rig.town.store.policy().version
    return form_ask(client, "admin/settings/policies", version=str(version), code=code)


def _reset_page(client: Client, code: str) -> Ask:
    bob = client.rig.person("bob").id
    return form_ask(client, f"admin/users/{bob}/reset", reason="lost the phone", code=code)


def _sign_out_page(client: Client, code: str) -> Ask:
    bob = client.rig.person("bob").id
    return form_ask(client, f"admin/users/{bob}/sign-out", reason="left a laptop", code=code)


def _exempt_page(client: Client, code: str) -> Ask:
    carol = client.rig.town.account("carol").id
    until = day_of(int(client.rig.clock()) + 86_400, UTC)
    return form_ask(client, f"admin/users/{carol}/exempt", reason="no phone", until=until, code=code)


def _turn_off(client: Client, code: str) -> Ask:
    return form_ask(client, "account/turn-off", code=code)


EVERYWHERE = (
    Surface("api-verify", _verify_call, verified=False),
    Surface("api-verify-again", _verify_call),
    Surface("page-verify", _verify_page, verified=False),
    Surface("page-verify-again", _verify_page),
    Surface("replace", lambda client, code: form_ask(client, "account/replace", code=code)),
    Surface("recovery-codes", lambda client, code: form_ask(client, "account/recovery-codes", code=code)),
    Surface("admin-page", lambda client, code: form_ask(client, "confirm", page="admin/users", code=code)),
    Surface("admin-reset", _reset_page),
    Surface("admin-sign-out", _sign_out_page),
    Surface("admin-exempt", _exempt_page),
)
"""Every surface that takes a code whatever the policy is."""
WEAKENING = Surface("page-policy", _policy_page)
"""With the policy on: turning it off."""
TURNING_OFF = Surface("turn-off", _turn_off)
"""With the policy off: turning one's own off."""


def stale(rig: Rig, surfaces: tuple[Surface, ...]) -> dict[str, Client]:
    """A client before each surface, at a time when all of them want a fresh code."""
    assert rig.clock() == NOW
    clients = {each.name: each.client(rig) for each in surfaces if each.verified}
    rig.clock.go(STALE_SECONDS)
    clients |= {each.name: each.client(rig) for each in surfaces if not each.verified}
    return clients


def app(rig: Rig, user: str) -> Totp:
    """Somebody's authenticator app, as the store has it."""
    return rig.town.account(user).totps[0]


def failures(rig: Rig, user: str) -> int:
    """Wrong codes in a row, as the store counts them."""
    return app(rig, user).strikes.consecutive


def forgive(rig: Rig, user: str) -> None:
    """Clear what was counted against somebody's app, in the store."""
    account = rig.town.account(user)
    totps = tuple(replace(totp, strikes=Strikes()) for totp in account.totps)
    codes = account.recovery and replace(account.recovery, strikes=Strikes())
    after = replace(account, totps=totps, recovery=codes)
    if after != account:
        rig.town.store.commit(Change(account=after), int(rig.clock()))


def wrong(rig: Rig, user: str, salt: int = 0) -> str:
    """Six digits that somebody's app shows at no step around now; another one for another `salt`."""
    near = {rig.person(user).code(rig.clock(), steps) for steps in range(-4, 5)}
    return next(
        code
        for code in (f"{(salt * 7 + n) * 104_729 % 1_000_000:06}" for n in range(1, 50))
        if code not in near
    )


_TOKEN = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}")


def seen_by_eye(got: Got) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
    """An answer without what differs between any two pages: tokens of forms and cookies."""
    headers = sorted(
        (name.lower(), _TOKEN.sub(b"token", value.encode("latin-1")).decode()) for name, value in got.headers
    )
    kept = tuple((name, value) for name, value in headers if name != "content-length")
    return got.status, kept, _TOKEN.sub(b"token", got.body)


def enroll(client: Client) -> Person:
    """Whoever this client is sets up two-step, through the API; the code of this step is spent by it."""
    started = client.api("POST", "totp").json()
    code = pyotp.TOTP(started["secret"]).at(int(client.rig.clock()))
    done = client.api("POST", "totp/confirm", {"enrollment": started["enrollment"], "code": code})
    assert done.status == 200, done.text
    person = Person(
        subject=client.user or "", secret=started["secret"], codes=tuple(done.json()["recovery_codes"])
    )
    client.rig.town.people[person.subject] = person
    return person


def begin_at_page(client: Client) -> str:
    """Whoever this client is begins to set up two-step on the page; the key that it shows."""
    client.page("/mfa/setup")
    client.submit("setup/choose", how="totp")
    return key_shown(client)


def key_shown(client: Client) -> str:
    """The key on the page that this client opens; empty if it shows none."""
    client.page("/mfa/setup")
    key = client.soup.find(id="key")
    return "" if key is None else "".join(key.get_text().split())


def opens(got: Got) -> bool:
    """True if an answer gives out a session."""
    return any(
        line.startswith("mfa_gate=") and not line.startswith("mfa_gate=;")
        for line in got.values("set-cookie")
    )


def notified(rig: Rig, subject: str, kind: EventKind) -> tuple[str, ...]:
    """Who is told of the newest event of this kind about somebody."""
    (newest,) = rig.town.store.events(account_id=account_id(REALM, subject), kind=kind, before=None, limit=1)
    return newest.event.notify


def setup_code(rig: Rig, subject: str) -> str:
    """What `mfa-gate admin-code` prints for a listed administrator."""
    town = rig.town
    offices = offices_of(town.store, town.keys.pepper[-1].secret, rig.settings.is_admin)
    return offices.setup_code(subject, rig.clock(), REALM)
