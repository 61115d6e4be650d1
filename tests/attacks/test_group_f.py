"""Attacks on sessions and cookies (F), through both doors.

Relatives that the catalogue does not name: a session of one's own planted on somebody, the same cookie twice, the
cookie's name without its prefix, tokens of one purpose in every other place, a session that is ended by another device,
by an administrator, by a portal sign-in, or while the store's list of changes is gone.
"""

import asyncio
import base64
import hashlib
import json
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from itsdangerous import Signer as PlainSigner
from itsdangerous import TimestampSigner
from itsdangerous.encoding import base64_encode, int_to_bytes

from mfa_gate.core.errors import KeysError, SettingsError
from mfa_gate.core.policy import HOUR
from mfa_gate.gate import Gate
from mfa_gate.keys import KeyRing
from mfa_gate.settings import Settings
from mfa_gate.signing import Csrf, Pending, SessionCookie, Signer
from tests.attacks.crew import Crew
from tests.attacks.everywhere import STATIC
from tests.attacks.grounds import (
    begin_at_page,
    csrf,
    enroll,
    form_ask,
    key_shown,
)
from tests.conftest import Scale
from tests.edges.asking import NAVIGATION, Ask, Got, Headers, asking
from tests.edges.fixtures import Build, Towns
from tests.edges.portal import Answer
from tests.edges.rig import COOKIE, Client, Rig
from tests.edges.town import PLAIN, SECRET, STORE_ID, basic

CAP = 50
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
HOST = "portal.example"
SECURE = {"public_url": f"https://{HOST}", "tls": "in-front"}


def refused(got: Got) -> bool:
    """True if a request did not reach the portal, and why is that no session came with it."""
    return got.status in {400, 401}


def bearing(rig: Rig, user: str, token: str) -> Got:
    """A request of somebody's with this text as the gate's cookie."""
    return rig.get("/files", cookies=[rig.portal_cookie(user), f"{COOKIE}={token}"])


def cookie_of(rig: Rig, token: str) -> SessionCookie:
    """What a session's cookie says."""
    found = rig.town.signer().read(token, SessionCookie, int(rig.clock()), 86_400)
    assert found is not None
    return found


# Another person


def test_F01_another_person_in_the_same_browser(rig: Rig) -> None:
    """Whoever signs in to the portal beside somebody's verified session has not verified."""
    client = rig.client("alice", verified=True)
    assert client.get().status == 200
    client.sign_in("bob")
    assert client.get().code == "two_step_code_required"
    client.sign_in("alice")
    assert client.get().code == "two_step_code_required"
    assert len(rig.seen) == 1


@pytest.mark.parametrize("field", [None, "sid"])
def test_F01_impersonation_inside_one_portal_session(build: Build, field: str | None) -> None:
    """An administrator who looks at the portal as somebody else is that person, who has not verified."""
    source = {"source": "starlette_session", "secret": "env:PORTAL_SECRET", "field": "user"}
    rig = build(identity=[source | ({"session_id_field": field} if field else {})])
    root = rig.client(None)
    root.sign_in("root", sid="one")
    assert root.verify(rig.person("root").code(rig.clock(), 1)).status == 200
    assert root.get().status == 200
    for person in ("bob", "carol", "alice"):
        root.sign_in(person, sid="one")
        assert root.get().status == 401
        assert root.get("/archive/x").status == 401
    root.sign_in("root", sid="one")
    assert root.get().code == "two_step_code_required", "the session ended with the first other person"
    assert {seen.told["subject"] for seen in rig.seen if seen.told} == {"root"}


@pytest.mark.parametrize("swapped", [False, True])
def test_F01_somebody_elses_session(rig: Rig, *, swapped: bool) -> None:
    """Bob bears alice's gate cookie, alone or beside his own, in either order: never alice, and never in."""
    alices, bobs = rig.gate_cookie("alice"), rig.gate_cookie("bob")
    pair = (bobs, alices) if swapped else (alices, bobs)
    portal = rig.portal_cookie("bob")
    for line in (
        f"{portal}; {pair[0]}; {pair[1]}",
        f"{pair[0]}; {portal}; {pair[1]}",
        f"{pair[0]}; {pair[1]}; {portal}",
    ):
        assert refused(rig.get("/files", ("Cookie", line)))
    if rig.door == "asgi":
        assert refused(rig.get("/files", ("Cookie", f"{portal}; {pair[0]}"), ("Cookie", pair[1])))
    for cookies in ([portal, pair[0], pair[0]], [pair[0], pair[0], portal]):
        assert refused(rig.get("/files", cookies=cookies))
    for more in ((), (basic("alice"),), (("Remote-User", "alice"),)):
        assert refused(rig.get("/files", *more, cookies=[portal, alices]))
    assert not rig.seen


def test_F01_two_people_in_the_portals_cookies(rig: Rig) -> None:
    """Two portal cookies of one name, in either order, with the session of either: nobody gets anything."""
    alice, bob = rig.portal_cookie("alice"), rig.portal_cookie("bob")
    for cookies in ([alice, bob], [bob, alice], [alice, alice.replace("session=", "session =")]):
        for session in (rig.gate_cookie("alice"), rig.gate_cookie("bob")):
            for line in ([*cookies, session], [session, *cookies]):
                assert refused(rig.get("/files", cookies=line))
                assert not rig.get("/files", *NAVIGATION, cookies=line).body.count(b"confidential")
    assert not rig.seen


# Fixation


def test_F03_every_verification_makes_another_session(rig: Rig) -> None:
    """The id changes with every code, also on top of a session, and what there was before is dead."""
    client, tokens = rig.client("alice"), list[str]()
    client.page("/mfa/verify")
    pending = client.jar["mfa_gate_pending"]
    for number in range(4):
        rig.clock.go(30)
        if number % 2:
            assert client.verify(rig.person("alice").code(rig.clock())).status == 200
        else:
            client.page("/mfa/verify?max_age=1")
            client.submit("verify", factor="totp", code=rig.person("alice").code(rig.clock()))
        tokens.append(client.session)
        rig.clock.go(5)
    assert len({cookie_of(rig, token).id for token in tokens}) == 4
    portal = f"session={client.jar['session']}"
    for token in tokens[:-1]:
        assert refused(rig.get("/files", cookies=[portal, f"{COOKIE}={token}"]))
    assert rig.get("/files", cookies=[portal, f"{COOKIE}={tokens[-1]}"]).status == 200
    assert "mfa_gate_pending" not in client.jar
    assert pending not in tokens


def test_F03_setting_up_makes_another_session_too(rig: Rig) -> None:
    """Nothing that a browser held before its first factor is worth anything after it."""
    client = rig.client("carol")
    client.page("/mfa/setup")
    before = dict(client.jar)
    enroll(client)
    assert client.get().status == 200
    assert refused(rig.get("/files", cookies=[f"{name}={value}" for name, value in before.items()]))


def test_F03_a_session_planted_on_somebody(rig: Rig) -> None:
    """Mallory puts cookies of her own into bob's browser: they make him nobody else, and she gets nothing of his."""
    mallory = rig.client("alice", verified=True)
    mallory.page("/mfa/verify?max_age=1")
    planted = dict(mallory.jar)
    bob = rig.client("bob")
    bob.jar |= {name: value for name, value in planted.items() if name != "session"}
    assert bob.get().code == "two_step_code_required"
    bob.page("/mfa/verify")
    rig.clock.go(30)
    bob.submit("verify", factor="totp", code=rig.person("bob").code(rig.clock()))
    assert bob.get().status == 200
    assert cookie_of(rig, bob.session).id != cookie_of(rig, planted[COOKIE]).id
    mallory.jar = planted
    assert mallory.get().status in {200, 401}
    assert {seen.told["subject"] for seen in rig.seen if seen.told} <= {"alice", "bob"}
    assert (
        rig.get("/files", cookies=[f"session={bob.jar['session']}", f"{COOKIE}={planted[COOKIE]}"]).status
        == 401
    )


# Changed tokens, and tokens of other purposes


def test_F05_a_changed_cookie(rig: Rig) -> None:
    """Every character of it, one by one, another; cut, lengthened, spelled otherwise: refused. As it was: it passes."""
    token = rig.client("alice", verified=True).session
    changed = [
        token[:at] + ("." if letter == "." else ALPHABET[(ALPHABET.index(letter) + 1) % 64]) + token[at + 1 :]
        for at, letter in enumerate(token)
        if letter != "."
    ]
    payload, signed_at, signature = token.split(".")
    changed += [
        token[:-1],
        token[1:],
        f"{token}A",
        f"{token}=",
        f"{token}.",
        f".{token}",
        f"{token}.{signature}",
        f"{payload}..{signature}",
        f"{payload}.{signature}.{signed_at}",
        f"{payload}{signed_at}.{signature}",
        f"{payload}.{signed_at}.",
        f"{payload}.{signed_at}",
        f"..{signature}",
        f'"{token}"',
        token.swapcase(),
        token.replace(".", "%2e"),
        token.replace("-", "+").replace("_", "/") if {"-", "_"} & set(token) else f"{token}+",
        f"{payload}=.{signed_at}.{signature}",
        f"{token}\\",
        f"{token},{token}",
        "",
        "null",
        "A" * 8_000,
    ]
    for text in changed:
        assert refused(bearing(rig, "alice", text)), text
    assert not rig.seen
    assert bearing(rig, "alice", token).status == 200


def test_F05_the_last_bits_of_a_token_have_one_spelling(rig: Rig) -> None:
    """Base64 has several spellings of the same bytes where they do not fill the last character; one of them is ours."""
    token = rig.client("alice", verified=True).session
    parts = token.split(".")
    for part in range(3):
        for letter in ALPHABET:
            other = [*parts]
            other[part] = other[part][:-1] + letter
            if other != parts:
                assert refused(bearing(rig, "alice", ".".join(other)))
    assert bearing(rig, "alice", token).status == 200


def test_F05_tokens_of_one_purpose_in_the_place_of_another(rig: Rig) -> None:
    """What is signed as a form's token, a way, or a link is no session; and a session is none of those."""
    client = rig.client("alice", verified=True)
    token, person = client.session, rig.person("alice")
    keys, now = [key.secret for key in rig.town.keys.cookie], int(rig.clock())
    genuine = cookie_of(rig, token)
    session_key = hashlib.sha256(genuine.id.encode()).hexdigest()
    way = Pending(id=session_key, account=person.id, next="", enrollment=None, started_at=now)
    for purpose in ("pending", "csrf", "link"):
        for payload in (genuine, way, Csrf(holder=session_key), Csrf(holder=person.id)):
            assert refused(bearing(rig, "alice", Signer(purpose, keys).sign(payload, now)))
    for payload in (way, Csrf(holder=session_key)):
        assert refused(bearing(rig, "alice", rig.town.signer().sign(payload, now)))
    client.page("/mfa/account")
    assert refused(bearing(rig, "alice", csrf(client)))
    fresh = rig.client("alice")
    fresh.page("/mfa/verify")
    assert refused(bearing(rig, "alice", fresh.jar["mfa_gate_pending"]))
    for text in (token, client.jar["session"], fresh.jar["mfa_gate_pending"], session_key, person.id):
        got = client.post("/mfa/account/sessions/end-others", {"csrf": text})
        assert got.status == 403
    forged = rig.client("alice")
    forged.jar["mfa_gate_pending"] = token
    assert forged.page("/mfa/verify").status == 200
    assert forged.jar["mfa_gate_pending"] != token


def test_F05_well_signed_and_still_not_ours(rig: Rig) -> None:
    """Signed with the right key, and yet no session: another account, id, epoch, store, or shape."""
    token = rig.client("alice", verified=True).session
    real = cookie_of(rig, token)
    sign, now = rig.town.signer().sign, int(rig.clock())
    others = (
        {"account": rig.person("bob").id},
        {"account": "0" * 32},
        {"account": ""},
        {"account": "org"},
        {"account": f"{real.account}\0"},
        {"id": "0" * 64},
        {"id": ""},
        {"id": hashlib.sha256(real.id.encode()).hexdigest()},
        {"id": "x" * 2_000},
        {"store": "another"},
        {"store": ""},
    )
    for changes in others:
        got = bearing(rig, "alice", sign(msgspec.structs.replace(real, **changes), now))
        assert refused(got) or got.status == 503, changes
    # The session itself says under which epoch it was made; the cookie's word is not needed, nor believed.
    old = rig.client("alice", verified=True)
    rig.town.reset("alice", rig.clock())
    rig.town.enroll("alice", rig.clock())
    rig.clock.go(5)
    now, epoch = int(rig.clock()), rig.town.account("alice").epoch
    lifted = sign(msgspec.structs.replace(cookie_of(rig, old.session), epoch=epoch), now)
    assert refused(bearing(rig, "alice", lifted))
    assert not rig.seen


# Signers


def crafted(
    secret: bytes, body: bytes, at: int, *, digest: Callable[..., object], salt: bytes, how: str
) -> str:
    """A token made by hand, as somebody who knows the library would."""

    class _At(TimestampSigner):
        def get_timestamp(self) -> int:
            return at

    signer = _At(secret, salt=salt, key_derivation=how, digest_method=digest)
    return signer.sign(base64_encode(body)).decode()


def test_F06_pitfalls_of_signers(rig: Rig) -> None:
    """Another key, digest, derivation, salt, time, or body: refused, each for itself. The right ones: taken."""
    token = rig.client("alice", verified=True).session
    key, now = rig.town.keys.cookie[-1].secret, int(rig.clock())
    real = msgspec.json.encode(cookie_of(rig, token))
    right = {"digest": hashlib.sha256, "salt": b"mfa_gate.session.1", "how": "hmac"}

    def judged(secret: bytes = key, body: bytes = real, at: int = now, **changes: object) -> Got:
        return bearing(rig, "alice", crafted(secret, body, at, **(right | changes)))  # type: ignore[arg-type]

    assert judged().status == 200, "the hand knows how; without that the rest says nothing"
    seen = len(rig.seen)
    for secret in (SECRET.encode(), b"", b"secret", b"changeme", key[:-1], key[1:], rig.town.keys.seal[-1].secret,
                   rig.town.keys.pepper[-1].secret, rig.town.keys.audit[-1].secret, STORE_ID.encode()):  # fmt: skip
        assert refused(judged(secret)), secret
    for changes in (
        {"digest": hashlib.sha1},
        {"digest": hashlib.sha512},
        {"digest": hashlib.md5},
        {"how": "concat"},
        {"how": "django-concat"},
        {"how": "none"},
        {"salt": b"itsdangerous.Signer"},
        {"salt": b"cookie-session"},
        {"salt": b""},
    ):
        assert refused(judged(**changes)), changes
    for at in (now + 61, now + 3_600, now + 2**31, now - 86_401, 0, 2**63):
        assert refused(judged(at=at)), at
    nested = b'{"account":' * 5_000
    for body in (
        b"", b"null", b"true", b"[]", b"{}", b'""', b"0", pickle.dumps(None), pickle.dumps({"id": "x"}), nested,
        real[:-1] + b',"admin":true}', real.replace(b'"epoch":', b'"epoch":"') + b'"', b"\xff\xfe" + real, b"\0" + real,
        real.replace(b'"id"', b'"ID"'), b"[" + real + b"]", real + real,
    ):  # fmt: skip
        assert refused(judged(body=body)), body[:60]
    plain = PlainSigner(key, salt=b"mfa_gate.session.1", key_derivation="hmac", digest_method=hashlib.sha256)
    stamp = base64_encode(int_to_bytes(now)).decode()
    untimed = plain.sign(base64_encode(real)).decode()
    for text in (
        untimed,
        untimed.replace(".", f".{stamp}.", 1),
        f"{base64_encode(real).decode()}.{stamp}.{'A' * 43}",
    ):
        assert refused(bearing(rig, "alice", text))
    assert len(rig.seen) == seen


def test_F06_retired_keys(rig: Rig) -> None:
    """A cookie lives as long as its key is among those that read; once that is gone, so is the cookie."""
    token = rig.client("alice", verified=True).session
    new = KeyRing.generate(os.urandom).cookie
    path, keys = rig.town.place / "keys.json", rig.town.keys
    verdicts = []
    for cookie in ((*keys.cookie, *new), new):
        path.unlink()
        msgspec.structs.replace(keys, cookie=cookie).write(path)
        other = Rig(rig.door, type(rig.town)(rig.town.place, rig.town.people))
        try:
            other.clock.now = rig.clock()
            verdicts.append(bearing(other, "alice", token).status)
        finally:
            other.close()
    assert verdicts == [200, 401]


@pytest.mark.parametrize("secret", [b"", b"secret", b"a" * 32, bytes(32), b"ab" * 16, bytes(range(31))])
@pytest.mark.parametrize("purpose", ["cookie", "seal", "pepper", "audit"])
def test_F06_no_start_with_a_weak_key(towns: Towns, tmp_path: Path, purpose: str, secret: bytes) -> None:
    """A key that is empty, short, or a few letters over and over: no gate."""
    town = towns[True].copy(tmp_path)
    path = tmp_path / "keys.json"
    ring = json.loads(path.read_text())
    ring[purpose][0]["secret"] = base64.b64encode(secret).decode()
    path.write_text(json.dumps(ring))
    with pytest.raises(KeysError) as error:
        Gate(town.settings())
    town.close()
    assert base64.b64encode(secret).decode() not in str(error.value) or not secret


@pytest.mark.parametrize("secret", ["", "secret", "changeme", "dev", "a" * 32])
def test_F06_no_start_with_a_portal_secret_that_anybody_guesses(tmp_path: Path, secret: str) -> None:
    """Who guesses the secret by which the portal signs its cookies is anybody: the settings are refused."""
    with pytest.raises(SettingsError):
        Settings.from_mapping(PLAIN, tmp_path, environ={"PORTAL_SECRET": secret})


# Signing out


def _signs_out(rig: Rig, client: Client) -> None:
    client.page("/mfa/account")
    assert client.post("/mfa/signout", {"csrf": csrf(client)}).status == 200
    del rig


def _portal_signs_out(rig: Rig, client: Client) -> None:
    assert client.get("/logout").status == 200
    del rig


def _portal_signs_out_by_form(rig: Rig, client: Client) -> None:
    assert client.ask("POST", "/logout").status == 200
    del rig


def _portal_signs_in_anew(rig: Rig, client: Client) -> None:
    client.ask("POST", "/login", (), b"username=alice&password=demo")
    del rig


def _portal_forgets(rig: Rig, client: Client) -> None:
    rig.get("/files", cookies=[f"{COOKIE}={client.session}"])


def _ended_from_another_browser(rig: Rig, client: Client) -> None:
    other = rig.client("alice", verified=True)
    other.page("/mfa/account")
    key = hashlib.sha256(cookie_of(rig, client.session).id.encode()).hexdigest()
    mine = rig.town.store.sessions(rig.person("alice").id, int(rig.clock()))
    (handle,) = (session.handle for session in mine if session.key == key)
    assert other.post("/mfa/account/sessions/end", {"csrf": csrf(other), "session": handle}).status == 303


def _all_others_ended(rig: Rig, client: Client) -> None:
    other = rig.client("alice", verified=True)
    other.page("/mfa/account")
    assert other.post("/mfa/account/sessions/end-others", {"csrf": csrf(other)}).status == 303
    del client


def _ended_by_an_administrator(rig: Rig, client: Client) -> None:
    root = rig.client("root", verified=True)
    root.page("/mfa/account")
    fields = {"reason": "left a laptop", "revision": rig.town.account("alice").revision}
    assert rig.ask(form_ask(root, f"admin/users/{rig.person('alice').id}/sign-out", **fields)).status == 303
    del client


ENDS = [
    _signs_out,
    _portal_signs_out,
    _portal_signs_out_by_form,
    _portal_signs_in_anew,
    _portal_forgets,
    _ended_from_another_browser,
    _all_others_ended,
    _ended_by_an_administrator,
]


@pytest.mark.parametrize("end", ENDS)
def test_F07_a_session_that_ended_is_over_everywhere(
    rig: Rig, crew: Crew, end: Callable[[Rig, Client], None]
) -> None:
    """However it was ended: the old cookies are refused by this process at once, by every other within a second."""
    crew.join(rig)
    client = rig.client("alice", verified=True)
    old = Ask(headers=client.cookies)
    assert client.get().status == 200
    assert {got.status for got in crew.each(old, rig.clock())} == {200}
    reached = crew.reached()
    end(rig, client)
    assert rig.ask(old).code == "two_step_code_required"
    for later in (1, 5, 600):
        assert {got.code for got in crew.each(old, rig.clock() + later)} == {"two_step_code_required"}
    assert crew.reached() == reached
    assert refused(bearing(rig, "alice", client.session or old.headers[0][1].partition(f"{COOKIE}=")[2]))


def test_F07_signing_out_takes_both_cookies(rig: Rig) -> None:
    """Nothing of ours is left in the browser, and going back shows nothing."""
    client = rig.client("alice", verified=True)
    client.page("/mfa/verify?max_age=1")
    _signs_out(rig, client)
    assert set(client.jar) == {"session"}
    assert client.page("/mfa/account").status == 200
    assert "Turn off" not in client.soup.get_text()


def test_F07_nobody_is_told_to_be_out_who_is_not(rig: Rig) -> None:
    """While the store takes no write, signing out of the portal fails for whoever has a session, and says so."""
    client, stranger = rig.client("alice", verified=True), rig.client(None)
    assert client.get().status == 200
    with rig.town.holding.takes_no_write():
        for method in ("GET", "POST"):
            got = client.ask(method, "/logout")
            assert (got.status, got.code) == (503, "unavailable")
        assert stranger.get("/logout").status == 200
        assert rig.client("alice").get("/logout").status == 200
    assert [seen.path for seen in rig.seen] == ["/files", "/logout", "/logout"]
    old = Ask(headers=client.cookies)
    assert client.get("/logout").status == 200
    assert rig.ask(old).code == "two_step_code_required"


# How long


def test_F11_idle(rig: Rig, crew: Crew) -> None:
    """Half an hour without a request ends a session, whatever its cookie says; a request in time keeps it."""
    crew.join(rig)
    client = rig.client("alice", verified=True)
    for _ in range(6):
        rig.clock.go(1_700)
        assert client.get().status == 200
    rig.clock.go(1_801)
    assert client.get().code == "two_step_code_required"
    ask = Ask(headers=client.cookies)
    assert {got.code for got in crew.each(ask, rig.clock())} == {"two_step_code_required"}


def test_F11_absolute(rig: Rig) -> None:
    """Twelve hours after the code it is over, however busy."""
    client, began = rig.client("alice", verified=True), rig.clock()
    while rig.clock() + 600 < began + 12 * HOUR:
        rig.clock.go(600)
        assert client.get().status == 200
    rig.clock.now = began + 12 * HOUR - 1
    assert client.get().status == 200
    rig.clock.go(1)
    assert client.get().code == "two_step_code_required"


def test_F11_a_shorter_policy_counts_for_sessions_that_live(rig: Rig) -> None:
    """Sessions are judged by the policy of now."""
    client = rig.client("alice", verified=True)
    rig.clock.go(700)
    assert client.get().status == 200
    rig.requires(session_ttl_seconds=600)
    assert client.get().code == "two_step_code_required"


def test_F11_what_does_not_count_as_use(rig: Rig) -> None:
    """Refused requests, and requests of somebody who bears the cookie alone, keep no session awake."""
    client = rig.client("alice", verified=True)
    token = client.session
    for _ in range(4):
        rig.clock.go(500)
        rig.get("/files", ("Sec-Fetch-Site", "cross-site"), cookies=[f"{COOKIE}={token}"])
        rig.get(
            "/files", cookies=[rig.portal_cookie("alice"), rig.portal_cookie("alice"), f"{COOKIE}={token}"]
        )
    assert client.get().code == "two_step_code_required"
    assert not rig.seen


# How many


def test_F12_the_fifty_first_session_ends_the_first(rig: Rig, scale: Scale) -> None:
    """Signing in again and again fills nothing: the newest fifty stay."""
    clients = []
    for _ in range({"small": CAP + 6, "full": 1_000}[scale]):
        rig.clock.go(30)
        client = rig.client("alice")
        assert client.verify(rig.person("alice").code(rig.clock())).status == 200
        clients.append(client)
        if len(clients) % 10 == 0:
            assert len(rig.town.store.sessions(rig.person("alice").id, int(rig.clock()))) <= CAP
    assert clients[0].get().code == "two_step_code_required"
    assert clients[-CAP - 1].get().code == "two_step_code_required"
    assert clients[-1].get().status == 200
    assert len(rig.town.holding.live(rig.person("alice").id)) <= CAP


# What browsers are told of our cookies


def attributes(line: str) -> tuple[str, set[str]]:
    """A cookie's name and its attributes."""
    pair, *rest = line.split("; ")
    return pair.partition("=")[0], {each.lower() for each in rest}


@pytest.mark.parametrize("secure", [False, True])
def test_F13_attributes(build: Build, *, secure: bool) -> None:
    """For this host alone, whole site, out of reach of scripts, not sent by forms of others; over https marked so."""
    rig = build(**SECURE) if secure else build()
    host = HOST if secure else "localhost:8000"
    origin = f"https://{HOST}" if secure else "http://localhost:8000"
    portal = rig.portal_cookie("alice")
    way = rig.get(f"/mfa/verify?next=/{'x' * 2_000}", *NAVIGATION, cookies=[portal], host=host)
    rig.clock.go(30)
    code = rig.person("alice").code(rig.clock())
    sent: Headers = (("Cookie", portal), ("Origin", origin), ("Content-Type", "application/json"))
    done = rig.ask(
        Ask(
            method="POST",
            target="/mfa/api/v1/verify",
            host=host,
            headers=sent,
            body=f'{{"factor":"totp","code":"{code}"}}'.encode(),
        )
    )
    assert done.status == 200
    lines = [*way.values("set-cookie"), *done.values("set-cookie")]
    prefix = "__Host-" if secure else ""
    assert {attributes(line)[0] for line in lines} == {f"{prefix}mfa_gate", f"{prefix}mfa_gate_pending"}
    for line in lines:
        name, found = attributes(line)
        assert found - {"max-age=0"} == {"path=/", "httponly", "samesite=lax"} | (
            {"secure"} if secure else set()
        )
        assert len(line.partition(";")[0]) < 4_096
        assert "domain" not in line.lower()
        assert not re.search(r"[\s\"\\,]", line.partition(";")[0])
        assert name.startswith(prefix)


def test_F13_a_cookie_without_its_prefix_is_none(build: Build) -> None:
    """Over https a sister host or plain http could set `mfa_gate`; it is not looked at. And over http no prefix is."""
    rig = build(**SECURE)
    value = rig.gate_cookie("alice").partition("=")[2]
    for name in (
        "mfa_gate",
        "__host-mfa_gate",
        "__HOST-mfa_gate",
        "__Secure-mfa_gate",
        "__Host-mfa_gat",
        "Host-mfa_gate",
    ):
        got = rig.get("/files", cookies=[rig.portal_cookie("alice"), f"{name}={value}"], host=HOST)
        assert got.code == "two_step_code_required", name
    assert (
        rig.get("/files", cookies=[rig.portal_cookie("alice"), f"__Host-mfa_gate={value}"], host=HOST).status
        == 200
    )
    plain = build()
    value = plain.gate_cookie("alice").partition("=")[2]
    for name in ("__Host-mfa_gate", "MFA_GATE", "Mfa_gate", "mfa-gate", "$mfa_gate", "mfa_gate_pending"):
        got = plain.get("/files", cookies=[plain.portal_cookie("alice"), f"{name}={value}"])
        assert got.code == "two_step_code_required", name


# What Python, and so many a framework, strips from a name, and no browser: as characters, or in UTF-8.
ODD_SPACES = ("\x0b", "\x1f", "\x85", "\xa0", "\xc2\xa0", "\xe2\x80\x80", "\xe3\x80\x80")


@pytest.mark.parametrize("space", ODD_SPACES)
def test_F13_a_prefix_behind_an_odd_space_is_none(build: Build, space: str) -> None:
    """A browser lets a sister host set `__Host-x` with a space of Unicode in front: not ours, and it bars nobody."""
    rig = build(**SECURE)
    portal, ours = rig.portal_cookie("alice"), rig.gate_cookie("alice")
    name, _, value = ours.partition("=")
    for odd in (f"{space}{ours}", f"{name}{space}={value}", f"{space}{name}{space}={value}"):
        for cookies in ([portal, odd], [odd, portal]):
            assert rig.get("/files", cookies=cookies, host=HOST).code == "two_step_code_required"
        assert not rig.seen
        assert rig.get("/files", cookies=[odd, portal, ours], host=HOST).status == 200
        assert dict(rig.seen.pop().headers)["cookie"] == portal


@pytest.mark.parametrize("space", ODD_SPACES)
def test_F13_an_enrollment_behind_an_odd_space_is_not_gone_on_with(rig: Rig, space: str) -> None:
    """Who knows carol's password begins to set up, and has a sister host plant the way on her: she gets another key."""
    mallory, carol = rig.client("carol"), rig.client("carol")
    key = begin_at_page(mallory)
    carol.jar[f"{space}mfa_gate_pending"] = mallory.jar["mfa_gate_pending"]
    assert key
    assert key_shown(carol) == ""
    assert begin_at_page(carol) not in {"", key}


def test_F13_a_cookie_of_another_gate_is_none(build: Build) -> None:
    """Two gates on one machine, as ports of one host share cookies: the session of one is nothing at the other."""
    here, there = build(), build()
    client = here.client("alice", verified=True)
    assert client.get().status == 200
    (there.town.place / "keys.json").unlink()
    KeyRing.generate(os.urandom).write(there.town.place / "keys.json")
    assert bearing(here, "alice", client.session).status == 200
    assert there.get(
        "/files", cookies=[there.portal_cookie("alice"), f"{COOKIE}={client.session}"]
    ).status in {401, 503}
    assert not there.seen


# What a client makes of an answer


def test_F14_an_answer_that_was_changed_changes_nothing(rig: Rig) -> None:
    """Whatever a client pretends to have been told: where it stands is known here alone."""
    client = rig.client("bob")
    rejected = client.verify("000000" if rig.person("bob").code(rig.clock()) != "000000" else "000001")
    assert rejected.code == "code_rejected"
    claims: Headers = (
        ("X-Mfa-Verified", "true"),
        ("MFA-Gate-Session", "verified"),
        ("Cookie", f"session={client.jar['session']}; mfa_verified=1; {COOKIE}=true"),
    )
    client.jar.pop("session")
    for target in ("/files?verified=true", "/files?state=verified", "/archive/x"):
        assert client.ask("GET", target, claims).code == "two_step_code_required"
    for body in (
        {"state": "verified"},
        {"ok": True},
        {"session": {"amr": ["mfa"], "acr": "urn:mfa-gate:aal2"}},
    ):
        again = rig.client("bob")
        assert again.api("POST", "verify", {"factor": "totp", "code": "1", **body}).status == 422
        assert again.api("GET", "status").json()["state"] == "code_required"
    assert not rig.seen


# Nobody told of the change


def test_F15_revocation_without_the_list_of_changes(rig: Rig, crew: Crew) -> None:
    """What tells the other processes of changes is gone: within five seconds they refuse all the same."""
    crew.join(rig)
    client = rig.client("alice", verified=True)
    old = Ask(headers=client.cookies)
    assert {got.status for got in crew.each(old, rig.clock())} == {200}
    reached = crew.reached()
    with rig.town.holding.untold():
        rig.town.reset("alice", rig.clock())
        assert {got.status for got in crew.each(old, rig.clock() + 5)} == {401}
    assert crew.reached() == reached


# One answer for another


def test_F16_nobody_gets_somebody_elses_answer(rig: Rig, crew: Crew) -> None:
    """Five people ask who they are, four processes at once: each is told of themselves."""
    crew.join(rig)
    people = ["alice", "bob", "carol", "root", "help"]
    clients = [rig.client(name, verified=name != "carol") for name in people]
    asks = [Ask(target="/mfa/api/v1/status", headers=clients[number % 5].cookies) for number in range(200)]
    answers = crew.fire(asks, rig.clock())
    assert [got.json()["subject"] for got in answers] == [people[number % 5] for number in range(200)]


def test_F16_requests_that_are_given_up_leave_nothing_to_the_next(build: Build) -> None:
    """Requests are cancelled at every point of their way; whoever comes next gets an answer of their own."""
    rig = build(door="asgi")
    people = ["alice", "bob", "carol", "root"]
    clients = {name: rig.client(name, verified=name != "carol") for name in people}

    async def status(name: str) -> str:
        got = await asking(rig.asgi, Ask(target="/mfa/api/v1/status", headers=clients[name].cookies))
        return str(got.json()["subject"])

    async def story() -> list[str]:
        for turn in range(60):
            tasks = [asyncio.ensure_future(status(name)) for name in people]
            for _ in range(turn % 20):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return list(await asyncio.gather(*(status(name) for name in people * 5)))

    assert asyncio.run(story()) == people * 5


# Caches


def test_F18_what_may_be_kept_carries_nobodys_cookie(rig: Rig) -> None:
    """Style sheets and pictures may be kept by anybody, hence nothing of anybody is in them."""
    for client in (rig.client(None), rig.client("bob"), rig.client("alice", verified=True)):
        for target in STATIC:
            got = client.get(target)
            assert got.status == 200
            assert not got.values("set-cookie")
            assert (
                "vary" not in {name.lower() for name, _ in got.headers}
                or "cookie" not in got.header("vary").lower()
            )


@pytest.mark.parametrize(
    "said", ["public, max-age=600", "s-maxage=60", "public", "max-age=60, immutable, public"]
)
def test_F18_the_portals_answers_are_for_one_person(rig: Rig, said: str) -> None:
    """What the portal would let a cache share is private behind the gate; a refusal is kept by nobody."""
    rig.canary.answers["/files"] = Answer(
        headers=(("Cache-Control", said), ("Expires", "Fri, 01 Jan 2100 00:00:00 GMT"))
    )
    got = rig.client("alice", verified=True).get()
    assert got.status == 200
    control = {each.strip().partition("=")[0] for each in got.header("cache-control").lower().split(",")}
    assert "private" in control
    assert not control & {"public", "s-maxage"}
    assert {each.strip().lower() for each in got.header("vary").split(",")} >= {"cookie", "authorization"}
    for client in (rig.client(None), rig.client("bob"), rig.client("carol")):
        for kind in (NAVIGATION, ()):
            refusal = client.ask("GET", "/files", kind)
            assert refusal.header("cache-control") == "no-store"
            assert not refusal.values("etag")
            assert not refusal.values("last-modified")


@pytest.mark.parametrize("name", ["If-None-Match", "If-Modified-Since", "If-Match", "If-Range", "Range"])
def test_F18_conditions_change_no_verdict(rig: Rig, name: str) -> None:
    """Whoever says what they have already is told nothing that they may not know."""
    value = {"Range": "bytes=0-10"}.get(name, '"x"' if "Match" in name else "Fri, 01 Jan 2100 00:00:00 GMT")
    for client in (rig.client(None), rig.client("bob")):
        assert client.get("/files", (name, value)).status == 401
        assert client.visit("/files", (name, value)).status == 303
    assert not rig.seen


# The clock


def turned(rig: Rig, to: float) -> None:
    """Somebody turns the wall clock; a second goes by, so that nothing is recalled from before."""
    rig.clock.now = to
    current = rig.gate.parts.current
    assert current is not None
    current.cache.drop_all()


@pytest.mark.parametrize("back", [61, 3_600, 86_400, 10 * 86_400])
def test_F20_a_clock_set_back_lengthens_nothing(rig: Rig, back: int) -> None:
    """A session ends when it would have ended, and does not count while the clock is before its beginning."""
    client, began = rig.client("alice", verified=True), rig.clock()
    assert client.get().status == 200
    turned(rig, began - back)
    assert refused(client.get())
    assert refused(client.get("/archive/x"))
    turned(rig, began + 1_799)
    assert client.get().status in {200, 401}
    turned(rig, began + 12 * HOUR)
    assert refused(client.get())


def test_F20_a_session_that_was_used_in_the_future(rig: Rig) -> None:
    """A worker whose clock is ahead has touched it; it lives no longer for that."""
    client, began = rig.client("alice", verified=True), rig.clock()
    rig.clock.go(1_500)
    assert client.get().status == 200
    turned(rig, began + 60)
    assert refused(client.get())
    turned(rig, began + 1_500 + 1_801)
    assert refused(client.get())


def test_F20_a_fresh_code_does_not_stay_fresh(rig: Rig) -> None:
    """Step-up asks for a code of the last five minutes; a clock that is set back makes none of an old one."""
    client, began = rig.client("alice", verified=True), rig.clock()
    assert client.get("/archive/x").status == 200
    for later in (301, 400, 1_000):
        turned(rig, began + later)
        assert client.get("/archive/x").code == "two_step_code_required"
        assert client.get().status == 200
    turned(rig, began - 61)
    assert client.get("/archive/x").status == 401
