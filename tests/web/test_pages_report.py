"""The report on its page and by the API: who sees it, of which day, and that its files are signed."""

import json
from datetime import UTC, datetime

import pytest

from mfa_gate.core.attested import read
from mfa_gate.core.policy import DAY
from tests.web.api_client import enrolled, problem_of
from tests.web.house import House

PAGE = "/mfa/admin/report"
FORMS = ("html", "csv", "json")


def day(house: House, ahead: int = 0) -> str:
    return f"{datetime.fromtimestamp(house.clock() + ahead * DAY, UTC):%Y-%m-%d}"


def test_it_shows_now_and_says_what_it_has_no_numbers_of(house: House) -> None:
    root = house.enrolled("root")
    root.get(PAGE)
    assert "1 of 1 people had set up two-step." in root.words
    assert "UTC, for every day and time here" in root.words
    root.get(f"{PAGE}?day={day(house, -3)}")
    assert "There are no numbers for this date. The gate has not counted yet." in root.words
    assert root.get(f"{PAGE}?day={day(house, 1)}").status_code == 422
    assert "That day is to come" in root.words
    for odd in ("31.3.2026", "2026-02-30", "0000-00-00", "%00", "2026-03-31'"):
        assert root.get(f"{PAGE}?day={odd}").status_code == 422
        assert "That is no day" in root.words


@pytest.mark.parametrize("form", FORMS)
def test_its_files_are_signed_and_loaded_by_nobody(house: House, form: str) -> None:
    root = house.enrolled("root")
    answer = root.get(f"{PAGE}?day={day(house)}&form={form}")
    assert answer.headers["content-disposition"].startswith('attachment; filename="two-step-report-')
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    said = read(answer.content)
    assert said is not None
    assert said.form == form


def test_only_administrators_see_it(house: House) -> None:
    house.enrolled("root")
    for name, status in (("alice", 404), ("help", 403)):
        assert house.enrolled(name).get(f"{PAGE}?form=json").status_code == status
    assert problem_of(enrolled(house, "carol").get("admin/report")) == (403, "not_allowed")


def test_the_api_gives_the_same_files(house: House) -> None:
    root = enrolled(house, "root")
    answer = root.get("admin/report")
    assert json.loads(answer.content)["report"]["snapshot"]["coverage"]["covered"] == 1
    for form in FORMS:
        said = read(root.get("admin/report", day=day(house), form=form).content)
        assert said is not None
        assert said.form == form
    assert problem_of(root.get("admin/report", day=day(house, 1))) == (404, "not_found")
    assert problem_of(root.get("admin/report", day="2026-02-30")) == (404, "not_found")
    assert problem_of(root.get("admin/report", day="tomorrow")) == (422, "invalid")
