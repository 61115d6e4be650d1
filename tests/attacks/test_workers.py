"""Four worker processes on one store (F07, F15, J11, J12): what one takes back, and what all do at one moment."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pyotp
import pytest

from mfa_gate.core.accounts import account_id
from tests.attacks.calling import ORIGIN, Said, call, get
from tests.edges.holdings import SQLITE
from tests.edges.rig import found
from tests.edges.servers import PATIENCE_SECONDS, Served, serving
from tests.edges.town import REALM
from tests.stores.redis_servers import RedisServer
from tests.stores.redis_wire import Wire

pytestmark = pytest.mark.xdist_group("servers")

WORKERS = 4
SOON_SECONDS = 1.0
AT_LAST_SECONDS = 5.0
HEARD_SECONDS = 0.5
"""Twice as long as a feed may take in peace."""
_names = count(1)


@dataclass
class Four:
    """A running gunicorn, and a connection to each of its four workers."""

    served: Served
    lines: list[http.client.HTTPConnection]
    wire: Wire | None

    def get(self, line: int, cookies: str) -> int:
        """What one worker says to somebody."""
        return self._ask(line, "GET", "/files", cookies)

    def each(self, cookies: str) -> set[int]:
        """What the workers say to somebody."""
        return {self.get(line, cookies) for line in range(WORKERS)}

    def call(self, line: int, method: str, path: str, cookies: str, body: object) -> None:
        """An act through one worker, which must succeed."""
        status = self._ask(line, method, f"/mfa/api/v1/{path}", cookies, json.dumps(body))
        assert status == 200, path

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """While it lasts no worker hears of what another has changed, and none is told that it does not."""
        if self.wire is None:
            with self.served.town.holding.untold():
                yield
            return
        self.wire.swallow(b"mfa:")  # whatever is published; no answer to a question names a key
        yield
        self.wire.swallow(b"")

    def _ask(self, line: int, method: str, target: str, cookies: str, body: str | None = None) -> int:
        connection = self.lines[line]
        connection.request(method, target, body, {"Cookie": cookies, **(ORIGIN if body else {})})
        answer = connection.getresponse()
        answer.read()
        return answer.status


@pytest.fixture(scope="module", params=["sqlite", "redis-7"])
def four(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Four]:
    with ExitStack() as stack:
        place = tmp_path_factory.mktemp("four")
        wire, url, settings = None, SQLITE, {}
        if request.param != "sqlite":
            server = RedisServer(request.param, tmp_path_factory.mktemp("server"))
            stack.callback(server.kill)
            wire = Wire(server.port)
            stack.callback(wire.close)
            url, settings = server.url, {"store": {"url": wire.url}}
        town = found(place, time.time() - 60, url)
        stack.callback(town.close)
        arguments = ("--preload", "--workers", str(WORKERS), "--keep-alive", "60")
        served = stack.enter_context(serving("gunicorn", town, *arguments, **settings))
        yield Four(served, one_to_each(served, stack), wire)


def one_to_each(served: Served, stack: ExitStack) -> list[http.client.HTTPConnection]:
    """A connection to each worker; it stays with who has accepted it."""
    lines: dict[int, http.client.HTTPConnection] = {}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(lines) < WORKERS:
        assert time.monotonic() < deadline, lines
        line = http.client.HTTPConnection("localhost", served.port, timeout=PATIENCE_SECONDS)
        stack.callback(line.close)
        line.request("GET", "/static/warm")
        line.getresponse().read()
        lines.setdefault(who_accepted(served, line.sock.getsockname()[1]), line)
    return list(lines.values())


def who_accepted(served: Served, port: int) -> int:
    """The worker that holds the other end of the connection from this port."""
    wanted = (f":{served.port:04X}", f":{port:04X}")
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    (inode,) = {row[9] for row in rows if (row[1][8:], row[2][8:]) == wanted}
    pid = served.process.pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        for entry in Path(f"/proc/{child}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed since it was listed
                if str(entry.readlink()) == f"socket:[{inode}]":
                    return int(child)
    raise AssertionError("nobody has it")


# What is taken back, each from somebody whom every worker lets in and remembers


@dataclass(frozen=True)
class Taken:
    """Something to take back. `prepare` brings somebody's cookies; `take` acts through one worker."""

    name: str
    prepare: Callable[[Four, str], str]
    take: Callable[[Four, str, str], None]


def _enrolled(four: Four, who: str) -> str:
    four.served.town.enroll(who, time.time() - 60)
    return four.served.cookies(who, verified=True)


def _known(four: Four, who: str) -> str:
    return four.served.cookies(who)


def _act(verb: str) -> Callable[[Four, str, str], None]:
    def take(four: Four, who: str, _: str) -> None:
        root = four.served.cookies("root", verified=True)
        four.call(0, "POST", f"admin/users/{account_id(REALM, who)}/{verb}", root, {"reason": "tested"})

    return take


def _switched_on(four: Four, _: str, __: str) -> None:
    root = four.served.cookies("root", verified=True)
    four.call(0, "PATCH", "admin/policy", root, {"require_two_step": True})


def _left(four: Four, _: str, cookies: str) -> None:
    assert four._ask(0, "GET", "/logout", cookies) == 200  # noqa: SLF001


ENDED = (
    Taken("reset", _enrolled, _act("reset")),
    Taken("sign-out", _enrolled, _act("sign-out")),
    Taken("logout", _enrolled, _left),
)
POLICY = Taken("policy", _known, _switched_on)


def wait(happened: Callable[[], bool], seconds: float) -> None:
    """Until it has happened, which must not take longer than so many seconds."""
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < seconds, "not in force in time"


def settle(four: Four, *, required: bool) -> None:
    """Two-step is required or not, and every worker has seen so."""
    four.served.town.require_two_step(on=required, now=time.time())
    stranger = four.served.cookies("somebody-else")
    wait(lambda: four.each(stranger) == {401 if required else 200}, 2 * AT_LAST_SECONDS)


def prepared(four: Four, *wanted: Taken) -> list[tuple[Taken, str, str]]:
    """People whom all four let in and remember, also once they have heard of whatever was done to prepare it."""
    people = []
    for taken in wanted:
        who = f"{taken.name}-{next(_names)}"
        people.append((taken, who, taken.prepare(four, who)))
    began = time.monotonic()
    while time.monotonic() - began < HEARD_SECONDS:
        assert {status for _, _, cookies in people for status in four.each(cookies)} == {200}
    return people


def test_F07_J12_what_is_taken_back_by_one_worker_is_gone_on_all_four_within_a_second(four: Four) -> None:
    for required, wanted in ((True, ENDED), (False, (POLICY,))):
        settle(four, required=required)
        for taken, who, cookies in prepared(four, *wanted):
            taken.take(four, who, cookies)
            assert four.get(0, cookies) == 401, "at once where it was done"
            wait(lambda cookies=cookies: four.each(cookies) == {401}, SOON_SECONDS)  # type: ignore[misc]


def test_F15_J12_with_the_feed_cut_it_is_gone_on_all_four_within_five_seconds(four: Four) -> None:
    settle(four, required=False)
    people = prepared(four, *ENDED, POLICY)
    with four.cut_off():
        for taken, who, cookies in people:
            taken.take(four, who, cookies)
        kept = [four.get(line, cookies) for _, _, cookies in people for line in range(1, WORKERS)]
        wait(lambda: all(four.each(cookies) == {401} for _, _, cookies in people), AT_LAST_SECONDS)
    # Nobody was told: who is on a file goes on for a moment, who is on a server notices that they hear nothing.
    assert "change feed lost" in four.served.log if four.wire else 200 in kept


# J11: many at once


def test_J11_of_eight_enrollments_that_are_confirmed_at_once_one_counts(four: Four, scale: str) -> None:
    settle(four, required=True)
    served = four.served
    for round_ in range(3 if scale == "small" else 50):
        who = f"eight-{round_}-{time.monotonic_ns()}"
        cookies = [served.cookies(who) for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            begun = list(pool.map(lambda each: call(served, each, "POST", "totp"), cookies))
            assert {each.status for each in begun} <= {200, 503}
            proofs = [
                (each, {"enrollment": said.body["enrollment"], "code": pyotp.TOTP(said.body["secret"]).now()})
                for each, said in zip(cookies, begun, strict=True)
                if said.status == 200
            ]
            start = threading.Barrier(len(proofs))

            def confirm(proof: tuple[str, dict[str, str]], start: threading.Barrier = start) -> Said:
                start.wait(PATIENCE_SECONDS)
                return call(served, proof[0], "POST", "totp/confirm", proof[1])

            said = list(pool.map(confirm, proofs))
        statuses = [each.status for each in said]
        # Who is told 503 may have won: on a busy machine an answer of the store comes too late.
        assert statuses.count(200) == 1 or (200 not in statuses and 503 in statuses), statuses
        assert set(statuses) <= {200, 401, 404, 503}
        account = served.town.store.account(account_id(REALM, who))
        assert account is not None
        assert account.recovery is not None
        assert (len(account.totps), len(account.recovery.hashes)) == (1, 10)
        assert len(served.town.store.sessions(account.id, int(time.time()))) == 1
        assert served.town.events(who).count("factor_added") == 1
        for each, (portal, _) in zip(said, proofs, strict=True):
            assert get(served, f"{portal}; {each.cookie}") == (200 if each.cookie else 401)


def test_J11_enrolling_and_resetting_at_once_end_in_one_or_the_other(four: Four, scale: str) -> None:
    settle(four, required=True)
    served = four.served
    root = served.cookies("root", verified=True)
    for round_ in range(3 if scale == "small" else 50):
        who = f"race-{round_}-{time.monotonic_ns()}"
        cookies = served.cookies(who)

        def enroll(cookies: str = cookies) -> int:
            begun = call(served, cookies, "POST", "totp")
            if begun.status != 200:
                return begun.status
            proof = {"enrollment": begun.body["enrollment"], "code": pyotp.TOTP(begun.body["secret"]).now()}
            return call(served, cookies, "POST", "totp/confirm", proof).status

        def reset(who: str = who) -> int:
            return call(
                served, root, "POST", f"admin/users/{account_id(REALM, who)}/reset", {"reason": "because"}
            ).status

        get(served, cookies)
        with ThreadPoolExecutor(8) as pool:
            acts = [pool.submit(act) for act in (enroll, reset) * 4]
            statuses = {act.result() for act in acts}
        assert statuses <= {200, 401, 404, 409, 503}
        account = served.town.store.account(account_id(REALM, who))
        assert account is not None
        events = served.town.events(who)
        assert account.has_factor == (events.count("factor_added") > events.count("reset"))
        assert account.has_factor == (account.recovery is not None)
        assert len(served.town.store.sessions(account.id, int(time.time()))) == account.has_factor
    assert served.town.store.broken_chain() is None
