"""Break-glass at the doors: one account, one host, an hour at most, heard by everybody, also without the store."""

import json
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from mfa_gate import Gate
from mfa_gate.break_glass import GrantFile, GrantLog, LiveGrants
from mfa_gate.core.accounts import Identity
from mfa_gate.core.decision import Allow, Outcome
from mfa_gate.core.events import ORG, SYSTEM, Event
from mfa_gate.core.grants import Grant, SignedGrant, body_of, is_good, names, to_sign
from mfa_gate.core.messages import GateRequest
from mfa_gate.files import replace_file
from mfa_gate.flows.checking import Said, Verdict
from mfa_gate.keyed import Keyed
from mfa_gate.keys import Key, KeyRing
from mfa_gate.keys.signatures import sign
from mfa_gate.settings import Settings
from mfa_gate.wiring import Sources
from tests.cli.conftest import bare
from tests.cli.shell import NOW, REALM, Shell
from tests.keys.worker import Visitors
from tests.waiting import until

__all__ = ["bare"]

PATIENCE = 15.0
WHY = ("--reason", "phone lost on call")
ALICE = Identity(source="remote_user", realm=REALM, subject="alice")
GRANT = Grant(
    id="g1",
    realm=REALM,
    subject="alice",
    public_url="http://localhost:8000",
    granted_at=NOW,
    until=NOW + 600,
    reason="phone lost",
    by="root",
)


class Ward:
    """A portal behind a gate that runs, under the shell's clock; alice has two-step, and it is required."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        settings = Settings.from_toml(shell.settings)
        self.gate = Gate(settings, sources=Sources(clock=lambda: shell.now, random=os.urandom))
        self.visitors = Visitors.__new__(Visitors)
        self.told: list[Any] = []
        self.visitors.app = self.gate.wsgi(self.portal)
        self.visitors.cookies = {"alice": "", "bob": "", "admin": "", "ALICE": "", "carol": ""}
        self.log = shell.folder / "mfa-gate.grants.log"

    def portal(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:  # noqa: ANN401
        self.told.append(environ["mfa_gate"])
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"portal"]

    def status(self, user: str, path: str = "/files", body: dict[str, str] | None = None) -> int:
        return int(self.visitors.ask(user, path, body)[0][:3])

    def grant(self, user: str = "alice", minutes: int = 10) -> str:
        words = ("--user", user, "--minutes", str(minutes), *WHY)
        made: str = self.shell.json("break-glass", "grant", *words)["id"]
        return made

    def written(self) -> list[str]:
        if not self.log.exists():
            return []
        return [json.loads(line)["kind"] for line in self.log.read_text().splitlines()]

    def in_trail(self) -> list[str]:
        found = self.shell.json("audit", "list", "--limit", "500")
        return [each["kind"] for each in reversed(found) if each["kind"].startswith("break_glass")]

    def lose_store(self) -> None:
        store = self.shell.folder / "store"
        store.rename(store.with_name("gone"))

    def find_store(self) -> None:
        store = self.shell.folder / "store"
        store.with_name("gone").rename(store)


@pytest.fixture
def ward(bare: Shell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ward]:
    bare("init", "--source", "remote_user")
    bare.enrolls("admin")
    bare.enrolls("alice")
    bare("policy", "set", "require_two_step=true", "--reason", "go live")
    ward = Ward(bare)
    assert [ward.status(user) for user in ("alice", "bob", "carol")] == [401, 401, 401]
    ward.told.clear()
    yield ward
    ward.gate.parts.close()


class TestDoor:
    def test_the_named_one_passes_and_nobody_else(self, ward: Ward) -> None:
        ward.grant()
        until(lambda: ward.status("alice") == 200)
        assert ward.status("alice", "/admin/anything") == 200
        assert [ward.status(user) for user in ("bob", "admin")] == [401, 401]
        assert ward.status("ALICE") == 403
        assert ward.told[0] == {"subject": "alice", "amr": (), "acr": "", "verified_at": 0, "client": "web"}

    def test_who_has_not_set_up_two_step_passes_too(self, ward: Ward) -> None:
        ward.grant("bob")
        until(lambda: ward.status("bob") == 200)

    def test_it_ends_by_itself(self, ward: Ward) -> None:
        ward.grant(minutes=10)
        until(lambda: ward.status("alice") == 200)
        ward.shell.now += 599
        assert ward.status("alice") == 200
        ward.shell.now += 1
        assert ward.status("alice") == 401

    def test_it_is_taken_back_within_a_moment(self, ward: Ward) -> None:
        made = ward.grant()
        until(lambda: ward.status("alice") == 200)
        ward.shell("break-glass", "revoke", made, *WHY)
        until(lambda: ward.status("alice") == 401)

    def test_without_the_store_it_is_the_only_way(self, ward: Ward) -> None:
        ward.lose_store()
        until(lambda: ward.status("alice") == 503)
        ward.shell("break-glass", "grant", "--user", "alice", "--minutes", "10", *WHY)
        until(lambda: ward.status("alice") == 200)
        assert ward.status("bob") == 503
        assert ward.status("ALICE") == 503
        assert ward.told[-1]["subject"] == "alice"
        ward.find_store()
        until(lambda: "break_glass_used" in ward.in_trail())
        assert ward.in_trail()[0] == "break_glass_granted"

    def test_also_for_a_gate_that_starts_without_the_store(self, ward: Ward) -> None:
        ward.grant()
        ward.lose_store()
        late = Ward(ward.shell)
        try:
            assert late.status("alice") == 200
            assert late.status("bob") == 503
        finally:
            late.gate.parts.close()
            ward.find_store()

    def test_each_use_is_heard(self, ward: Ward, caplog: pytest.LogCaptureFixture) -> None:
        ward.grant()
        until(lambda: ward.status("alice") == 200)
        for _ in range(3):
            ward.status("alice")
        assert ward.written() == ["break_glass_granted", "break_glass_used"]
        ward.shell.now += 60
        ward.status("alice")
        assert ward.written().count("break_glass_used") == 2
        aloud = [
            record for record in caplog.records if "passes without the second step" in record.getMessage()
        ]
        assert [record.levelno for record in aloud] == [logging.ERROR, logging.ERROR]
        until(lambda: ward.in_trail().count("break_glass_used") == 2)
        with ward.shell.gate() as gate:
            (newest, *_) = gate.store.events(account_id=None, kind="break_glass_used", before=None, limit=1)
        assert newest.event.notify == ("owner", "admins")
        assert newest.event.details["path"] == "/files"
        assert newest.event.details["reason"] == "phone lost on call"
        assert ward.shell.json("audit", "verify")["whole"]

    def test_where_it_cannot_be_written_down_nobody_passes(
        self, ward: Ward, caplog: pytest.LogCaptureFixture
    ) -> None:
        ward.grant()
        ward.log.rename(ward.log.with_name("kept"))
        ward.log.mkdir()

        def refused_for_that() -> bool:
            assert ward.status("alice") == 401
            return "cannot be written down" in caplog.text

        until(refused_for_that)
        ward.lose_store()
        until(lambda: ward.status("alice") == 503)
        assert "passes without" not in caplog.text

    def test_it_opens_none_of_our_own_pages(self, ward: Ward) -> None:
        ward.grant("admin")
        until(lambda: ward.status("admin") == 200)
        assert ward.status("admin", "/mfa/api/v1/admin/policy") == 401
        assert ward.status("admin", "/mfa/api/v1/admin/users") == 401
        ward.grant("alice")
        until(lambda: ward.status("alice") == 200)
        assert ward.status("alice", "/mfa/api/v1/devices") in {401, 404}
        assert ward.status("alice", "/mfa/api/v1/totp", {}) == 401
        with ward.shell.gate() as gate:
            assert not gate.store.sessions(ward.shell.account("alice").id, ward.shell.now)

    def test_one_code_is_not_spared_to_others(self, ward: Ward) -> None:
        """A foreign credential, a second voice, another host: what is odd stays refused."""
        ward.grant()
        until(lambda: ward.status("alice") == 200)
        checker = ward.gate.parts.door().checker
        host, odd = ("host", "localhost:8000"), ("authorization", "Basic YTpi")
        asked = GateRequest(path="/files", remote_user="alice", headers=(host,), peer="127.0.0.1")
        assert isinstance(checker.check(asked).decision, Allow)
        for headers in ((host, odd), (("host", "evil.example"),), (host, host)):
            assert not isinstance(checker.check(replace(asked, headers=headers)).decision, Allow)
        ward.lose_store()
        assert checker.check(asked, look="fresh").decision == Allow(
            outcome=Outcome(subject="alice"), by_grant=True
        )
        for headers in ((host, odd), (("host", "evil.example"),), (host, host)):
            assert not isinstance(
                checker.check(replace(asked, headers=headers), look="fresh").decision, Allow
            )
        ward.find_store()

    def test_the_event_loop_never_waits_for_the_log(self, ward: Ward) -> None:
        ward.grant()
        until(lambda: ward.status("alice") == 200)
        checker = ward.gate.parts.door().checker
        asked = GateRequest(
            path="/files", remote_user="alice", headers=(("host", "localhost:8000"),), peer="127.0.0.1"
        )
        assert isinstance(checker.check_cached(asked), Verdict)
        ward.shell.now += 60
        said = checker.check_cached(asked)
        assert isinstance(said, Said), "the use must be written down first"
        verdict = checker.check(asked, said)
        assert isinstance(checker.check_cached(asked), Verdict)
        assert checker.again(verdict.visit, verdict.cached)
        ward.shell.now += 600
        assert not checker.again(verdict.visit, verdict.cached)


class TestGrant:
    @pytest.mark.parametrize(
        ("change", "good"),
        [
            ({}, True),
            ({"public_url": "https://localhost:8000"}, False),
            ({"until": NOW}, False),
            ({"until": NOW + 3600}, True),
            ({"until": NOW + 3601}, False),
            ({"granted_at": NOW + 60}, True),
            ({"granted_at": NOW + 61}, False),
            ({"granted_at": NOW - 3601, "until": NOW + 1}, False),
        ],
    )
    def test_when_and_where_it_is_good(self, change: dict[str, Any], *, good: bool) -> None:
        assert is_good(replace(GRANT, **change), "http://localhost:8000", NOW) is good

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({}, True),
            ({"subject": "Alice"}, False),
            ({"subject": "Alice", "case_insensitive": True}, True),
            ({"subject": "bob"}, False),
            ({"realm": "other"}, False),
            ({"source": "header"}, True),
        ],
    )
    def test_whom_it_names(self, change: dict[str, Any], *, named: bool) -> None:
        assert names(GRANT, replace(ALICE, **change)) is named

    def test_what_is_no_grant_says_nothing(self) -> None:
        assert SignedGrant(body=b"junk", key="k", signature=b"").read() is None


class TestLiveGrants:
    RING = KeyRing.generate(os.urandom)

    @pytest.fixture
    def keyed(self) -> Keyed:
        return Keyed.of(self.RING, os.urandom)

    def live(self, keyed: Keyed, folder: Path) -> LiveGrants:
        file = GrantFile(folder / "grants")
        return LiveGrants(file, GrantLog(folder / "log"), keyed.is_our_grant, "http://localhost:8000")

    def signed(self, grant: Grant = GRANT, key: Key | None = None) -> SignedGrant:
        body = body_of(grant)
        used = key or self.RING.writing("break_glass")
        return SignedGrant(body=body, key=used.id, signature=sign(used, to_sign(body)))

    def put(self, folder: Path, *signed: SignedGrant) -> None:
        GrantFile(folder / "grants").change(lambda _: signed)

    def test_ours_is_found(self, keyed: Keyed, tmp_path: Path) -> None:
        self.put(tmp_path, self.signed())
        assert self.live(keyed, tmp_path).find(ALICE, NOW) == GRANT

    @pytest.mark.parametrize(
        "forgery", ["another key", "a checkpoint's key", "edited", "no signature", "junk"]
    )
    def test_whoever_writes_the_file_grants_nothing(self, keyed: Keyed, tmp_path: Path, forgery: str) -> None:
        ours = self.RING.writing("break_glass")
        match forgery:
            case "another key":
                forged = self.signed(key=Key(id=ours.id, secret=os.urandom(32)))
            case "a checkpoint's key":
                forged = self.signed(key=replace(self.RING.writing("checkpoint"), id=ours.id))
            case "edited":
                forged = replace(self.signed(), body=body_of(replace(GRANT, until=NOW + 601)))
            case "no signature":
                forged = replace(self.signed(), signature=b"")
            case _:
                body = b"junk"
                forged = SignedGrant(body=body, key=ours.id, signature=sign(ours, to_sign(body)))
        self.put(tmp_path, forged)
        assert self.live(keyed, tmp_path).find(ALICE, NOW) is None

    def test_a_signature_over_something_else_is_none(self, keyed: Keyed, tmp_path: Path) -> None:
        body, key = body_of(GRANT), self.RING.writing("break_glass")
        self.put(tmp_path, SignedGrant(body=body, key=key.id, signature=sign(key, body)))
        assert self.live(keyed, tmp_path).find(ALICE, NOW) is None

    def test_the_file_is_looked_at_and_not_read_by_each_request(self, keyed: Keyed, tmp_path: Path) -> None:
        live = self.live(keyed, tmp_path)
        self.put(tmp_path, self.signed())
        assert live.find(ALICE, NOW) is None
        live.look()
        assert live.find(ALICE, NOW) == GRANT
        (tmp_path / "grants").unlink()
        assert live.find(ALICE, NOW) == GRANT
        live.look()
        assert live.find(ALICE, NOW) is None

    @pytest.mark.parametrize("content", [b"junk", b"{}", b'[{"body": 1}]'])
    def test_a_damaged_file_grants_nothing_and_is_told(
        self, keyed: Keyed, tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.put(tmp_path, self.signed())
        live = self.live(keyed, tmp_path)
        replace_file(tmp_path / "grants", content)
        live.look()
        assert live.find(ALICE, NOW) is None
        assert "are damaged" in caplog.text
        assert self.live(keyed, tmp_path).find(ALICE, NOW) is None

    def test_a_file_that_cannot_be_read_grants_nothing(
        self, keyed: Keyed, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "grants").mkdir()
        assert self.live(keyed, tmp_path).find(ALICE, NOW) is None
        assert "break-glass" in caplog.text

    def test_the_clock_set_back_is_noted_anew(self, keyed: Keyed, tmp_path: Path) -> None:
        self.put(tmp_path, self.signed())
        live = self.live(keyed, tmp_path)
        assert not live.is_noted(GRANT, NOW)
        assert live.note(GRANT, event("a"), NOW)
        assert live.is_noted(GRANT, NOW + 59)
        assert not live.is_noted(GRANT, NOW + 60)
        assert not live.is_noted(GRANT, NOW - 1)


def event(entry: str) -> Event:
    return Event(
        kind="break_glass_used",
        account_id=ORG,
        subject="alice",
        at=NOW,
        actor=SYSTEM,
        details={"entry": entry},
    )


class TestLog:
    def test_each_event_joins_once_and_in_order(self, tmp_path: Path) -> None:
        log = GrantLog(tmp_path / "log")
        joined: list[str] = []

        def record(events: tuple[Event, ...]) -> None:
            joined.extend(each.details["entry"] for each in events)

        assert log.join(record) == 0
        for number in range(250):
            log.append(event(str(number)))
        assert log.join(record) == 250
        assert log.join(record) == 0
        log.append(event("250"))
        assert GrantLog(tmp_path / "log").join(record) == 1
        assert joined == [str(number) for number in range(251)]

    def test_what_the_store_did_not_take_comes_again(self, tmp_path: Path) -> None:
        log = GrantLog(tmp_path / "log")
        log.append(event("1"))

        def down(_: tuple[Event, ...]) -> None:
            raise RuntimeError

        for _ in range(2):
            with pytest.raises(RuntimeError):
                log.join(down)
        assert log.join(lambda _: None) == 1

    def test_a_line_that_is_none_of_ours_holds_up_nothing(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        log = GrantLog(tmp_path / "log")
        log.append(event("1"))
        with (tmp_path / "log").open("ab") as file:
            file.write(b"junk \x1b[31m\n")
        log.append(event("2"))
        assert log.join(lambda _: None) == 2
        assert "no event of ours" in caplog.text
        assert "\x1b" not in caplog.text

    def test_a_line_that_is_being_written_is_left_for_later(self, tmp_path: Path) -> None:
        log = GrantLog(tmp_path / "log")
        log.append(event("1"))
        line = msgspec.json.encode(event("2"))
        with (tmp_path / "log").open("ab") as file:
            file.write(line[:20])
            file.flush()
            assert log.join(lambda _: None) == 1
            file.write(line[20:] + b"\n")
        assert log.join(lambda _: None) == 1

    def test_of_two_processes_one_joins(self, tmp_path: Path) -> None:
        log = GrantLog(tmp_path / "log")
        log.append(event("1"))
        inside, go_on = threading.Event(), threading.Event()
        joined: list[int] = []

        def slow(_: tuple[Event, ...]) -> None:
            inside.set()
            assert go_on.wait(PATIENCE)

        first = threading.Thread(target=lambda: joined.append(log.join(slow)))
        first.start()
        assert inside.wait(PATIENCE)
        assert log.join(lambda _: None) == 0
        go_on.set()
        first.join()
        assert joined == [1]
