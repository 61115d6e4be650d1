"""The audit page says whether the trail is whole, as the daily examination found it."""

from mfa_gate.core.events import ORG, SYSTEM, Event
from mfa_gate.flows.surveying import WHOLE
from tests.web.house import House

PAGE = "/mfa/admin/audit"


def test_it_says_when_the_trail_was_found_whole_and_when_not(house: House) -> None:
    root = house.enrolled("root")
    root.get(PAGE)
    assert "has not been verified yet" in root.words
    now = int(house.clock())
    house.store.note_run(WHOLE, now)
    root.get(PAGE)
    assert "Chain verified up to" in root.words
    noticed = Event(
        kind="tampering_noticed",
        account_id=ORG,
        subject="",
        at=now,
        actor=SYSTEM,
        details={"what": "cut off"},
    )
    house.store.record((noticed,), now)
    root.get(PAGE)
    assert "Chain verified" not in root.words
    link = root.page.find("a", string="Look at what was noticed")
    assert link is not None
    root.get(str(link["href"]))
    assert "cut off" in root.words
    house.store.note_run(WHOLE, now + 60)
    root.get(PAGE)
    assert "Chain verified up to" in root.words
