"""The time to set up two-step, through every door: browsers are asked and may say later, programs pass."""

import pytest

from mfa_gate.core.policy import DAY, PUT_OFF_SECONDS
from tests.edges.rig import Client, Rig
from tests.edges.town import NOW

WIZARD = "/mfa/setup?next=%2Ffiles"


@pytest.fixture
def carol(rig: Rig) -> Client:
    """Somebody without two-step, who has two days from now on."""
    rig.requires(grace_seconds=2 * DAY, first_required_at=int(rig.clock()))
    return rig.client("carol")


def asked(client: Client) -> bool:
    """Whether a browser is led to the wizard; otherwise the portal has answered."""
    got = client.visit("/files")
    if got.status == 303:
        assert got.header("location") == WIZARD
        return True
    assert got.status == 200
    return False


def test_a_program_passes_until_the_deadline_and_is_told_of_it(rig: Rig, carol: Client) -> None:
    for _ in range(2):
        assert carol.get("/files").status == 200
    assert carol.ask("POST", "/files").status == 200
    told = carol.api("GET", "status").json()
    assert (told["state"], told["policy"]) == ("not_required", {"required": False, "deadline": NOW + 2 * DAY})
    rig.clock.now = NOW + 2 * DAY
    got = carol.get("/files")
    assert (got.status, got.code) == (401, "two_step_setup_required")
    told = carol.api("GET", "status").json()
    assert (told["state"], told["policy"]) == ("setup_required", {"required": True, "deadline": None})


def test_a_browser_is_asked_once_a_working_day_and_then_led_to_the_wizard_without_later(
    rig: Rig, carol: Client
) -> None:
    assert asked(carol)
    assert asked(carol)
    carol.page(WIZARD)
    assert carol.submit("setup/later").header("location") == "/files"
    assert not asked(carol)
    rig.clock.go(PUT_OFF_SECONDS)
    assert asked(carol)
    rig.clock.now = NOW + 2 * DAY
    assert asked(carol)
    carol.page(WIZARD)
    assert not carol.soup.find("form", action="/mfa/setup/later")


def test_nobody_comes_in_between_what_a_browser_sends_or_fetches(rig: Rig, carol: Client) -> None:
    fetched = (("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Site", "same-origin"))
    assert carol.get("/files", *fetched).status == 200
    form = (("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Site", "same-origin"), ("Accept", "text/html"))
    assert carol.ask("POST", "/files", form).status == 200
    assert carol.get("/public/x", *form).status == 200
    assert rig.seen[-1].path == "/public/x"


def test_a_gate_that_was_started_anew_knows_who_said_later_and_until_when(rig: Rig, carol: Client) -> None:
    carol.page(WIZARD)
    carol.submit("setup/later")
    again = Rig(rig.door, rig.town)
    again.clock.now = rig.clock()
    client = again.client("carol")
    assert not asked(client)
    again.clock.now = NOW + 2 * DAY
    assert client.get("/files").code == "two_step_setup_required"
    again.close()


def test_who_sets_it_up_in_time_is_asked_for_codes_like_everybody(rig: Rig, carol: Client) -> None:
    assert carol.get("/files").status == 200
    rig.town.enroll("carol", rig.clock())
    rig.clock.go(2)
    assert carol.get("/files").code == "two_step_code_required"
    assert carol.api("GET", "status").json()["policy"]["deadline"] is None
