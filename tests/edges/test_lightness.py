"""What a verified request does not do: load what is slow to import, or run through anything but the quick way."""

import json
import subprocess
import sys
from pathlib import Path
from types import FrameType

import mfa_gate
from tests.edges.asking import Ask
from tests.edges.fixtures import Build, Towns
from tests.edges.rig import Rig
from tests.edges.town import NOW, PLAIN, SECRET, starlette_cookie
from tests.waiting import until

ROOT = Path(__file__).parents[2]
PROXY = "10.0.0.5"
BY_HEADER = {
    "trusted_proxies": [PROXY],
    "identity": [{"source": "header", "name": "X-Portal-User"}],
    "portal": {"rules": [], "headers": True},
}


def test_what_is_slow_to_import_is_loaded_once_it_is_used(towns: Towns, tmp_path: Path) -> None:
    town = towns[True].copy(tmp_path)
    cookies = f"session={starlette_cookie({'user': 'alice'})}; mfa_gate={town.session('alice')}"
    town.close()
    made = {"settings": PLAIN, "environ": {"PORTAL_SECRET": SECRET}, "now": NOW}
    (tmp_path / "settings.json").write_text(json.dumps(made))
    said = subprocess.run(
        [sys.executable, "-m", "tests.edges.lean", tmp_path, cookies],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert json.loads(said) == {"imported": [], "served": [200, 200], "page": [200, "jinja2"]}


def test_a_verified_request_runs_through_the_quick_way_alone(rig: Rig) -> None:
    alice = rig.client("alice", verified=True)
    ask = Ask(headers=(("Accept", "text/html"), *alice.cookies))
    assert modules(rig, ask) > {"flows.checking", "core.decision"}, "the first one is judged"
    assert modules(rig, ask) <= quick(rig)


def test_the_quick_way_is_open_to_whoever_a_proxy_names(build: Build) -> None:
    """With a header that names somebody, and headers that tell the portal more."""
    rig = build(**BY_HEADER)
    session = rig.gate_cookie("alice", source="header")
    ask = Ask(headers=(("X-Portal-User", "alice"), ("Cookie", session)), peer=PROXY)
    assert modules(rig, ask) > {"flows.checking", "core.decision"}
    assert modules(rig, ask) <= quick(rig) | {"core.addresses"}
    first, second = rig.seen[-2:]
    assert first == second
    assert first.values("remote-user") == ["alice"]


def test_the_quick_way_is_open_to_a_registered_client(rig: Rig) -> None:
    """Without a session, and without the long way for whoever was here a moment ago."""
    bob = rig.client("bob")
    rig.clock.go(30)
    fields = {"kind": "desktop", "name": "x", "factor": "totp", "code": rig.person("bob").code(rig.clock())}
    token = json.loads(bob.api("POST", "devices", fields).body)["device_token"]
    ask = Ask(headers=(("MFA-Gate-Device", token), ("Cookie", rig.portal_cookie("bob"))))
    assert modules(rig, ask) > {"flows.checking", "core.decision"}
    # The registration itself is still on its way through the feed, and drops once more what was read.
    until(lambda: modules(rig, ask) <= quick(rig))
    first, second = rig.seen[-2:]
    assert first == second
    assert first.values("mfa-gate-device") == []


def quick(rig: Rig) -> set[str]:
    """The modules of a verified request; the canary answers in pieces, which are watched."""
    return {"watch", *(f"{rig.door}.{part}" for part in ("middleware", "quick", "answers"))}


def modules(rig: Rig, ask: Ask) -> set[str]:
    """The modules of the gate that one request runs through, in this thread."""
    home = Path(mfa_gate.__file__).parent
    ran: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        file = Path(frame.f_code.co_filename)
        if event == "call" and file.is_relative_to(home):
            ran.add(".".join(file.relative_to(home).with_suffix("").parts))

    sys.setprofile(note)
    try:
        answer = rig.ask(ask)
    finally:
        sys.setprofile(None)
    assert answer.status == 200
    return ran
