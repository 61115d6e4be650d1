"""Attacks on remembered browsers (F09 and its relatives), through both doors.

Relatives that the catalogue does not name: a copy used at the same moment, before and after its owner; what a
sister host or another person planted; the same name of another realm; a lifetime that is turned off and on again; an
answer that never arrived; a session that outlives its browser.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from mfa_gate.core.assurance import SKEW_SECONDS
from mfa_gate.core.policy import DAY
from mfa_gate.core.policy_changes import PolicyChanges
from mfa_gate.core.remembered import GRACE_SECONDS
from mfa_gate.core.throttle import LOCK_AFTER, Strikes
from mfa_gate.flows.assistance import ForgetBrowser
from mfa_gate.flows.results import Done, PolicyChanged
from mfa_gate.ports import Change
from tests.attacks.crew import WORKERS, Crew
from tests.attacks.grounds import enroll
from tests.edges.asking import NAVIGATION, Ask, Got
from tests.edges.fixtures import Build
from tests.edges.rig import COOKIE, Client, Rig
from tests.edges.town import Town

BROWSER = f"{COOKIE}_browser"


def remembering(rig: Rig, **policy: Any) -> Rig:  # noqa: ANN401
    """The gate where browsers are remembered for thirty days."""
    rig.requires(**({"remember_seconds": 30 * DAY} | policy))
    return rig


def remembered(rig: Rig, user: str = "alice") -> Client:
    """A browser of somebody's that was just remembered."""
    client = rig.client(user)
    client.page("/files")
    rig.clock.go(30)
    got = client.submit("verify", code=rig.person(user).code(rig.clock()), remember="1")
    assert got.status == 303
    assert BROWSER in client.jar
    return client


def signs_in_again(client: Client) -> Client:
    """The same browser after a new sign-in to the portal, which ends the gate's session."""
    client.ask("POST", "/login")
    assert client.user is not None
    client.sign_in(client.user)
    client.jar.pop(COOKIE, None)
    return client


def comes_in(client: Client, target: str = "/files") -> bool:
    """Whether this browser reaches the portal by following links, without anybody typing anything."""
    before = len(client.rig.seen)
    client.page(target)
    return target in [seen.path for seen in client.rig.seen[before:]]


def copy_of(client: Client) -> Client:
    """Somebody with the password and with everything that this browser remembers, elsewhere."""
    thief = client.rig.client(client.user, peer="203.0.113.66")
    thief.jar[BROWSER] = client.jar[BROWSER]
    return thief


def kinds(rig: Rig, user: str = "alice") -> list[str]:
    return [kind for kind in rig.town.events(user) if kind.startswith("browser_")]


def test_F09_a_browser_is_remembered_after_a_good_code_and_where_the_policy_says_so(rig: Rig) -> None:
    """Without the policy, with a wrong code, or with what is no code: nothing is given out, and nothing kept."""
    client = rig.client("alice")
    client.page("/files")
    assert "remember" not in client.form("verify")
    assert "Remember this browser" not in client.soup.get_text()
    rig.clock.go(30)
    client.submit("verify", code=rig.person("alice").code(rig.clock()), remember="1")
    assert client.get().status == 200
    assert BROWSER not in client.jar
    remembering(rig)
    other = rig.client("alice")
    other.page("/files")
    assert "Remember this browser for 30 days" in other.soup.get_text()
    for code in ("000000", "", "x" * 80):
        other.submit("verify", code=code, remember="1")
        other.page("/files")
    assert BROWSER not in other.jar
    assert not rig.town.account("alice").remembered
    assert kinds(rig) == []


def test_E18_F09_a_recovery_code_is_one_sign_in_and_remembers_nothing(rig: Rig) -> None:
    """Neither on the page nor through the API."""
    remembering(rig)
    for number in range(2):
        client = rig.client("alice")
        client.page("/mfa/verify?factor=recovery_code")
        code = rig.person("alice").codes[number]
        if number:
            client.api("POST", "verify", {"factor": "recovery_code", "code": code, "remember": True})
        else:
            client.submit("verify", factor="recovery_code", code=code, remember="1")
        assert client.get().status == 200
        assert BROWSER not in client.jar
        assert not comes_in(signs_in_again(client))


def test_F09_F13_its_cookie_is_for_this_host_alone_and_reaches_no_portal(build: Build) -> None:
    """As the session's: `__Host-`, out of reach of scripts; and the portal can neither see nor set it."""
    rig = remembering(build(public_url="https://portal.example", tls="in-front"))
    name = f"__Host-{BROWSER}"
    client = rig.client("alice")
    rig.clock.go(30)
    sent = msgspec.json.encode(
        {"factor": "totp", "code": rig.person("alice").code(rig.clock()), "remember": True}
    )
    headers = (("MFA-Gate-Request", "1"), ("Content-Type", "application/json"))
    got = client.ask("POST", "/mfa/api/v1/verify", headers, sent, host="portal.example")
    (cookie,) = [value for key, value in got.headers if key == "set-cookie" and value.startswith(name)]
    value, *attributes = cookie.split("; ")
    assert set(attributes) == {"Path=/", f"Max-Age={30 * DAY}", "HttpOnly", "SameSite=Lax", "Secure"}
    assert len(value) < 120
    token = value.partition(".")[2]
    assert token.encode() not in rig.town.holding.everything()
    assert client.ask("GET", "/files", host="portal.example").status == 200
    (seen,) = rig.seen
    assert all(BROWSER not in line for line in seen.values("cookie"))


def test_F09_what_it_opens_is_not_what_a_code_opens(rig: Rig) -> None:
    """Neither pages of administration, nor rules that ask for more, nor changes of one's own two-step."""
    remembering(rig)
    root = signs_in_again(remembered(rig, "root"))
    assert comes_in(root)
    assert root.get().status == 200
    told = rig.seen[-1].told
    assert told is not None
    assert (told["acr"], told["amr"]) == ("urn:mfa-gate:aal1", ("urn:mfa-gate:remembered_browser",))
    assert told["verified_at"] <= rig.clock()
    assert not comes_in(root, "/archive/x")
    assert root.get("/archive/x").code == "two_step_code_required"
    for target in ("/mfa/admin", "/mfa/admin/users", "/mfa/admin/settings/policies", "/mfa/admin/audit"):
        root.page(target)
        assert root.soup.find(id="code") is not None, target
        assert "Confirm" in root.soup.get_text()
    for method, path in (("GET", "admin/users"), ("GET", "admin/policy"), ("GET", "admin/audit?limit=1")):
        assert root.api(method, path).code == "two_step_code_required", path
    root.page("/mfa/account")
    before = rig.town.account("root")
    for action in ("account/recovery-codes", "account/replace"):
        root.page("/mfa/account")
        root.submit(action)
        assert root.soup.find(id="code") is not None
    assert rig.town.account("root").recovery == before.recovery
    assert rig.town.account("root").totps == before.totps


def test_F09_a_step_up_page_asks_at_once_and_the_browser_stays_as_it_is(rig: Rig) -> None:
    """Whoever is on the way to more than it opens gives a code first; the token is not spent for nothing."""
    remembering(rig)
    client = signs_in_again(remembered(rig))
    held = client.jar[BROWSER]
    assert not comes_in(client, "/archive/x")
    assert client.jar[BROWSER] == held
    assert "Remember this browser" not in client.soup.get_text()


def test_F09_its_token_changes_with_each_use_and_an_older_one_is_a_copy(rig: Rig) -> None:
    """The owner goes on, the thief comes later with what was copied: refused, noticed, told, and both are asked."""
    remembering(rig)
    owner = remembered(rig)
    thief = copy_of(owner)
    assert comes_in(signs_in_again(owner))
    assert owner.jar[BROWSER] != thief.jar[BROWSER]
    rig.clock.go(GRACE_SECONDS + 1)
    assert owner.get().status == 200
    assert not comes_in(thief)
    assert kinds(rig) == ["browser_remembered", "browser_recognized", "browser_copied"]
    (copied,) = rig.town.store.events(
        account_id=rig.person("alice").id, kind="browser_copied", before=None, limit=2
    )
    assert copied.event.notify == ("owner",)
    assert copied.event.actor.address == "203.0.113.66"
    rig.clock.go(5)
    assert owner.get().code == "two_step_code_required"
    assert not comes_in(owner)
    assert "Remember this browser" in owner.soup.get_text()


@pytest.mark.parametrize("first", ["owner", "thief"])
def test_F09_a_copy_that_is_used_at_the_same_moment_is_noticed_at_the_next(rig: Rig, first: str) -> None:
    """Within the time that is left to parallel requests both are given the same; then one of them is too late."""
    remembering(rig)
    owner = remembered(rig)
    thief = copy_of(signs_in_again(owner))
    assert comes_in(owner)
    assert comes_in(thief)
    assert owner.jar[BROWSER] == thief.jar[BROWSER]
    rig.clock.go(DAY)
    one, other = (owner, thief) if first == "owner" else (thief, owner)
    assert comes_in(signs_in_again(one))
    rig.clock.go(GRACE_SECONDS + 1)
    assert not comes_in(signs_in_again(other))
    rig.clock.go(5)
    assert not comes_in(signs_in_again(one))
    assert kinds(rig)[-1] == "browser_copied"


def test_F09_a_thief_who_comes_first_is_told_to_the_owner_at_once(rig: Rig) -> None:
    """From a network or browser that is new, whatever its cookie says."""
    remembering(rig)
    thief = copy_of(remembered(rig))
    assert comes_in(thief)
    (seen,) = rig.town.store.events(
        account_id=rig.person("alice").id, kind="browser_recognized", before=None, limit=2
    )
    assert seen.event.notify == ("owner",)


def test_F09_an_answer_that_never_arrived(rig: Rig) -> None:
    """Killed between the exchange and the answer: a reload gives the same token; a day later it is a copy, and asks."""
    remembering(rig)
    client = signs_in_again(remembered(rig))
    before = dict(client.jar)
    assert comes_in(client)
    given = client.jar[BROWSER]
    client.jar = dict(before)
    rig.clock.go(GRACE_SECONDS - 5)
    assert comes_in(client)
    assert client.jar[BROWSER] == given
    client.jar = dict(before)
    rig.clock.go(DAY)
    assert not comes_in(client)
    assert kinds(rig)[-1] == "browser_copied"
    rig.clock.go(30)
    client.submit("verify", code=rig.person("alice").code(rig.clock()), remember="1")
    assert comes_in(signs_in_again(client))


def test_F09_its_end_is_absolute(rig: Rig) -> None:
    """Used every day, it is over after thirty; and a session that it opened does not outlive it."""
    remembering(rig, session_ttl_seconds=DAY, idle_ttl_seconds=DAY)
    client = remembered(rig)
    began = rig.clock()
    for day in range(1, 30):
        rig.clock.now = began + day * DAY
        assert comes_in(signs_in_again(client)), day
    rig.clock.now = began + 30 * DAY - 60
    assert comes_in(signs_in_again(client))
    rig.clock.now = began + 30 * DAY
    assert client.get().code == "two_step_code_required"
    assert not comes_in(client)


def test_F05_F09_a_changed_cookie(rig: Rig) -> None:
    """Every part of it changed, cut or spelled otherwise; another purpose's; twice. None of it opens anything."""
    remembering(rig)
    owner = signs_in_again(remembered(rig))
    held, session = owner.jar[BROWSER], rig.gate_cookie("alice").partition("=")[2]
    name, token = held.split(".")
    other = "B" if name[0] == "A" else "A"
    for text in (
        other + name[1:] + "." + token,
        name + ".",
        "." + token,
        name + "." + token + "A",
        held + "=",
        f'"{held}"',
        held.replace(".", "%2e"),
        name + token,
        held + "." + token,
        session,
        "",
        "null",
        "A" * 4_000,
        f"{held}; {BROWSER}={held}",
        f"x; {BROWSER}={held}",
    ):
        client = rig.client("alice")
        client.jar[BROWSER] = text
        assert not comes_in(client), text
    for where in (COOKIE, f"{COOKIE}_pending"):
        client = rig.client("alice")
        client.jar[where] = held
        assert not comes_in(client)
    assert kinds(rig) == ["browser_remembered"], "nothing of that was an event, nor ended the browser"
    assert comes_in(owner)


def test_F09_a_token_of_ones_own_making_ends_the_browser(rig: Rig) -> None:
    """Who holds its id and not its token has an older copy, or guesses; there is nothing to guess twice."""
    remembering(rig)
    owner = signs_in_again(remembered(rig))
    client = copy_of(owner)
    name, token = client.jar[BROWSER].split(".")
    client.jar[BROWSER] = f"{name}.{'B' if token[0] == 'A' else 'A'}{token[1:]}"
    assert not comes_in(client)
    assert kinds(rig)[-1] == "browser_copied"
    assert not comes_in(owner)


def test_F01_F09_another_person_in_the_same_browser(rig: Rig) -> None:
    """It is remembered for one person: bob is asked, alice is not; once bob has it remembered, alice is asked."""
    remembering(rig)
    client = signs_in_again(remembered(rig))
    client.sign_in("bob")
    assert not comes_in(client)
    assert kinds(rig, "bob") == []
    client.sign_in("alice")
    assert comes_in(client)
    client.sign_in("bob")
    client.page("/files")
    rig.clock.go(30)
    client.submit("verify", code=rig.person("bob").code(rig.clock()), remember="1")
    client.jar.pop(COOKIE)
    assert comes_in(client)
    client.sign_in("alice")
    assert not comes_in(client)


def test_F03_F09_one_planted_by_somebody_else(rig: Rig) -> None:
    """Mallory's cookie in bob's browser, from a sister host or by hand: it is not his, and he gets one of his own."""
    remembering(rig)
    planted = remembered(rig).jar[BROWSER]
    bob = rig.client("bob")
    bob.jar[BROWSER] = planted
    assert not comes_in(bob)
    bob.page("/files")
    rig.clock.go(30)
    bob.submit("verify", code=rig.person("bob").code(rig.clock()), remember="1")
    assert bob.jar[BROWSER].partition(".")[0] != planted.partition(".")[0]
    mallory = rig.client("bob")
    mallory.jar[BROWSER] = planted
    assert not comes_in(mallory)
    assert not comes_in(rig.client(None))
    assert kinds(rig, "bob") == ["browser_remembered"]


def test_F09_the_same_name_of_another_realm(rig: Rig) -> None:
    """Two portals on one store: alice of the other one is somebody else."""
    remembering(rig)
    held = remembered(rig).jar[BROWSER]
    source = {"source": "starlette_session", "secret": "env:PORTAL_SECRET", "field": "user"}
    other = Rig(rig.door, Town(rig.town.place), identity=[source | {"realm": "elsewhere"}])
    other.clock.now = rig.clock()
    try:
        client = other.client("alice")
        client.page("/mfa/setup")
        enroll(client)
        again = other.client("alice")
        again.jar[BROWSER] = held
        assert not comes_in(again)
        assert again.soup.find(id="code") is not None
    finally:
        other.close()
    assert kinds(rig) == ["browser_remembered"]


# What ends it


def forgotten_by_an_administrator(rig: Rig) -> None:
    done = rig.town.offices.assistance.assist_from_shell(
        "seed", ForgetBrowser(), rig.person("alice").id, "used in a hotel", int(rig.clock())
    )
    assert isinstance(done, Done)


def deactivated(rig: Rig) -> None:
    account = replace(rig.town.account("alice"), active=False)
    rig.town.store.commit(Change(account=account), int(rig.clock()))


ENDS: dict[str, Callable[[Rig], None]] = {
    "reset": lambda rig: rig.town.reset("alice", rig.clock()),
    "signed out everywhere": lambda rig: rig.town.sign_out_everywhere("alice", rig.clock()),
    "forgotten by an administrator": forgotten_by_an_administrator,
    "policy off": lambda rig: rig.requires(remember_seconds=0),
    "a shorter lifetime": lambda rig: rig.requires(remember_seconds=60),
    "its factor forbidden": lambda rig: rig.requires(allowed_factors=("recovery_code",)),
    "restored from a backup": lambda rig: rig.requires(fresh_start_at=int(rig.clock())),
    "deactivated": deactivated,
}


@pytest.mark.parametrize("end", list(ENDS))
def test_E20_F09_what_ends_it_ends_what_it_opened(rig: Rig, end: str) -> None:
    """Its session within five seconds, in this very process, and the browser at once; the trail says who did it."""
    remembering(rig)
    client = signs_in_again(remembered(rig))
    assert comes_in(client)
    rig.clock.go(120)
    assert client.get().status == 200
    ENDS[end](rig)
    rig.clock.go(5)
    before = len(rig.seen)
    assert client.get().status in {401, 403}
    assert not comes_in(signs_in_again(client))
    assert len(rig.seen) == before


def test_F09_turned_off_and_on_again_nothing_comes_back(rig: Rig) -> None:
    """Also where it was made shorter, and long again."""
    remembering(rig)
    administration, clock = rig.town.offices.administration, rig.clock
    for days in (0, 1):
        client = signs_in_again(remembered(rig))
        clock.go(2 * DAY)
        for lifetime in (days, 30):
            done = administration.set_policy_from_shell(
                "seed", "trying", PolicyChanges(remember_seconds=lifetime * DAY), now=int(clock())
            )
            assert isinstance(done, PolicyChanged)
            clock.go(5)
        assert not comes_in(client)
        assert not comes_in(signs_in_again(client))


def test_E10_F09_it_gives_no_tries_that_a_lock_has_closed(rig: Rig) -> None:
    """A remembered browser comes in while an attacker keeps the account locked; no more codes are judged for that."""
    remembering(rig)
    client = signs_in_again(remembered(rig))
    account = rig.town.account("alice")
    guessed = replace(account.totps[0], strikes=Strikes(shares=(("m", LOCK_AFTER),)))
    rig.town.store.commit(Change(account=replace(account, totps=(guessed,))), int(rig.clock()))
    rig.clock.go(30)
    verified = rig.client("alice", verified=True)
    assert rig.town.account("alice").is_locked
    assert comes_in(client)
    assert client.verify(rig.person("alice").code(rig.clock())).code == "paused"
    assert client.get("/archive/x").status == 401
    assert verified.verify(rig.person("alice").code(rig.clock())).status == 200, (
        "in a session by code, as ever"
    )


def test_F09_F20_a_clock_set_back_lengthens_nothing(rig: Rig) -> None:
    """Neither the browser nor the time that is left to the token before."""
    remembering(rig)
    client = remembered(rig)
    began = rig.clock()
    rig.clock.now = began - SKEW_SECONDS - 1
    assert not comes_in(signs_in_again(client))
    rig.clock.now = began + 1_000
    thief = copy_of(client)
    assert comes_in(signs_in_again(client))
    rig.clock.now -= SKEW_SECONDS + 1
    thief.sign_in("alice")
    assert not comes_in(thief)


# The store, and races


@pytest.mark.parametrize("fault", ["away", "takes_no_write"])
def test_J01_F09_without_the_store_nobody_comes_in(rig: Rig, fault: str) -> None:
    """Away, or not taking writes: neither in, nor exchanged, nor forgotten; afterwards it is as it was."""
    remembering(rig)
    client = signs_in_again(remembered(rig))
    held = client.jar[BROWSER]
    with getattr(rig.town.holding, fault)():
        got = client.visit("/mfa/verify?next=/files")
        assert got.status == 503
        assert client.api("POST", "verify/browser").status == 503
        assert COOKIE not in client.jar
    assert client.jar[BROWSER] == held
    rig.clock.go(5)
    assert comes_in(client)
    assert kinds(rig) == ["browser_remembered", "browser_recognized"]


def test_F09_at_one_moment(rig: Rig, crew: Crew) -> None:
    """Twenty requests of one browser in four processes: all come in and are given the same; then with a copy."""
    remembering(rig)
    client = signs_in_again(remembered(rig))
    crew.join(rig)
    asks = [Ask(target="/mfa/verify?next=/files", headers=(*NAVIGATION, *client.cookies))] * (5 * WORKERS)
    answers = [got for got in crew.fire(asks, rig.clock()) if got.status != 503]
    given = {held_by(got) for got in answers}
    assert len(answers) > WORKERS
    assert len(given) == 1
    assert all(got.status == 303 and got.header("location") == "/files" for got in answers)
    assert len(rig.town.account("alice").remembered) == 1
    rig.clock.go(GRACE_SECONDS + 1)
    late = crew.fire(asks, rig.clock())
    assert {held_by(got) for got in late} == {""}
    assert not any(got.status == 303 for got in late)
    assert kinds(rig).count("browser_copied") == 1
    assert rig.town.account("alice").remembered == ()


def held_by(got: Got) -> str:
    """What an answer gives the browser to hold."""
    cookies = [value for name, value in got.headers if name == "set-cookie"]
    return next((each.partition(";")[0] for each in cookies if each.startswith(BROWSER)), "")
