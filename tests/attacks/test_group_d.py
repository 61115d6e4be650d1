"""Attacks on codes (D): replay, guessing, lockout; on every surface that takes one, through both doors.

Relatives that the catalogue does not name: one budget for all surfaces, neighboring codes at one moment, parameter
pollution, digits of other scripts, lost leading zeros, a clock that is turned between two tries, a restart.
"""

import time
from collections.abc import Callable
from urllib.parse import quote, urlencode

import pytest
from msgspec.structs import replace

from mfa_gate.ports import Change
from mfa_gate.web.api import OPERATIONS
from mfa_gate.web.app import PAGES
from tests.attacks.crew import Crew
from tests.attacks.grounds import (
    EVERYWHERE,
    TURNING_OFF,
    WEAKENING,
    Surface,
    api_ask,
    app,
    failures,
    forgive,
    form_ask,
    notified,
    opens,
    seen_by_eye,
    stale,
    wrong,
)
from tests.conftest import Scale
from tests.edges.asking import NAVIGATION, Ask, Got, Headers
from tests.edges.fixtures import Build
from tests.edges.rig import Client, Rig
from tests.edges.town import basic, starlette_cookie

PAUSE_AFTER, LOCK_AFTER, DISABLE_AFTER = 10, 50, 100
"""As promised: in fifteen minutes, in a row, and in a row again."""
STRICT = (*EVERYWHERE, WEAKENING)
LAX = (*EVERYWHERE, TURNING_OFF)
FORM: Headers = (("Content-Type", "application/x-www-form-urlencoded"),)
EMPTY: tuple[object, ...] = (
    {},
    [],
    {"code": ""},
    {"factor": "totp", "code": ""},
    {"enrollment": "", "code": "1"},
)
BUDGETS = ("delay", "pause", "lock", "disabled")


def submission(client: Client, code: str) -> Ask:
    """A code by the API."""
    return api_ask(client, "POST", "verify", {"factor": "totp", "code": code})


def guess(rig: Rig, user: str, times: int, *, apart: float = 61) -> list[Got]:
    """Wrong codes, each from a sign-in of its own."""
    found = []
    for number in range(times):
        rig.clock.go(apart)
        found.append(rig.client(user).verify(wrong(rig, user, number)))
    return found


def verified(rig: Rig, user: str) -> int:
    """How often a code of somebody's was taken so far."""
    return rig.town.events(user).count("verified")


def judged(rig: Rig, user: str) -> int:
    """How many wrong codes were looked at so far."""
    return rig.town.events(user).count("code_rejected")


def test_D01_code_reuse(rig: Rig) -> None:
    """A code that was accepted opens nothing again: in the same browser, in another, nor does an older one."""
    rig.clock.go(60)
    person, first = rig.person("alice"), rig.client("alice")
    older, code = person.code(rig.clock(), -1), person.code(rig.clock())
    second = rig.client("alice")
    assert first.verify(code).status == 200
    for client in (first, second, rig.client("alice", peer="198.51.100.4")):
        for spent in (code, older):
            forgive(rig, "alice")
            got = client.verify(spent)
            assert (got.status, got.code) == (401, "code_rejected")
    assert second.get().status == 401
    rig.clock.go(30)
    forgive(rig, "alice")
    assert second.verify(person.code(rig.clock())).status == 200


@pytest.mark.parametrize("first", STRICT, ids=lambda each: each.name)
def test_D01_code_reuse_on_another_surface(rig: Rig, scale: Scale, first: Surface) -> None:
    """Wherever a code was taken, it is taken nowhere else."""
    at = STRICT.index(first)
    others = STRICT if scale == "full" else [STRICT[(at + step) % len(STRICT)] for step in (0, 1, 3, 6)]
    clients = stale(rig, (first, *others))
    code = rig.person("root").code(rig.clock())
    rig.ask(first.give(clients[first.name], code))
    step = app(rig, "root").last_step
    assert step == rig.clock() // 30, "the first surface did not take the code"
    for other in others:
        forgive(rig, "root")
        before = rig.town.account("root")
        got = rig.ask(other.give(clients[other.name], code))
        after = rig.town.account("root")
        assert got.status in {401, 403, 422, 303}, other.name
        assert after.totps[0].last_step == step
        assert (after.last_verified_at, after.epoch) == (before.last_verified_at, before.epoch)
    assert rig.town.store.policy().require_two_step
    assert not rig.seen


def test_D01_code_reuse_after_the_code_that_set_up(rig: Rig) -> None:
    """The code that confirmed a new app is spent like any other."""
    carol = rig.client("carol")
    started = carol.api("POST", "totp").json()
    rig.town.people["carol"] = type(rig.person("bob"))(subject="carol", secret=started["secret"], codes=())
    code = rig.person("carol").code(rig.clock())
    confirmed = carol.api("POST", "totp/confirm", {"enrollment": started["enrollment"], "code": code})
    assert confirmed.status == 200
    assert rig.client("carol").verify(code).code == "code_rejected"
    assert carol.verify(code).code == "code_rejected"


def test_D01_code_reuse_on_every_worker(rig: Rig, crew: Crew) -> None:
    """What one process has taken, no other takes."""
    crew.join(rig)
    rig.clock.go(60)
    client, code = rig.client("alice"), rig.person("alice").code(rig.clock())
    assert client.verify(code).status == 200
    ask = submission(rig.client("alice"), code)
    for _ in range(2):
        for got in crew.each(ask, rig.clock()):
            assert got.code in {"code_rejected", "paused", "unavailable"}
            assert not opens(got)
    assert verified(rig, "alice") == 2


def test_D02_parallel_submission(rig: Rig, crew: Crew, scale: Scale) -> None:
    """A hundred submissions of one code, from a hundred sign-ins, in four processes: one is accepted, each time."""
    crew.join(rig)
    for number in range({"small": 3, "full": 20}[scale]):
        name = f"racer{number}"
        person = rig.town.enroll(name, rig.clock())
        rig.clock.go(60)
        code = person.code(rig.clock())
        answers = crew.fire([submission(rig.client(name), code) for _ in range(100)], rig.clock())
        said = [got.status for got in answers]
        assert said.count(200) == 1
        assert set(said) <= {200, 401, 429, 503}
        assert verified(rig, name) == 2, "once at setup, once here"
        assert len(rig.town.store.sessions(person.id, int(rig.clock()))) == 2
        assert failures(rig, name) <= PAUSE_AFTER


def test_D02_parallel_submission_in_one_browser(rig: Rig, crew: Crew) -> None:
    """The same form sent a hundred times, as by an impatient finger."""
    crew.join(rig)
    rig.clock.go(60)
    client = rig.client("alice")
    client.page("/mfa/verify")
    ask = form_ask(client, "verify", factor="totp", code=rig.person("alice").code(rig.clock()))
    before = verified(rig, "alice")
    crew.fire([ask] * 100, rig.clock())
    assert verified(rig, "alice") == before + 1


def test_D02_parallel_submission_on_all_surfaces(rig: Rig, crew: Crew) -> None:
    """One code on every surface at one moment does one thing."""
    crew.join(rig)
    many = [(each.name, each.give) for each in STRICT for _ in range(4)]
    clients = stale(rig, STRICT)
    code, before = rig.person("root").code(rig.clock()), verified(rig, "root")
    crew.fire([give(clients[name], code) for name, give in many], rig.clock())
    assert verified(rig, "root") == before + 1
    assert app(rig, "root").last_step == rig.clock() // 30


def test_D02_parallel_submission_of_neighbors(rig: Rig, crew: Crew) -> None:
    """Of the three codes that are good at one moment none is accepted twice, nor one that is older than the last."""
    crew.join(rig)
    rig.clock.go(90)
    codes = [rig.person("bob").code(rig.clock(), steps) for steps in (-1, 0, 1)]
    asks = [submission(rig.client("bob"), codes[number % 3]) for number in range(60)]
    answers = crew.fire(asks, rig.clock())
    won = [number % 3 for number, got in enumerate(answers) if got.status == 200]
    assert len(won) == len(set(won))
    assert verified(rig, "bob") == 1 + len(won)


def test_D02_parallel_guesses(rig: Rig, crew: Crew) -> None:
    """Two hundred different wrong codes at one moment: no more of them are looked at than the budget allows."""
    crew.join(rig)
    rig.clock.go(60)
    asks = [submission(rig.client("bob"), wrong(rig, "bob", number)) for number in range(200)]
    answers = crew.fire(asks, rig.clock())
    assert {got.status for got in answers} <= {401, 429, 503}
    assert sum(got.status == 401 for got in answers) <= PAUSE_AFTER
    assert judged(rig, "bob") == failures(rig, "bob") <= PAUSE_AFTER


SAME = ("{0} ", " {0}", "{0}\n", "{0}\r\n", "\t{0}", "{0:.3} {1}")
OTHER = (
    *(
        "+{0}",
        "-{0}",
        "{0}0",
        "0{0}",
        "{0}.0",
        "{0}\0",
        "\0{0}",
        "{0}e0",
        "{0:.5}",
        "0x{0}",
        "'{0}'",
        "{0}--",
        "{0}%",
    ),
    *("{0:.3}-{1}", "{0:.3},{1}", "{0:.3}_{1}", "{0}{0}", "{0} {0}", "{0}\x0b", "{0}\x85", "{0}\u2028"),
    *("{0}\u200b", "\ufeff{0}", "\u00a0{0}", "{0}\u0301"),
)
SCRIPTS = (0xFF10, 0x0660, 0x06F0, 0x0966, 0x09E6, 0x0E50, 0x1D7CE, 0x1D7F6, 0x2460 - 1)
"""Zeros of other scripts, and circled digits."""


def spellings(code: str) -> dict[str, list[str]]:
    """Other ways to write a code: those that a person may mean, and those that nobody does."""
    halves = (code, code[3:])
    return {
        "same": [each.format(*halves) for each in SAME],
        "other": [
            *(each.format(*halves) for each in OTHER),
            *("".join(chr(zero + int(digit)) for digit in code) for zero in SCRIPTS),
        ],
    }


@pytest.mark.parametrize("kind", ["api", "page"])
def test_D05_spellings(rig: Rig, kind: str) -> None:
    """A code has one use, however it is spelled; what is no spelling of it is refused, and counts as a try."""
    rig.clock.go(60)
    person, now = rig.person("alice"), rig.clock()
    client = rig.client("alice")
    client.page("/mfa/verify")

    def give(code: str) -> bool:
        forgive(rig, "alice")
        step = app(rig, "alice").last_step
        if kind == "api":
            client.verify(code)
        else:
            rig.ask(form_ask(client, "verify", factor="totp", code=code))
        taken = app(rig, "alice").last_step != step
        assert taken or failures(rig, "alice") == 1, repr(code)
        return taken

    written = spellings(person.code(now))
    assert not [code for code in written["other"] if give(code)]
    accepted = [code for code in written["same"] if give(code)]
    assert len(accepted) == 1
    assert not give(person.code(now))


def test_D05_what_is_no_text(rig: Rig) -> None:
    """A number, a list, nothing: refused without being looked at, whether it is the right one or not."""
    rig.clock.go(60)
    right, false = rig.person("alice").code(rig.clock()), wrong(rig, "alice")
    client = rig.client("alice")
    before = rig.town.account("alice")
    for make in (
        int,
        float,
        lambda code: [code],
        lambda code: {"code": code},
        lambda _: None,
        lambda _: True,
    ):
        said = [
            client.api("POST", "verify", {"factor": "totp", "code": make(code)}) for code in (right, false)
        ]
        assert {got.status for got in said} == {422}
        assert said[0].json() == said[1].json()
    assert rig.town.account("alice") == before


def test_D05_leading_zeros(rig: Rig) -> None:
    """`012345` is not 12345: a code keeps its zeros, and whoever loses them is refused."""
    person = rig.person("alice")
    rig.clock.go(60)
    while not person.code(rig.clock()).startswith("0"):
        rig.clock.go(30)
    code, client = person.code(rig.clock()), rig.client("alice")
    for short in (code[1:], code.lstrip("0") or "0", f" {code[1:]}"):
        assert client.verify(short).code == "code_rejected"
    assert client.api("POST", "verify", {"factor": "totp", "code": int(code)}).status == 422
    assert client.verify(code).status == 200


def test_D05_parameter_pollution(rig: Rig) -> None:
    """A field that comes twice has no meaning, and none comes from another place than its own."""
    rig.clock.go(60)
    right, false = rig.person("alice").code(rig.clock()), wrong(rig, "alice")
    client = rig.client("alice")
    client.page("/mfa/verify")
    page, form = client.last, client.form("verify")
    before = rig.town.account("alice")
    for codes in ((right, false), (false, right), (right, right)):
        pairs = [("csrf", form["csrf"]), ("factor", "totp"), *(("code", code) for code in codes)]
        ask = form_ask(client, "verify")
        assert rig.ask(_with_body(ask, urlencode(pairs).encode())).status == 400
        body = f'{{"factor":"totp","code":"{codes[0]}","code":"{codes[1]}"}}'.encode()
        assert rig.ask(_with_body(submission(client, ""), body)).status == 422
    for extra in ({"Code": right}, {"code ": right}, {"code[]": right}, {"$code": right}, {"user": "alice"}):
        assert client.api("POST", "verify", {"factor": "totp", "code": false, **extra}).status == 422
    assert rig.town.account("alice") == before
    for target in (f"/mfa/api/v1/verify?code={right}", f"/mfa/api/v1/verify?code={right}&factor=totp"):
        got = rig.ask(_at(submission(client, false), target))
        assert got.code == "code_rejected"
    client.last = page
    got = rig.ask(_at(form_ask(client, "verify", factor="totp", code=""), f"/mfa/verify?code={right}"))
    assert got.status == 422
    assert app(rig, "alice").last_step == before.totps[0].last_step


def test_D07_a_new_session_is_no_new_budget(rig: Rig, scale: Scale) -> None:
    """However many sign-ins: no more codes are looked at than the account has tries, and the owner is told."""
    sessions, tries = {"small": (40, 4), "full": (300, 10)}[scale]
    for number in range(sessions):
        client = rig.client("bob", peer=f"198.51.100.{number % 250}")
        for each in range(tries):
            client.verify(wrong(rig, "bob", number + each))
            rig.clock.go(97)
    assert judged(rig, "bob") <= LOCK_AFTER
    assert notified(rig, "bob", "guessing_noticed") == ("owner",)
    assert notified(rig, "bob", "account_locked") == ("owner", "admins")
    rig.clock.go(86_400)
    assert rig.client("bob").verify(rig.person("bob").code(rig.clock())).code == "paused"


def test_D07_a_new_browser_at_the_page_is_no_new_budget(rig: Rig) -> None:
    """Each browser is counted by its own cookie; thrown away, what it did stays counted."""
    for number in range(30):
        rig.clock.go(1_000)
        client = rig.client("bob")
        client.page("/mfa/verify")
        assert client.submit("verify", factor="totp", code=wrong(rig, "bob", number)).status == 422
    assert failures(rig, "bob") == 30


def test_D07_the_owner_signing_in_forgives_nothing(rig: Rig) -> None:
    """Somebody who has the password guesses beside the owner, who signs in daily and mistypes now and then."""
    owner, guessed = rig.person("bob"), 0
    for day in range(16):
        rig.clock.go(86_400)
        guessed += sum(got.code == "code_rejected" for got in guess(rig, "bob", 4))
        rig.clock.go(1_000)
        mine = rig.client("bob")
        mine.page("/mfa/verify")
        mine.submit("verify", factor="totp", code=wrong(rig, "bob", day))
        rig.clock.go(30)
        mine.submit("verify", factor="totp", code=owner.code(rig.clock()))
    assert guessed <= LOCK_AFTER
    assert rig.town.account("bob").is_locked


@pytest.mark.parametrize("policy", [True, False], ids=["policy-on", "policy-off"])
def test_D07_all_surfaces_share_one_budget(build: Build, *, policy: bool) -> None:
    """A try anywhere counts everywhere, and where one surface pauses, all do."""
    rig = build(policy=policy)
    surfaces = STRICT if policy else LAX
    clients = stale(rig, surfaces)
    # The first takes one below as well; all would be one more than are taken.
    for number, surface in enumerate(surfaces[1:], start=1):
        rig.clock.go(20)
        got = rig.ask(surface.give(clients[surface.name], wrong(rig, "root", number)))
        assert got.status in {401, 422}, surface.name
        assert failures(rig, "root") == number, surface.name
    while failures(rig, "root") < PAUSE_AFTER:
        rig.clock.go(20)
        rig.client("root").verify(wrong(rig, "root"))
    before = app(rig, "root")
    for surface in surfaces:
        for code in (wrong(rig, "root"), rig.person("root").code(rig.clock())):
            got = rig.ask(surface.give(clients[surface.name], code))
            assert got.status == 429, surface.name
            assert got.header("retry-after")
    assert app(rig, "root") == before


def test_D07_the_policy_call_shares_the_budget(rig: Rig) -> None:
    """The code that turns the policy off is guessed on the same account's budget."""
    root = rig.client("root", verified=True)
    for number in range(PAUSE_AFTER):
        rig.clock.go(61)
        confirm = {"factor": "totp", "code": wrong(rig, "root", number)}
        got = root.api("PATCH", "admin/policy", {"require_two_step": False, "confirm": confirm})
        assert got.code == "code_rejected"
    code = rig.person("root").code(rig.clock())
    for confirm in ({"factor": "totp", "code": code}, {"factor": "totp", "code": wrong(rig, "root")}):
        got = root.api("PATCH", "admin/policy", {"require_two_step": False, "confirm": confirm})
        assert got.code == "paused"
    assert rig.client("root").verify(code).code == "paused"
    assert rig.town.store.policy().require_two_step


def test_D10_counters_are_not_pushed_out(rig: Rig, scale: Scale) -> None:
    """Tries at many other accounts do not make the gate forget those at this one."""
    guess(rig, "bob", 4)
    for number in range({"small": 150, "full": 5_000}[scale]):
        rig.client(f"nobody{number}").verify("123456")
    assert failures(rig, "bob") == 4
    guess(rig, "bob", 6)
    assert rig.client("bob").verify(rig.person("bob").code(rig.clock())).code == "paused"


@pytest.mark.parametrize("trusted", [["192.0.2.0/24"], []], ids=["trusted", "untrusted"])
def test_D11_another_address_is_no_new_budget(build: Build, trusted: list[str]) -> None:
    """Whatever a client says of its address, in whatever header: the account's budget binds."""
    rig = build(trusted_proxies=trusted)
    for number in range(PAUSE_AFTER + 5):
        rig.clock.go(20)
        address = f"203.0.113.{number}"
        claims = (
            ("X-Forwarded-For", address),
            ("Forwarded", f"for={address}"),
            ("X-Real-IP", address),
            ("CF-Connecting-IP", address),
            ("True-Client-IP", address),
        )
        rig.client("bob").verify(wrong(rig, "bob", number), "totp", *claims)
    assert judged(rig, "bob") == PAUSE_AFTER


@pytest.mark.parametrize("budget", BUDGETS)
def test_D13_the_right_code_while_closed(rig: Rig, budget: str) -> None:
    """While no code is taken, the right one is answered as a wrong one, by page and API alike, and is not spent."""
    _close(rig, "bob", budget)
    before = app(rig, "bob")
    right, false = rig.person("bob").code(rig.clock()), wrong(rig, "bob")
    client = rig.client("bob")
    page = client.page("/mfa/verify")
    by_api = [client.verify(code) for code in (right, false, right)]
    assert {(got.status, got.code) for got in by_api} == {(429, "paused")}
    assert len({seen_by_eye(got) for got in by_api}) == 1
    client.last = page
    asks = [form_ask(client, "verify", factor="totp", code=code) for code in (right, false, right)]
    assert len({seen_by_eye(rig.ask(ask)) for ask in asks}) == 1
    assert app(rig, "bob") == before
    if budget == "delay":
        rig.clock.go(2)
        assert client.verify(right).status == 200


@pytest.mark.parametrize("surface", STRICT, ids=lambda each: each.name)
def test_D13_the_right_code_while_closed_on_every_surface(rig: Rig, surface: Surface) -> None:
    """During a pause every surface answers a right code as a wrong one."""
    client = stale(rig, (surface,))[surface.name]
    _close(rig, "root", "pause")
    asks = [surface.give(client, code) for code in (rig.person("root").code(rig.clock()), wrong(rig, "root"))]
    said = [rig.ask(ask) for ask in asks]
    assert said[0].status == 429
    assert seen_by_eye(said[0]) == seen_by_eye(said[1])


def test_D14_a_pause_that_ends_brings_the_budget_and_no_more(rig: Rig) -> None:
    """Somebody tries all day, and all year: what is looked at stays what the account allows in all."""
    for number in range(96):
        rig.clock.go(900)
        rig.client("bob").verify(wrong(rig, "bob", number))
        assert rig.client("bob").verify(wrong(rig, "bob", number + 1)).status in {401, 429}
    assert judged(rig, "bob") == LOCK_AFTER
    for _ in range(12):
        rig.clock.go(30 * 86_400)
        assert rig.client("bob").verify(rig.person("bob").code(rig.clock())).code == "paused"
    assert judged(rig, "bob") == LOCK_AFTER


def test_D14_a_hundred_in_a_row_disable_the_factor(rig: Rig) -> None:
    """Fifty close the account to whoever is not verified; a hundred kill the factor for everybody, until a reset."""
    live = rig.client("alice", verified=True)
    person, number = rig.person("alice"), 0
    while failures(rig, "alice") < DISABLE_AFTER:
        number += 1
        rig.clock.go(61)
        assert live.get().status == 200, "the owner's open session goes on"
        live.verify(wrong(rig, "alice", number))
        if failures(rig, "alice") >= LOCK_AFTER:
            assert rig.client("alice").verify(person.code(rig.clock())).code == "paused"
    assert app(rig, "alice").strikes.disabled
    rig.clock.go(1_000)
    for code in (person.code(rig.clock()), wrong(rig, "alice")):
        got = live.verify(code)
        assert (got.status, got.code, got.header("retry-after")) == (429, "paused", "")
    assert judged(rig, "alice") == DISABLE_AFTER
    rig.town.reset("alice", rig.clock())
    rig.clock.go(5)
    assert live.get().code == "two_step_setup_required"


def test_D14_what_could_not_be_counted_is_not_answered(rig: Rig) -> None:
    """While the store takes no write, right and wrong codes get the same answer, and neither is a try for nothing."""
    rig.clock.go(60)
    right, false = rig.person("alice").code(rig.clock()), wrong(rig, "alice")
    clients = [rig.client("alice"), rig.client("alice")]
    with rig.town.holding.takes_no_write():
        said = [client.verify(code) for client, code in zip(clients, (right, false), strict=True)]
    assert [got.status for got in said] == [503, 503]
    assert seen_by_eye(said[0]) == seen_by_eye(said[1])
    assert clients[0].get().status == 401
    assert clients[0].verify(right).status == 200


def test_D14_a_restart_forgets_nothing(build: Build) -> None:
    """Counters, pauses and spent codes are the store's, not a process's."""
    rig = build()
    rig.clock.go(60)
    spent = rig.person("bob").code(rig.clock())
    assert rig.client("bob").verify(spent).status == 200
    guess(rig, "bob", PAUSE_AFTER, apart=20)
    again = Rig(rig.door, type(rig.town)(rig.town.place, rig.town.people))
    again.clock.now = rig.clock() + 1
    try:
        assert again.client("bob").verify(rig.person("bob").code(again.clock())).code == "paused"
        assert failures(again, "bob") == PAUSE_AFTER
        forgive(again, "bob")
        again.clock.now = rig.clock() - 20 * PAUSE_AFTER
        assert again.client("bob").verify(spent).code == "code_rejected"
    finally:
        again.close()


def _nobody(_: Rig) -> Headers:
    return ()


def _forged(rig: Rig) -> Headers:
    return (("Cookie", f"session={starlette_cookie({'user': 'bob'}, rig.clock(), secret='guessed')}"),)


def _claimed(_: Rig) -> Headers:
    return (("Remote-User", "bob"), ("X-Forwarded-User", "bob"), ("MFA-Gate-User", "bob"))


def _by_password(_: Rig) -> Headers:
    return (basic("bob"),)


def _by_our_cookie_alone(rig: Rig) -> Headers:
    return (("Cookie", rig.gate_cookie("bob")),)


def _by_pending_cookie_alone(rig: Rig) -> Headers:
    client = rig.client("bob")
    client.page("/mfa/verify")
    return (("Cookie", f"mfa_gate_pending={client.jar['mfa_gate_pending']}"),)


@pytest.mark.parametrize(
    "who", [_nobody, _forged, _claimed, _by_password, _by_our_cookie_alone, _by_pending_cookie_alone]
)
def test_D15_who_has_no_first_factor_counts_nothing(
    rig: Rig, scale: Scale, who: Callable[[Rig], Headers]
) -> None:
    """Nobody who is not signed in to the portal adds to anybody's count, and the owner signs in beside them."""
    claims = who(rig)
    headers = (*claims, ("MFA-Gate-Request", "1"), ("Content-Type", "application/json"))
    before = rig.town.account("bob")
    for number in range({"small": 40, "full": 1_000}[scale]):
        body = f'{{"factor":"totp","code":"{number:06}"}}'.encode()
        got = rig.ask(Ask(method="POST", target="/mfa/api/v1/verify", headers=headers, body=body))
        assert got.status in {400, 401}
        form = rig.ask(
            Ask(method="POST", target="/mfa/verify", headers=(*claims, *FORM), body=b"factor=totp&code=1")
        )
        assert form.status in {303, 400, 401}
    assert rig.town.account("bob") == before
    rig.clock.go(60)
    assert rig.client("bob").verify(rig.person("bob").code(rig.clock())).status == 200


def test_D15_who_has_another_account_counts_nothing(rig: Rig) -> None:
    """Whoever names somebody else in whatever they send spends their own tries at most."""
    carol = rig.client("carol")
    bob = rig.person("bob").id
    before = rig.town.account("bob")
    for extra in ({"user": "bob"}, {"subject": "bob"}, {"account": bob}, {"id": bob}):
        carol.api("POST", "verify", {"factor": "totp", "code": "123456", **extra})
        carol.api("POST", f"verify?{urlencode(extra)}", {"factor": "totp", "code": "123456"})
    carol.api("POST", f"admin/users/{bob}/verify", {"factor": "totp", "code": "123456"})
    assert rig.town.account("bob") == before


def test_D15_a_guesser_does_not_stop_who_is_verified(rig: Rig) -> None:
    """With the password somebody can close the account to newcomers, not to sessions that live."""
    live = rig.client("bob", verified=True)
    while not rig.town.account("bob").is_locked:
        guess(rig, "bob", 9)
        rig.clock.go(900)
        assert live.get().status == 200
    assert live.visit().status == 200
    rig.clock.go(901)
    assert live.verify(rig.person("bob").code(rig.clock())).status == 200


@pytest.mark.parametrize("target", ["/mfa/api/v1/verify", "/mfa/verify"])
def test_D17_another_method_or_type(rig: Rig, target: str) -> None:
    """A code counts by the one method and the one type of body that its place has; by any other it is not read."""
    rig.clock.go(60)
    client = rig.client("alice")
    client.page("/mfa/verify")
    token, code = client.form("verify")["csrf"], rig.person("alice").code(rig.clock())
    fields = {"factor": "totp", "code": code, "csrf": token}
    plain, json = urlencode(fields).encode(), f'{{"factor":"totp","code":"{code}"}}'.encode()
    multi = "\r\n".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'
        for name, value in fields.items()
    )
    same: Headers = (("Origin", "http://localhost:8000"), ("MFA-Gate-Request", "1"))
    bodies = {
        "application/x-www-form-urlencoded": plain,
        "application/json": json,
        "multipart/form-data; boundary=x": f"{multi}\r\n--x--\r\n".encode(),
        "text/plain": json,
        "application/json, text/plain": json,
        "application/xml": f"<code>{code}</code>".encode(),
        "": json,
    }
    right = "application/json" if "api" in target else "application/x-www-form-urlencoded"
    before = rig.town.account("alice")
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "POST", "post", "OPTIONS", "QUERY"):
        for kind, body in bodies.items():
            if (method, kind) == ("POST", right):
                continue
            for override in ((), (("X-HTTP-Method-Override", "POST"),)):
                got = client.ask(
                    method, f"{target}?_method=POST", (*same, ("Content-Type", kind), *override), body
                )
                assert got.status in {200, 303, 400, 405, 415}, (method, kind)
                assert got.status in {400, 405, 415} or method in {"GET", "HEAD"}
                assert not [line for line in got.values("set-cookie") if line.startswith("mfa_gate=")]
    assert rig.town.account("alice") == before
    assert client.verify(code).status == 200


@pytest.mark.parametrize(
    "path", ["verify", "account", "setup", "account/turn-off", "confirm", "api/v1/verify"]
)
def test_D17_a_code_in_an_address(rig: Rig, path: str) -> None:
    """A link with a code in it, as a mail or another site may have one, gives that code to nobody."""
    rig.clock.go(60)
    code = rig.person("alice").code(rig.clock())
    for client in (rig.client("alice"), rig.client("alice", verified=True)):
        before = rig.town.account("alice")
        for method in ("GET", "HEAD"):
            got = client.ask(method, f"/mfa/{path}?factor=totp&code={code}&submit=1", NAVIGATION)
            assert got.status in {200, 303, 405}
            assert not opens(got)
            assert code not in got.header("location")
        assert rig.town.account("alice") == before


@pytest.mark.parametrize(
    "factor", ["access_pass", "recovery_code", "webauthn", "TOTP", " totp", "totp\0", "", "passkey"]
)
def test_D17_a_code_under_another_name(rig: Rig, factor: str) -> None:
    """The right code of the app is taken as what it is, and as nothing else."""
    rig.clock.go(60)
    client, code = rig.client("alice"), rig.person("alice").code(rig.clock())
    assert client.verify(code, factor).status in {401, 422}
    client.page("/mfa/verify")
    assert rig.ask(form_ask(client, "verify", factor=factor, code=code)).status in {400, 422}
    assert app(rig, "alice").last_step < rig.clock() // 30
    assert client.verify(code).status == 200


def test_D18_how_long_a_code_is_good(rig: Rig) -> None:
    """Ninety seconds in all: from one step before its own to the end of the one after."""
    person, start = rig.person("alice"), rig.clock() + 600
    code, good = person.code(start), []
    for second in range(-95, 96, 5):
        rig.clock.now = start + second
        forgive(rig, "alice")
        account = rig.town.account("alice")
        got = rig.client("alice").verify(code)
        if got.status == 200:
            good.append(second)
            _unspend(rig, account.totps[0].last_step)
    assert good == list(range(-30, 60, 5))


def test_D18_the_time_that_a_client_tells(rig: Rig) -> None:
    """No header, field or query tells the gate what time it is."""
    rig.clock.go(600)
    old = rig.person("alice").code(rig.clock(), -4)
    then = int(rig.clock()) - 120
    client = rig.client("alice")
    claims: Headers = (
        ("Date", "Fri, 15 Jan 2027 08:08:00 GMT"), ("X-Timestamp", str(then)), ("If-Modified-Since", str(then))
    )  # fmt: skip
    assert client.verify(old, "totp", *claims).code == "code_rejected"
    for name in ("ts", "now", "timestamp", "at", "for_time", "window", "step"):
        assert client.api("POST", "verify", {"factor": "totp", "code": old, name: then}).status == 422
        got = client.api("POST", f"verify?{name}={then}", {"factor": "totp", "code": old})
        assert got.status in {401, 429}
    assert client.get().status == 401


@pytest.mark.parametrize("turn", [-86_400, -3_600, -45, 45, 3_600, 86_400])
def test_D18_a_clock_that_is_turned(rig: Rig, turn: int) -> None:
    """A turned clock brings no spent code back, ends no pause, and makes no count forgotten."""
    rig.clock.go(200_000)
    guess(rig, "bob", PAUSE_AFTER, apart=20)
    spent = rig.person("alice").code(rig.clock())
    assert rig.client("alice").verify(spent).status == 200
    at, counted = rig.clock(), failures(rig, "bob")
    rig.clock.go(turn)
    if turn < 900:
        assert rig.client("bob").verify(rig.person("bob").code(rig.clock())).code == "paused"
    assert failures(rig, "bob") == counted
    for back in (at, at - 30, at + 30):
        rig.clock.now = back
        forgive(rig, "alice")
        assert rig.client("alice").verify(spent).code == "code_rejected"
    if turn < 0:
        rig.clock.now = at + turn
        for steps in (-1, 0, 1):
            forgive(rig, "alice")
            earlier = rig.person("alice").code(rig.clock(), steps)
            assert (earlier == spent) or rig.client("alice").verify(earlier).code == "code_rejected"


@pytest.mark.parametrize("why", ["after success", "after ten minutes", "after another person", "forged"])
def test_D21_a_way_that_is_over(rig: Rig, why: str) -> None:
    """What a browser holds on its way to a code is void past the code, ten minutes, or the person."""
    rig.clock.go(60)
    client = rig.client("alice")
    client.page("/mfa/verify")
    fields, jar = client.form("verify"), dict(client.jar)
    rig.clock.go(5)
    if why == "after success":
        assert client.submit("verify", code=rig.person("alice").code(rig.clock())).status == 303
        client.jar = jar
        rig.clock.go(30)
    elif why == "after ten minutes":
        rig.clock.go(601)
    elif why == "after another person":
        client.sign_in("bob")
    else:
        fields["csrf"] = fields["csrf"][:-2] + "AA"
    user = client.user or ""
    before = rig.town.account(user)
    got = client.post("/mfa/verify", fields | {"code": rig.person(user).code(rig.clock())})
    assert got.status == 403
    assert rig.town.account(user) == before
    assert client.get().status == 401
    assert not rig.seen


@pytest.mark.parametrize("user", ["carol", "bob"])
def test_D22_steps_cannot_be_skipped(rig: Rig, user: str) -> None:
    """Empty answers, missing fields and later steps first: whoever sends them stands where they stood."""
    client = rig.client(user)
    client.page("/mfa/setup" if user == "carol" else "/mfa/verify")
    page, before = client.last, rig.town.account(user)
    for path in (path for path, table in PAGES.items() if "POST" in table):
        for fields in ({}, {"code": ""}, {"factor": "totp"}, {"code": "", "factor": "totp", "how": ""}):
            client.last = page
            ask = form_ask(client, path.replace("{id}", before.id)[1:], **fields)
            got = rig.ask(ask)
            assert got.status < 500
            assert not opens(got), path
    for each in OPERATIONS:
        if each.changes and each.path != "/totp":
            path = each.path.replace("{id}", before.id)[1:]
            for body in EMPTY:
                got = client.api(each.method, path, body)
                assert 400 <= got.status < 500
                assert not opens(got)
    assert rig.town.account(user) == before
    assert client.get().status == 401
    assert not rig.seen


@pytest.mark.parametrize(
    "user",
    [
        "",
        " ",
        "\t",
        "\0",
        "\n",
        "a\nb",
        "\u200b",
        "x" * 1_000_000,
        "\ud800",
        None,
        0.5,
        True,
        [],
        {},
        ["bob"],
    ],
)
def test_D24_names_that_are_none(rig: Rig, user: object) -> None:
    """What the portal's session may name instead of a person: refused at once, and the worker lives."""
    cookie = f"session={starlette_cookie({'user': user}, rig.clock())}"
    began = time.monotonic()
    for target in ("/files", "/mfa/", "/mfa/account", "/mfa/api/v1/status"):
        got = rig.get(target, cookies=[cookie])
        assert 300 <= got.status < 500, (target, got.body[:200])
    assert time.monotonic() - began < 2
    assert not rig.seen
    assert rig.client("alice", verified=True).get().status == 200


@pytest.mark.parametrize("size", [65, 256, 257, 60_000, 1_000_000])
def test_D24_codes_of_any_length(rig: Rig, size: int) -> None:
    """A code as long as a book is refused, by its size alone."""
    client, before = rig.client("alice"), rig.town.account("alice")
    for text in ("1" * size, " " * size, "é" * size):
        assert client.verify(text).status in {401, 413, 422}
        client.page("/mfa/verify")
        assert rig.ask(form_ask(client, "verify", factor="totp", code=text)).status in {400, 413, 422}
    assert rig.town.account("alice").totps == before.totps
    rig.clock.go(60)
    assert client.verify(rig.person("alice").code(rig.clock())).status == 200


def _with_body(ask: Ask, body: bytes) -> Ask:
    return Ask(method=ask.method, target=ask.target, headers=ask.headers, body=body)


def _at(ask: Ask, target: str) -> Ask:
    return Ask(method=ask.method, target=quote(target, safe="/?=&"), headers=ask.headers, body=ask.body)


def _close(rig: Rig, user: str, budget: str) -> None:
    """Guess until the account is closed in this way, a second ago."""
    guess(rig, user, {"delay": 5, "pause": PAUSE_AFTER}.get(budget, 1), apart=20)
    if budget in {"lock", "disabled"}:
        account = rig.town.account(user)
        count = LOCK_AFTER - 1 if budget == "lock" else DISABLE_AFTER - 1
        strikes = replace(account.totps[0].strikes, shares=(("", count),))
        totps = (replace(account.totps[0], strikes=strikes),)
        rig.town.store.commit(Change(account=replace(account, totps=totps)), int(rig.clock()))
        live = rig.client(user, verified=True)
        rig.clock.go(60)
        live.verify(wrong(rig, user))


def _unspend(rig: Rig, step: int) -> None:
    account = rig.town.account("alice")
    totps = (replace(account.totps[0], last_step=step),)
    rig.town.store.commit(Change(account=replace(account, totps=totps)), int(rig.clock()))
