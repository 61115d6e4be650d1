"""The wizard's table: no dead end, no way round the first code, and a picture that is up to date."""

from pathlib import Path
from typing import cast, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfa_gate.core.enrollment import (
    ENDS,
    FIRST,
    FRESH_SECRET,
    TABLE,
    Event,
    Refused,
    State,
    as_mermaid,
    next_state,
)

STATES: tuple[State, ...] = get_args(State)
EVENTS: tuple[Event, ...] = get_args(Event)
DOCUMENT = Path(__file__).parents[2] / "docs" / "explanation" / "wizard.md"


def run(events: list[Event], state: State = FIRST) -> State:
    """Where these events lead; refused ones change nothing."""
    for event in events:
        following = next_state(state, event)
        state = state if isinstance(following, Refused) else following
    return state


def reachable(state: State) -> set[State]:
    found = {state}
    while more := {following for each in found for following in TABLE[each].values()} - found:
        found |= more
    return found


def test_the_straight_way_and_the_one_with_mistakes() -> None:
    assert run(["start", "confirm_ok", "saved"]) == "done"
    assert run(["start", "confirm_wrong", "expire", "confirm_wrong", "confirm_ok", "saved"]) == "done"
    assert run(["start", "restart", "start", "cancel", "restart", "start"]) == "scan"


def test_the_table_knows_every_state_and_event_and_no_other() -> None:
    assert set(TABLE) == set(STATES) == reachable(FIRST)
    assert {event for row in TABLE.values() for event in row} == set(EVENTS)


@pytest.mark.parametrize("state", STATES)
def test_from_every_state_some_way_leads_to_an_end(state: State) -> None:
    assert reachable(state) & ENDS


@given(st.lists(st.sampled_from(EVENTS), max_size=40))
def test_no_events_lead_out_of_the_table_or_into_a_dead_end(events: list[Event]) -> None:
    state = run(events)
    assert state in TABLE
    assert reachable(state) & ENDS


@given(st.lists(st.sampled_from(EVENTS), max_size=40))
def test_e04_nobody_sees_codes_without_a_right_code_for_a_started_secret(events: list[Event]) -> None:
    state: State = FIRST
    started = False
    for event in events:
        following = next_state(state, event)
        if isinstance(following, Refused):
            continue
        if following == "codes":
            assert started
            assert event == "confirm_ok"
        started = following == "scan"
        state = following


@pytest.mark.parametrize("state", [state for state in STATES if state != "scan"])
def test_d22_a_confirmation_out_of_its_place_is_refused(state: State) -> None:
    assert next_state(state, "confirm_ok") == Refused(state=state, event="confirm_ok")


@pytest.mark.parametrize("event", [event for event in EVENTS if event != "saved"])
def test_d22_done_is_reached_through_the_codes_only(event: Event) -> None:
    assert {state for state in STATES if next_state(state, "saved") == "done"} == {"codes"}
    assert {state for state in STATES if next_state(state, event) == "done"} <= {"codes"}


def test_e04_a_secret_is_kept_only_through_a_wrong_code() -> None:
    into_scan = {event for row in TABLE.values() for event, following in row.items() if following == "scan"}
    assert into_scan == FRESH_SECRET | {"confirm_wrong"}
    assert next_state("scan", "confirm_wrong") == "scan"


def test_a_stored_factor_cannot_be_cancelled_or_left_half_way() -> None:
    assert next_state("codes", "cancel") == Refused(state="codes", event="cancel")
    assert next_state("codes", "restart") == Refused(state="codes", event="restart")
    assert next_state("codes", "expire") == "done"


@pytest.mark.parametrize("event", EVENTS)
def test_done_is_the_end(event: Event) -> None:
    assert isinstance(next_state("done", event), Refused)


@given(st.text(), st.text())
def test_a_name_in_no_table_is_refused_and_raises_nothing(state: str, event: str) -> None:
    if state not in TABLE or event not in EVENTS:
        assert isinstance(next_state(cast("State", state), cast("Event", event)), Refused)


def test_the_table_cannot_be_changed_at_run_time() -> None:
    with pytest.raises(TypeError):
        TABLE["choose"]["confirm_ok"] = "codes"  # type: ignore[index]


def test_the_picture_shows_every_transition() -> None:
    lines = as_mermaid().splitlines()
    assert lines[0] == "stateDiagram-v2"
    assert sum(" --> " in line and "[*]" not in line for line in lines) == sum(map(len, TABLE.values()))
    assert "    scan --> scan: expire / fresh secret" in lines


def test_the_document_shows_the_table_as_it_is() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert f"```mermaid\n{as_mermaid()}```\n" in text, (
        "docs/explanation/wizard.md is out of date: put the output of mfa_gate.core.enrollment.as_mermaid() into it"
    )
    for name in STATES + EVENTS:
        assert f"\n| `{name}` |" in text, f"docs/explanation/wizard.md does not explain {name}"
