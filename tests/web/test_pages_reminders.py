"""Reminders on the pages: for one, for who is ticked, for all under a filter, and what came of them."""

import re
import socket
from collections.abc import Callable
from urllib.parse import parse_qsl

import pytest
from msgspec.structs import replace

from mfa_gate.mailing import notifying, reminding
from mfa_gate.ports import Change
from mfa_gate.wiring import Sources
from tests.web.house import Browser, House, path_of

Build = Callable[..., House]
PEOPLE = ("anna", "anton", "bert")


@pytest.fixture
def office(build: Build) -> House:
    """Two-step is required of some people, and mail goes into a folder."""
    house = build(mail={"dir": "mail", "domain": "example.org"})
    house.require_two_step()
    for subject in PEOPLE:
        house.browser(subject).get("/files/")
    return house


def works(house: House) -> None:
    """What the background does."""
    reminding(house.gate.settings, house.store, Sources(clock=house.clock)).turn(int(house.clock()))


def recipients(house: House) -> list[str]:
    folder = house.gate.settings.mail.dir
    assert folder is not None
    found = [
        re.search(r"^To: (.*)\r?$", path.read_text("utf-8"), re.MULTILINE) for path in folder.glob("*.eml")
    ]
    return sorted(each[1] for each in found if each)


def ticked(browser: Browser, *subjects: str) -> dict[str, str]:
    """The fields of the form with which the ticks of the list go."""
    form = browser.page.find("form", id="remind")
    assert form is not None
    boxes = {str(box["name"]) for box in browser.page.select("input[form=remind]")}
    chosen = {f"user-{browser.house.id_of(subject)}": "1" for subject in subjects}
    assert set(chosen) <= boxes
    token = form.find("input", attrs={"name": "csrf"})
    assert token is not None
    return {"csrf": str(token["value"]), **chosen}


def test_who_is_ticked(office: House) -> None:
    root = office.enrolled("root")
    root.get("/mfa/admin/users")
    boxes = root.page.select("input[form=remind]")
    assert len(boxes) == 3  # root has two-step
    root.post("/mfa/admin/reminders", ticked(root, "anna", "bert"))
    assert root.heading.startswith("Reminders of")
    assert "Being sent" in root.words
    works(office)
    root.get(str(root.last.url.path) if root.last else "")
    assert "Finished" in root.words
    assert "2 of 2 people" in root.words
    assert recipients(office) == ["anna@example.org", "bert@example.org"]
    assert office.events("anna")[-1] == "reminder_sent"


@pytest.mark.parametrize(
    ("address", "reached"),
    [("group=nurses", ["anna@example.org"]), ("group=nurses&never_seen=1", []), ("group=nobody's", [])],
)
def test_all_in_a_group_and_nobody_else(office: House, address: str, reached: list[str]) -> None:
    now = int(office.clock())
    anna = office.store.account(office.id_of("anna"))
    assert anna
    office.store.commit(Change(account=replace(anna, groups=("nurses",))), now)
    root = office.enrolled("root")
    root.get("/mfa/admin/users?group=nurses")
    assert "Send reminder to 1 person who has not set it up" in root.words
    fields = dict(parse_qsl(address))
    root.submit("admin/reminders", group=fields["group"], never_seen=fields.get("never_seen", ""))
    works(office)
    assert recipients(office) == reached


def test_all_under_a_filter(office: House) -> None:
    root = office.enrolled("root")
    root.get("/mfa/admin/users?status=missing&q=an")
    assert "Send reminder to all who are found" in root.words
    root.submit("admin/reminders")
    works(office)
    assert recipients(office) == ["anna@example.org", "anton@example.org"]
    root.get("/mfa/admin/users")
    assert "Send reminder to all 3 who have not set it up" in root.words
    root.submit("admin/reminders")
    works(office)
    assert recipients(office) == [f"{each}@example.org" for each in PEOPLE]
    root.get("/mfa/admin/reminders")
    assert root.words.count("Finished") == 2


def test_one_from_the_profile(office: House) -> None:
    root = office.enrolled("root")
    root.get(f"/mfa/admin/users/{office.id_of('anna')}")
    root.submit("admin/reminders")
    works(office)
    assert recipients(office) == ["anna@example.org"]
    root.get(f"/mfa/admin/users/{office.id_of('anna')}")
    assert "reminded" in root.words


def test_what_came_of_whom(office: House) -> None:
    root = office.enrolled("root")
    root.get("/mfa/admin/users")
    fields = ticked(root, "anna")
    root.post("/mfa/admin/reminders", fields)
    works(office)
    root.post("/mfa/admin/reminders", fields)
    works(office)
    here = root.last.url.path if root.last else ""
    root.get(f"{here}?outcome=skipped")
    assert "Reminded within the last day" in root.words
    for odd in ("?outcome=none", "?outcome=sent&after=x", "?after=-1", "?outcome=sent&after=99999999999"):
        assert root.get(f"{here}{odd}").status_code == 200


def test_whom_they_did_not_reach_wants_attention(build: Build) -> None:
    house = build(mail={"dir": "mail"})
    house.require_two_step()
    for subject in PEOPLE:
        house.browser(subject).get("/files/")
    root = house.enrolled("root")
    root.get("/mfa/admin")
    assert "could not be delivered" not in root.words
    root.get("/mfa/admin/users")
    root.submit("admin/reminders")
    works(house)
    root.get("/mfa/admin")
    assert "3 reminders could not be delivered" in root.words
    link = root.page.select_one(".attention a[href*=reminders]")
    assert link is not None
    root.get(f"{link['href']}?outcome=no_address")
    assert "anna" in root.words


def test_mail_that_waits_for_its_server_wants_attention(build: Build) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    mail = {"smtp": f"smtp+plain://127.0.0.1:{port}", "sender": "a@example.org", "domain": "example.org"}
    house = build(mail=mail)
    root = house.enrolled("root")
    root.get("/mfa/admin")
    assert "the mail server takes none" not in root.words
    notifying(house.gate.settings, house.store, Sources(clock=house.clock)).turn(int(house.clock()))
    root.get("/mfa/admin")
    link = next(
        each for each in root.page.select(".attention a") if "mail server takes none" in each.get_text()
    )
    root.get(str(link["href"]))
    assert "1 mail about what happened waits for it" in root.words
    assert f"The mail server 127.0.0.1:{port} cannot be used" in root.words


def test_nobody_chosen_is_said(office: House) -> None:
    root = office.enrolled("root")
    root.get("/mfa/admin/users")
    root.post("/mfa/admin/reminders", ticked(root))
    assert "Nobody was reminded" in root.words
    assert office.store.runs(open_only=False) == ()


def test_a_verification_that_is_too_old_is_asked_for_and_nobody_is_lost(office: House) -> None:
    root = office.enrolled("root")
    root.get("/mfa/admin/users")
    fields = ticked(root, "anna", "bert")
    office.clock.go(901)
    root.post("/mfa/admin/reminders", fields)
    assert root.heading == "Confirm it's you"
    root.submit("admin/reminders", code=root.next_code())
    works(office)
    assert recipients(office) == ["anna@example.org", "bert@example.org"]


def test_while_it_goes_on_the_page_shows_itself_anew(office: House) -> None:
    root = office.enrolled("root")
    root.get("/mfa/admin/users")
    root.submit("admin/reminders")
    assert root.last is not None
    assert root.page.select("noscript meta[http-equiv=refresh]")
    assert root.page.select("[data-live]")
    assert "connect-src 'self'" in root.last.headers["content-security-policy"]
    works(office)
    root.get(root.last.url.path)
    assert root.last.status_code == 200
    assert not root.page.select("[data-live], meta[http-equiv=refresh]")
    assert "connect-src" not in root.last.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/mfa/admin/reminders", "/mfa/admin/reminders/0123456789abcdef"])
def test_nobody_else_sees_them(office: House, path: str) -> None:
    alice = office.enrolled("alice")
    assert alice.get(path).status_code == 404
    assert alice.post("/mfa/admin/reminders", {"all": "1"}).status_code == 404
    assert office.store.runs(open_only=False) == ()


def test_w03_nobody_sends_them_in_anothers_name(office: House) -> None:
    root = office.enrolled("root")
    assert root.post("/mfa/admin/reminders", {"all": "1"}).status_code == 403
    root.get("/mfa/admin/users")
    fields = root.form("admin/reminders")
    answer = root.post("/mfa/admin/reminders", fields, {"Origin": "https://evil.example"}, follow=False)
    assert answer.status_code == 403
    assert root.get("/mfa/admin/reminders?all=1").status_code == 200
    assert office.store.runs(open_only=False) == ()


@pytest.mark.parametrize("name", ["user-org", "user-", f"user-{'0' * 33}", "user-../x"])
def test_odd_people_are_no_people(office: House, name: str) -> None:
    root = office.enrolled("root")
    root.get("/mfa/admin/users")
    assert root.post("/mfa/admin/reminders", ticked(root) | {name: "1"}).status_code == 400


@pytest.mark.parametrize("run", ["0123456789abcdef", "x", "notices", "0" * 17])
def test_there_is_no_such_run(office: House, run: str) -> None:
    assert office.enrolled("root").get(f"/mfa/admin/reminders/{run}").status_code == 404


def test_w18_the_help_desk_is_offered_ordinary_people(office: House) -> None:
    office.browser("root").get("/files/")
    helper = office.enrolled("help")
    helper.get("/mfa/admin/users")
    assert len(helper.page.select("input[form=remind]")) == 3
    helper.submit("admin/reminders")
    works(office)
    assert recipients(office) == [f"{each}@example.org" for each in PEOPLE]


def test_where_nothing_can_be_sent_nothing_is_offered(build: Build) -> None:
    house = build()
    house.require_two_step()
    house.browser("anna").get("/files/")
    root = house.enrolled("root")
    root.get("/mfa/admin/users")
    assert "the settings name no way for mail" in root.words
    assert not root.page.select("input[type=checkbox]")
    root.get(f"/mfa/admin/users/{house.id_of('anna')}")
    assert "Send reminder" not in root.words


def test_while_the_policy_is_off_nobody_has_to_be_reminded(build: Build) -> None:
    house = build(mail={"dir": "mail"})
    house.browser("anna").get("/files/")
    root = house.enrolled("root")
    root.get("/mfa/admin/users")
    assert "reminder" not in root.words.lower()


def test_enough_is_enough(office: House) -> None:
    root = office.enrolled("root")
    led = []
    for _ in range(21):
        root.get("/mfa/admin/users")
        led.append(path_of(root.submit("admin/reminders", follow=False)))
    assert led.count("/mfa/admin/reminders") == 1
    assert len(office.store.runs(open_only=True)) == 20
