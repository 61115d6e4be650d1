"""Two clocks, held against each other (J13)."""

import logging

import pytest

from mfa_gate.core.errors import ClocksDiffer, StoreUnavailable
from mfa_gate.flows.timekeeping import Timekeeper
from mfa_gate.ports import Concern

NOW = 1_800_000_000.0


class Server:
    """Two machines in one time; `machine_off` and `server_off` are what each shows too much."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.machine_off = self.server_off = 0.0
        self.takes = 0.0
        self.asked = 0
        self.away = False
        self.keeper = Timekeeper(self, lambda: NOW + self.passed + self.machine_off, lambda: self.passed)

    def health(self, now: float) -> tuple[Concern, ...]:
        return ()

    def server_time(self) -> float | None:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("away")
        shown = NOW + self.passed + self.takes / 2 + self.server_off
        self.passed += self.takes
        return shown

    def holds(self) -> bool:
        try:
            self.keeper.hold()
        except ClocksDiffer:
            return False
        return True


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("off", "holds"), [(0, True), (89.9, True), (90.1, False), (86_400, False)])
def test_j13_codes_are_judged_while_the_clocks_agree_whichever_of_them_is_off(
    off: float, sign: int, holds: bool
) -> None:
    machine, server = Server(), Server()
    machine.machine_off = server.server_off = sign * off
    assert machine.holds() is server.holds() is holds


def test_j13_what_the_server_said_is_remembered_and_a_jump_of_this_machine_is_seen_all_the_same() -> None:
    server = Server()
    assert all(server.holds() for _ in range(100))
    server.passed += 4
    assert server.holds()
    assert server.asked == 1
    server.machine_off = -3_600
    assert not server.holds()
    server.machine_off = 0
    assert server.holds()


def test_j13_a_jump_of_the_server_is_seen_within_seconds_and_its_mending_at_once() -> None:
    server = Server()
    assert server.holds()
    server.server_off = 200
    server.passed += 5
    assert not server.holds()
    server.server_off = 0
    assert server.holds()


def test_j13_a_server_that_takes_its_time_is_not_thought_to_be_off() -> None:
    server = Server()
    server.takes, server.machine_off = 8, 88
    server.keeper.look()
    assert abs(server.keeper.skew_seconds()) <= 88


def test_j13_an_unknown_time_is_no_right_time() -> None:
    server = Server()
    server.away = True
    with pytest.raises(StoreUnavailable):
        server.keeper.hold()
    server.away = False
    assert server.holds()
    server.away = True
    assert server.holds(), "known a moment ago"
    server.passed += 5
    with pytest.raises(StoreUnavailable):
        server.keeper.hold()


def test_j13_a_monotonic_clock_that_goes_back_proves_nothing() -> None:
    server = Server()
    assert server.holds()
    server.passed -= 3
    assert server.holds()
    assert server.asked == 2


def test_j13_it_is_told_once_when_clocks_part_and_when_they_agree(caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    for off in (0, 9, 11, 95, 12, 0, 0, -11, 0):
        server.server_off = off
        server.passed += 2
        server.keeper.look()
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "clock: the store's server is 11 s ahead of this machine. Let both follow NTP."),
        (logging.WARNING, "clock: the store's server and this machine agree again."),
        (logging.ERROR, "clock: the store's server is 11 s behind this machine. Let both follow NTP."),
        (logging.WARNING, "clock: the store's server and this machine agree again."),
    ]
    assert server.asked == 9
    server.keeper.look()
    assert server.asked == 9, "it was asked just now"
