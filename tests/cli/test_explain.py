"""`explain` says what the gate itself would decide: the rule, the verdict, the reason; and it changes nothing."""

from typing import Any

import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import account_id
from mfa_gate.core.throttle import Strikes
from tests.cli.shell import NOW, REALM, Shell


@pytest.fixture
def strict(shell: Shell) -> Shell:
    """The policy is on; admin and alice have two-step, carol was seen and has none."""
    shell.edit('    # { kind = "step_up", path = "/admin/"', '    { kind = "step_up", path = "/archive/"')
    for subject in ("admin", "alice"):
        shell.enrolls(subject)
    shell.visits("carol")
    shell("policy", "set", "require_two_step=true", "--reason", "go live")
    return shell


def verdicts(shell: Shell, *words: str) -> dict[str, str]:
    cases: Any = shell.json("explain", *words)["cases"]
    return {case["visitor"]: case["decision"] for case in cases}


def test_who_has_no_two_step_is_led_to_the_wizard(strict: Shell) -> None:
    answer = strict.json("explain", "GET", "/files", "--user", "carol")
    first = answer["cases"][0]
    assert (first["visitor"], first["decision"]) == ("carol, not verified", "Enroll")
    assert first["browser"] == {"status": 303, "location": "/mfa/setup?next=%2Ffiles", "code": None}
    assert first["program"] == {"status": 401, "location": None, "code": "two_step_setup_required"}
    assert "carol has not set up two-step" in first["why"]
    assert answer["rule"]["index"] is None
    assert answer["rule"]["kind"] == "default"
    assert answer["user"] == {
        "user": "carol",
        "realm": REALM,
        "seen": True,
        "status": "missing",
        "required": True,
    }


def test_who_is_exempt_passes_and_it_says_until_when(strict: Shell) -> None:
    strict("users", "exempt", "carol", "--until", "2027-01-20", "--reason", "no phone")
    answer = strict.json("explain", "GET", "/files", "--user", "carol")
    assert (answer["user"]["status"], answer["user"]["required"]) == ("exempt", False)
    assert answer["cases"][0]["decision"] == "Allow"
    assert (
        "carol has not set up two-step, and is exempt until 2027-01-20 23:59:59 UTC."
        in answer["cases"][0]["why"]
    )


def test_it_speaks_in_sentences(strict: Shell) -> None:
    said = strict("explain", "GET", "/files", "--user", "carol").output
    assert "none of [portal] rules fits" in said
    assert "user     carol (realm portal): missing, two-step required" in said
    assert "Require Two-Step Authentication is on, and carol has not set up two-step." in said
    assert (
        "A browser gets 303 to /mfa/setup?next=%2Ffiles; a program gets 401 two_step_setup_required." in said
    )
    assert "nobody can be verified as carol" in said


def test_with_the_policy_off_it_says_what_turning_it_on_would_change(shell: Shell) -> None:
    shell.visits("carol")
    answer = shell.json("explain", "GET", "/files", "--user", "carol")
    assert [case["decision"] for case in answer["cases"]] == ["Allow", "Allow"]
    then = {case["visitor"]: case["decision"] for case in answer["with_policy_on"]}
    assert then == {"carol, not verified": "Enroll", "nobody signed in": "SignIn"}
    said = shell("explain", "GET", "/files", "--user", "carol").output
    assert said.index("carol, not verified: Allow") < said.index("With Require Two-Step Authentication on:")
    assert "carol, not verified: Enroll" in said


def test_where_turning_the_policy_on_would_change_nothing_it_says_so(shell: Shell) -> None:
    assert "on would change nothing here" in shell("explain", "GET", "/login").output
    assert shell.json("explain", "GET", "/login")["with_policy_on"] == []


def test_with_the_policy_on_it_speaks_of_nothing_else(strict: Shell) -> None:
    assert strict.json("explain", "GET", "/files", "--user", "carol")["with_policy_on"] == []
    assert "Authentication on:" not in strict("explain", "GET", "/files", "--user", "carol").output


def test_who_has_two_step_is_asked_and_passes_with_a_session(strict: Shell) -> None:
    assert verdicts(strict, "GET", "/files", "--user", "alice") == {
        "alice, not verified": "Verify",
        "alice, verified just now": "Allow",
        "nobody signed in": "SignIn",
    }


def test_a_step_up_rule_wants_it_fresh_and_by_app(strict: Shell) -> None:
    answer = strict.json("explain", "GET", "/archive/x", "--user", "alice")
    assert answer["rule"]["index"] == 3
    assert 'rules[3] { kind = "step_up", path = "/archive/", max_age = 300 }' in answer["rule"]["text"]
    assert verdicts(strict, "GET", "/archive/x", "--user", "alice") == {
        "alice, not verified": "Verify",
        "alice, verified just now": "Allow",
        "alice, verified 301 s ago": "Verify",
        "alice, verified by a recovery code": "Verify",
        "nobody signed in": "SignIn",
    }


def test_a_stranger(strict: Shell) -> None:
    assert verdicts(strict, "GET", "/files") == {"nobody signed in": "SignIn"}
    assert verdicts(strict, "GET", "/login") == {"nobody signed in": "Allow"}
    assert verdicts(strict, "GET", "/static/portal.css") == {"nobody signed in": "AllowStranger"}
    said = strict("explain", "GET", "/static/portal.css").output
    assert "rules[2]" in said
    assert "goes on to the portal as a stranger's" in said


def test_the_sign_in_page_is_not_open_to_who_is_signed_in(strict: Shell) -> None:
    assert verdicts(strict, "GET", "/login", "--user", "alice")["alice, not verified"] == "Verify"
    assert "a new portal sign-in is asked for a code again" in strict("explain", "POST", "/login").output


def test_signing_out_is_open(strict: Shell) -> None:
    answer = strict.json("explain", "POST", "/logout", "--user", "carol")
    assert answer["rule"]["index"] == 1
    assert answer["cases"][0]["decision"] == "Allow"
    assert "ends the gate's session" in answer["cases"][0]["why"]


def test_while_the_policy_is_off(shell: Shell) -> None:
    shell.enrolls("alice")
    assert verdicts(shell, "GET", "/files", "--user", "alice")["alice, not verified"] == "Verify"
    assert verdicts(shell, "GET", "/files", "--user", "carol")["carol, not verified"] == "Allow"
    assert verdicts(shell, "GET", "/files") == {"nobody signed in": "Allow"}
    said = shell("explain", "GET", "/files", "--user", "alice").output
    assert "until they turn it off, although the policy is off" in said
    assert "passes, and is counted" in said


def test_another_spelling_and_another_host(strict: Shell) -> None:
    said = strict.json("explain", "GET", "/files", "--user", "ALICE")
    assert said["cases"][0]["decision"] == "Deny"
    assert "spelling" in said["cases"][0]["why"]
    assert verdicts(strict, "GET", "http://evil.example/files") == {"nobody signed in": "Malformed"}
    assert verdicts(strict, "GET", "http://localhost:8000/files") == {"nobody signed in": "SignIn"}


def test_observing(strict: Shell) -> None:
    strict.edit('mode = "enforce"', 'mode = "observe"')
    answer = strict.json("explain", "GET", "/files", "--user", "carol")
    assert answer["mode"] == "observe"
    assert any("nothing of this is enforced" in note for note in answer["notes"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("GET", "/files/%2e%2e/x"), "400"),
        (("GET", "/a//b"), "empty segment"),
        (("TRACE", "/files"), "405"),
        (("GET", "/mfa/admin"), "own pages"),
    ],
)
def test_where_no_rule_is_looked_at(strict: Shell, words: tuple[str, str], said: str) -> None:
    assert said in strict("explain", *words).output
    assert said in strict.json("explain", *words)["answer"]


@pytest.mark.parametrize("words", [("GET", "files"), ("G ET", "/"), ("GET", "ftp://x/"), ("GET",)])
def test_what_is_no_request_is_refused(strict: Shell, words: tuple[str, ...]) -> None:
    strict("explain", *words, code=2)


def test_the_path_is_judged_decoded_and_the_query_apart(strict: Shell) -> None:
    answer = strict.json("explain", "GET", "/login%20x?a=b#c")
    assert (answer["path"], answer["rule"]["kind"]) == ("/login x", "default")
    assert strict.json("explain", "GET", "/größe")["path"] == "/größe"
    assert strict.json("explain", "GET", "/login?next=/files")["rule"]["kind"] == "sign_in"
    assert strict.json("explain", "GET", "/ARCHIVE/")["rule"]["kind"] == "step_up"


def test_it_records_nobody(strict: Shell) -> None:
    before = [each["position"] for each in strict.json("audit", "list")]
    answer = strict.json("explain", "GET", "/files", "--user", "dora")
    assert answer["user"]["seen"] is False
    assert any("never seen dora" in note for note in answer["notes"])
    with strict.gate() as gate:
        assert gate.store.account(account_id(REALM, "dora")) is None
    assert [each["position"] for each in strict.json("audit", "list")] == before


def test_which_realm(bare: Shell) -> None:
    bare("init")
    second = '\n[[identity]]\nsource = "header"\nrealm = "staff"\n\n[store]\n'
    bare.edit("\n[store]\n", second)
    bare.edit("trusted_proxies = []", 'trusted_proxies = ["127.0.0.1"]')
    bare.edit('admins = ["admin"]', 'admins = ["user:admin@portal"]')
    assert "--realm" in bare("explain", "GET", "/files", "--user", "carol", code=2).stderr
    assert (
        bare.json("explain", "GET", "/files", "--user", "carol", "--realm", "staff")["user"]["realm"]
        == "staff"
    )
    assert "Known: portal, staff" in bare("users", "show", "carol", "--realm", "x", code=2).stderr


def test_somebody_who_is_paused(strict: Shell) -> None:
    alice = strict.account("alice")
    assert alice.recovery is not None
    strikes = Strikes(paused_until=NOW + 900)
    totps = (replace(alice.totps[0], strikes=strikes),)
    strict.keep(replace(alice, totps=totps, recovery=replace(alice.recovery, strikes=strikes)))
    first = strict.json("explain", "GET", "/files", "--user", "alice")["cases"][0]
    assert first["decision"] == "Paused"
    assert "2027-01-15 08:15:00" in first["why"]
    assert "paused until" in strict("users", "show", "alice").output
