"""Audit events told as sentences."""

from typing import get_args

import pytest

from mfa_gate.core.events import EventKind
from mfa_gate.web.sentences import TELLINGS, further_facts, label, tell
from mfa_gate.web.views import HistoryLine


def test_every_kind_of_event_has_a_sentence() -> None:
    assert set(TELLINGS) == set(get_args(EventKind))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (HistoryLine(at=0, kind="reset", actor="Ann", person="Bo"), "Ann reset two-step for Bo."),
        (HistoryLine(at=0, kind="session_ended", actor="Ann", person="Ann"), "Ann ended a session."),
        (HistoryLine(at=0, kind="session_ended", actor="Ann", person="Bo"), "Ann ended a session of Bo."),
        (HistoryLine(at=0, kind="policy_changed", actor="Ann"), "Ann changed the policy."),
        (
            HistoryLine(at=0, kind="policy_changed", actor="Ann", facts={"require_two_step": "on"}),
            "Ann turned on Require Two-Step Authentication.",
        ),
        (
            HistoryLine(at=0, kind="policy_changed", facts={"require_two_step": "off"}),
            "The gate turned off Require Two-Step Authentication.",
        ),
        (
            HistoryLine(at=0, kind="exemption_ended", actor="Bo", person="Bo"),
            "Bo set up two-step, which ended their exemption.",
        ),
        (
            HistoryLine(at=0, kind="exemption_ended", actor="Ann", person="Bo"),
            "Ann ended the exemption of Bo.",
        ),
        (
            HistoryLine(at=0, kind="exemption_given", actor="Ann", person="Bo"),
            "Ann exempted Bo from two-step for a while.",
        ),
        (
            HistoryLine(at=0, kind="exemption_given", actor="Ann", person="Bo", facts={"before": "9"}),
            "Ann changed the exemption of Bo.",
        ),
        (HistoryLine(at=0, kind="of_tomorrow", person="Bo"), "of_tomorrow: Bo"),
    ],
)
def test_events_are_told(line: HistoryLine, sentence: str) -> None:
    assert tell(line, str).striptags() == sentence


def test_a_person_is_a_link_where_there_is_a_profile() -> None:
    line = HistoryLine(at=0, kind="verified", person="<Bo>", person_href="/mfa/admin/users/1?a&b")

    assert tell(line, str) == (
        '<a class="name" href="/mfa/admin/users/1?a&amp;b"><bdi>&lt;Bo&gt;</bdi></a> confirmed with a code.'
    )


def test_further_facts_are_told_once_and_in_words() -> None:
    facts = {"reason": "lost", "factor": "totp", "left": "6", "name": "Phone", "why": "idle", "in_a_row": "3"}
    facts |= {"until": "90", "before": "50"}

    assert further_facts(HistoryLine(at=0, kind="verified", facts=facts), str, "noon plus {}".format) == (
        "6 left",
        "Phone",
        "why: idle",
        "3 in a row",
        "until noon plus 90",
    )


def test_labels_for_filters() -> None:
    assert label("reset", str) == "Reset"
    assert label("of_tomorrow", str) == "of_tomorrow"
