"""Reminders through the API: who may, to whom, and what comes of them, at last as mail in a folder."""

import email
import email.policy
from collections.abc import Callable
from email.message import EmailMessage

import pytest

from mfa_gate.flows.reminders import KEPT_SECONDS, MOST_OPEN
from mfa_gate.mailing import reminding
from mfa_gate.wiring import Sources
from tests.web.api_client import ApiClient, enrolled, problem_of
from tests.web.house import House

PEOPLE = ("anna", "anton", "bert")
NOBODY = "0" * 32
JOB = "0" * 16


@pytest.fixture
def strict(build: Callable[..., House]) -> House:
    """Two-step is required, and mail goes into a folder."""
    house = build(mail={"dir": "mail", "domain": "example.org"})
    house.require_two_step()
    for subject in PEOPLE:
        ApiClient(house, subject).get("status")
    return house


def works(house: House) -> None:
    """What the background does."""
    sources = Sources(clock=house.clock)
    reminding(house.gate.settings, house.store, sources).turn(int(house.clock()))


def mails(house: House) -> list[EmailMessage]:
    folder = house.gate.settings.mail.dir
    assert folder is not None
    found = []
    for path in sorted(folder.glob("*.eml")):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        found.append(message)
    return found


def recipients(house: House) -> list[str]:
    return sorted(str(message["To"]) for message in mails(house))


def test_everybody_under_a_filter(strict: House) -> None:
    root = enrolled(strict, "root")
    begun = root.post("admin/reminders", filter={"status": "missing", "q": "an"})
    assert begun.status_code == 200
    job = begun.json()["job"]
    assert (begun.json()["state"], begun.json()["total"]) == ("running", None)
    works(strict)
    done = root.get(f"admin/reminders/{job}").json()
    assert (done["state"], done["total"], done["done"], done["counts"]) == ("finished", 2, 2, {"sent": 2})
    assert done["made_by"]["subject"] == "root"
    assert recipients(strict) == ["anna@example.org", "anton@example.org"]
    assert root.get("admin/reminders").json()["jobs"] == [done]
    events = root.get("admin/audit", kind="reminders_begun").json()["events"]
    assert events[0]["details"] == {"run": job, "status": "missing", "q": "an"}


def test_some_by_id_and_what_came_of_them(strict: House) -> None:
    root = enrolled(strict, "root")
    ids = [strict.id_of("anna"), strict.id_of("bert"), strict.id_of("root"), NOBODY]
    job = root.post("admin/reminders", users=ids).json()["job"]
    works(strict)
    assert root.get(f"admin/reminders/{job}").json()["counts"] == {"sent": 2, "skipped": 2}
    first = root.get(f"admin/reminders/{job}/results", outcome="sent", limit=1).json()
    assert [each["subject"] for each in first["results"]] == ["anna"]
    rest = root.get(f"admin/reminders/{job}/results", outcome="sent", limit=5, after=first["next"]).json()
    assert [each["subject"] for each in rest["results"]] == ["bert"]
    assert rest["next"] is None
    skipped = root.get(f"admin/reminders/{job}/results", outcome="skipped").json()["results"]
    assert [(each["user"], each["why"]) for each in skipped] == [(ids[2], "not_needed"), (NOBODY, "nobody")]


def test_a_dry_run_sends_nothing(strict: House) -> None:
    root = enrolled(strict, "root")
    job = root.post("admin/reminders", filter={}, dry_run=True).json()["job"]
    works(strict)
    done = root.get(f"admin/reminders/{job}").json()
    assert (done["dry_run"], done["counts"]) == (True, {"sent": 3})
    assert mails(strict) == []
    assert root.get("admin/audit", kind="reminders_begun").json()["events"] == []


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"users": [], "filter": {}},
        {"users": [NOBODY], "filter": {}},
        {"users": []},
        {"users": ["org"]},
        {"users": [NOBODY] * 501},
        {"filter": {"status": "asleep"}},
        {"filter": {"q": "x" * 201}},
        {"filter": {}, "text": "Dear all"},
        {"filter": {}, "link": "https://evil.example"},
    ],
)
def test_what_cannot_be_asked_for(strict: House, fields: dict[str, object]) -> None:
    root = enrolled(strict, "root")
    assert problem_of(root.post("admin/reminders", **fields)) == (422, "invalid")
    assert strict.store.runs(open_only=False) == ()


@pytest.mark.parametrize(
    "path", ["admin/reminders", f"admin/reminders/{JOB}", f"admin/reminders/{JOB}/results"]
)
def test_nobody_else_reminds_or_looks(strict: House, path: str) -> None:
    alice = enrolled(strict, "alice")
    assert problem_of(alice.get(path)) == (403, "not_allowed")
    assert problem_of(alice.post("admin/reminders", filter={})) == (403, "not_allowed")
    assert strict.store.runs(open_only=False) == ()
    refused = strict.store.events(account_id=None, kind="act_refused", before=None, limit=5)
    assert [each.event.details["act"] for each in refused] == ["remind"]


def test_an_administrator_needs_a_fresh_verification(strict: House) -> None:
    root = enrolled(strict, "root")
    strict.clock.go(901)
    assert problem_of(root.post("admin/reminders", filter={})) == (401, "two_step_code_required")


def test_w18_the_help_desk_reminds_ordinary_people(strict: House) -> None:
    ApiClient(strict, "root").get("status")
    helper = enrolled(strict, "help")
    helper.post("admin/reminders", filter={})
    works(strict)
    assert recipients(strict) == [f"{each}@example.org" for each in PEOPLE]


@pytest.mark.parametrize("named", [JOB, "x", "0" * 15, "notices", "%2e%2e"])
def test_there_is_no_such_job(strict: House, named: str) -> None:
    root = enrolled(strict, "root")
    assert root.get(f"admin/reminders/{named}").status_code in {400, 404}
    assert root.get(f"admin/reminders/{named}/results", outcome="sent").status_code in {400, 404}


def test_without_a_way_for_mail_nothing_is_begun(build: Callable[..., House]) -> None:
    house = build()
    root = enrolled(house, "root")
    answer = root.post("admin/reminders", filter={})
    assert problem_of(answer) == (403, "not_allowed")
    assert "no way for mail" in answer.json()["detail"]
    assert root.post("admin/reminders", filter={}, dry_run=True).status_code == 200


def test_not_too_many_at_once_and_old_ones_are_forgotten(strict: House) -> None:
    root = enrolled(strict, "root")
    for _ in range(MOST_OPEN):
        assert root.post("admin/reminders", filter={"q": "nobody"}).status_code == 200
    assert problem_of(root.post("admin/reminders", filter={})) == (409, "conflict")
    works(strict)
    strict.clock.go(KEPT_SECONDS + 1)
    root.verify()
    newest = root.post("admin/reminders", filter={"q": "nobody"}).json()["job"]
    assert [each["job"] for each in root.get("admin/reminders").json()["jobs"]] == [newest]


def test_w06_links_lead_to_the_settings_address_whatever_the_request_says(strict: House) -> None:
    root = enrolled(strict, "root")
    poisoned = {
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "host=evil.example",
        "X-Original-URL": "https://evil.example",
    }
    answer = root.send("POST", "admin/reminders", json={"users": [strict.id_of("anna")]}, headers=poisoned)
    assert answer.status_code == 200
    works(strict)
    (message,) = mails(strict)
    assert b"evil.example" not in message.as_bytes()
    text = message.get_body(("plain",))
    assert text is not None
    assert "http://localhost:8000/mfa/setup" in text.get_content()


def test_w20_following_the_link_changes_nothing(strict: House) -> None:
    before = strict.account("anna")
    browser = strict.browser("anna")
    for method in ("GET", "HEAD"):
        browser.client.request(method, "/mfa/setup", headers=browser.headers())
    assert strict.account("anna").version == before.version
