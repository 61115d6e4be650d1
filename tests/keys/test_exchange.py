"""Keys are exchanged under load, in two processes, and nobody notices (J15)."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mfa_gate.cli.invocation import Invocation, Opened
from mfa_gate.core.accounts import Identity, Totp, account_id
from mfa_gate.core.events import Actor
from mfa_gate.core.sessions import Session
from mfa_gate.core.transitions import enrolled, seen
from mfa_gate.factors import recovery, totp
from mfa_gate.files import replace_file
from mfa_gate.flows.checking import session_key
from mfa_gate.keyed import Keyed
from mfa_gate.keys import KeyRing
from mfa_gate.keys.ring import PURPOSES
from mfa_gate.ports import Change
from mfa_gate.signing import SessionCookie
from tests.keys.worker import Visitors

ROOT = Path(__file__).parents[2]
PEOPLE = 24


def run(settings: Path, *words: str) -> str:
    program = [sys.executable, "-c", "from mfa_gate.cli import main; main()", "--settings", str(settings)]
    done = subprocess.run([*program, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MFA_GATE_KEYS", raising=False)
    path = tmp_path / "gate" / "mfa-gate.toml"
    run(path, "init", "--source", "remote_user")
    return path


def settle(gate: Opened, name: str, keyed: Keyed) -> dict[str, Any]:
    """Somebody with an app, ten recovery codes and a session."""
    now = gate.now
    identity = Identity(source="remote_user", realm="portal", subject=name)
    account, events = seen(None, identity, now)
    account = gate.store.commit(Change(account=account, events=events), now)
    codes = recovery.new_codes(os.urandom)
    hashes = tuple(keyed.peppers.hash_code(code, account.id) for code in codes)
    app = Totp(id="t1", name="Phone", secret=totp.new_secret(os.urandom), added_at=now)
    account, events = enrolled(account, app, hashes, Actor(subject=name), now)
    session = Session(
        key=session_key(name),
        account_id=account.id,
        epoch=account.epoch,
        source="remote_user",
        sign_in="",
        factor="totp",
        amr=("pwd", "otp", "mfa"),
        acr="2",
        verified_at=now,
        created_at=now,
        expires_at=now + 3600,
        touched_at=now,
    )
    gate.store.commit(Change(account=account, events=events, open_session=session), now)
    cookie = SessionCookie(account=account.id, id=name, epoch=account.epoch, store=gate.store.store_id)
    return {"cookie": keyed.session.sign(cookie, now), "codes": list(codes)}


def opened(settings: Path, act: Callable[[Opened, Keyed], Any]) -> Any:  # noqa: ANN401
    invocation = Invocation()
    invocation.settings_path = settings
    with invocation.opened() as gate:
        file = gate.settings.keys.file
        assert file
        return act(gate, Keyed.of(KeyRing.load(file), os.urandom))


@contextmanager
def worker(settings: Path, people: dict[str, Any]) -> "Iterator[subprocess.Popen[str]]":
    with subprocess.Popen(
        [sys.executable, "-m", "tests.keys.worker", str(settings)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(json.dumps(people) + "\n")
            process.stdin.flush()
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def test_j15_nobody_is_signed_out_and_no_code_fails_while_all_keys_are_exchanged(settings: Path) -> None:
    keys = settings.parent / "mfa-gate.keys"
    names = [f"user{number}" for number in range(PEOPLE)]
    people = opened(settings, lambda gate, keyed: {name: settle(gate, name, keyed) for name in names})
    before = {name: person["cookie"] for name, person in people.items()}
    old = KeyRing.load(keys)
    shares = [{name: people[name] for name in names[at::2]} for at in range(2)]
    with ExitStack() as ending:
        workers = [ending.enter_context(worker(settings, share)) for share in shares]
        run(settings, "keys", "rotate", "--reason", "yearly")
        run(settings, "keys", "reseal")
        results = [json.loads(each.communicate("stop\n", timeout=60)[0].splitlines()[-1]) for each in workers]
    for result in results:
        assert result["wrong"] == []
        assert result["requests"] > 100
        assert result["verified"] > 20
    after = {name: cookie for result in results for name, cookie in result["cookies"].items()}
    assert not set(before.values()) & set(after.values())
    new = KeyRing.load(keys)
    assert all(new.writing(purpose) != old.writing(purpose) for purpose in PURPOSES)
    assert opened(settings, lambda gate, _: gate.store.broken_chain()) is None
    assert opened(settings, lambda gate, _: gate.store.account(account_id("portal", "user0"))) is not None

    # What a retired key has signed or hashed is worth nothing.
    only_new = replace(new, seal=new.seal[1:], cookie=new.cookie[1:], pepper=new.pepper[1:])
    replace_file(keys, only_new.text())
    keyed = Keyed.of(only_new, os.urandom)
    late, now = names[0], int(time.time())
    # The same session under the new key, whether or not its holder came back after the exchange.
    said = Keyed.of(new, os.urandom).session.read(after[late], SessionCookie, now, 3600)
    assert said is not None
    after[late] = keyed.session.sign(said, now)
    visitors = Visitors(str(settings), {late: {"cookie": before[late], "codes": []}})
    assert visitors.ask(late, "/files")[0].startswith("401")
    visitors.cookies[late] = after[late]
    assert visitors.ask(late, "/files")[0].startswith("200")
