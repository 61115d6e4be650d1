"""A roster sent on the page: shown before it counts, in force once that is meant, and nothing where it is not."""

import csv
import io
from hashlib import sha256

import pytest
from httpx2 import Response

from mfa_gate.core.accounts import Account, account_id
from mfa_gate.core.events import ORG
from mfa_gate.core.roster import RosterHead
from mfa_gate.flows.importing import GOOD_SECONDS
from mfa_gate.flows.settling import Settling
from mfa_gate.web import uploads
from tests.web.house import Browser, House

PAGE = "/mfa/admin/users/import"
CONFIRM = "admin/users/import/confirm"
HEAD = "realm,subject,name,email,groups,active\n"


def people(number: int) -> str:
    return HEAD + "".join(
        f"portal,user{each},User {each},u{each}@example.com,staff,yes\n" for each in range(number)
    )


@pytest.fixture
def root(house: House) -> Browser:
    return house.enrolled("root")


def multipart(fields: dict[str, str], file: bytes, *, ending: bytes = b"--") -> bytes:
    parts = [
        f'--mark\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = b'--mark\r\nContent-Disposition: form-data; name="file"; filename="r.csv"\r\nContent-Type: text/csv\r\n\r\n'
    return b"".join(parts) + head + file + b"\r\n--mark" + ending + b"\r\n"


def send(browser: Browser, file: str | bytes, *, ending: bytes = b"--", **fields: str) -> Response:
    """Choose a file on the page and send it."""
    browser.get(PAGE)
    raw = file.encode() if isinstance(file, str) else file
    form = {"csrf": browser.form("admin/users/import")["csrf"]} | fields
    kind = {"Content-Type": "multipart/form-data; boundary=mark", "Origin": browser.house.home}
    browser.last = browser.client.post(
        PAGE, content=multipart(form, raw, ending=ending), headers=browser.headers(kind)
    )
    return browser.last


def settle(house: House) -> None:
    assert Settling(house.store.roster, monotonic=lambda: 0.0).turn(int(house.clock()))


def put_in_force(root: Browser, file: str) -> Response:
    assert send(root, file).status_code == 200
    return root.submit(CONFIRM, reason="Roster of March", code=root.next_code())


def stored(house: House, subject: str) -> Account | None:
    return house.store.account(account_id("portal", subject))


def in_force(house: House) -> int:
    return house.store.roster.head().number


def test_it_is_shown_first_and_counts_once_it_is_meant(house: House, root: Browser) -> None:
    file = people(3)
    send(root, file)
    assert root.heading == "What the roster would change"
    assert "People in the file 3 New 3 Changed 0 Deactivated 0 As before 0" in root.words
    assert "User 2 user2 · u2@example.com" in root.words
    assert in_force(house) == 0
    root.submit(CONFIRM, reason="Roster of March", code=root.next_code())
    assert root.heading == "Import the roster"
    assert "Lists and counters follow while 3 accounts are told." in root.words
    assert 'http-equiv="refresh"' in (root.last.text if root.last else "")
    settle(house)
    root.get(PAGE)
    assert "root Roster of March 3 new, 0 changed, 0 deactivated" in root.words
    user = stored(house, "user1")
    assert user is not None
    assert user.email == "u1@example.com"
    event = house.store.events(account_id=ORG, kind="roster_imported", before=None, limit=1)[0].event
    assert event.actor.subject == "root"
    assert event.details["sha256"] == sha256(file.encode()).hexdigest()
    assert event.details["reason"] == "Roster of March"


def test_who_would_be_deactivated_is_named_and_many_need_a_tick(house: House, root: Browser) -> None:
    put_in_force(root, people(40))
    settle(house)
    send(root, people(10))
    assert "That deactivates 30 of 40 people on the roster." in root.words
    root.submit(CONFIRM, reason="Roster of April", code=root.next_code())
    assert "Say that this is meant" in root.words
    assert in_force(house) == 2
    assert root.form(CONFIRM)["reason"] == "Roster of April"
    root.submit(CONFIRM, meant="1", code=root.next_code())
    assert in_force(house) == 3
    settle(house)
    gone = stored(house, "user39")
    assert gone is not None
    assert not gone.active


@pytest.mark.parametrize(
    ("file", "told"),
    [
        (
            people(2) + "portal,user1,,,,\nportal,x,,no address,,\n",
            "2 lines cannot be read: Line 4: the same person",
        ),
        (HEAD.replace(",", ";") + "portal;a;;;;\n", "not separated by commas"),
        (HEAD, "names nobody"),
        ("", "The file is empty"),
        ((HEAD + "portal,zoë,,,,\n").encode("latin-1"), "not in UTF-8"),
        (people(1).encode("utf-16"), "UTF-16"),
        (HEAD + 'portal,"a,,,,\n' + "x" * 70_000, "more than 65,536 bytes"),
        (",".join(f"column{each}" for each in range(5_000)) + "\n", 'the column "column0" is none of'),
        (HEAD.replace("active", "role") + "portal,a,,,,admin\n", 'the column "role" is none of'),
        (HEAD + "portal,a\0b,,,,\n", "Line 2"),
    ],
)
def test_a_bad_file_is_told_with_its_cure_and_nothing_counts(
    house: House, root: Browser, file: str | bytes, told: str
) -> None:
    answer = send(root, file)
    assert answer.status_code == 422
    assert "Nothing was imported." in root.words
    assert told in root.words
    assert in_force(house) == 0
    assert house.store.roster.stagings() == {}


@pytest.mark.parametrize(
    "file", ["\ufeff" + people(2), people(2).replace("\n", "\r\n"), people(2).rstrip("\n")]
)
def test_a_mark_and_other_line_ends_do_no_harm(root: Browser, file: str) -> None:
    send(root, file)
    assert "People in the file 2" in root.words


def test_a_file_that_did_not_arrive_as_a_whole_is_none(house: House, root: Browser) -> None:
    put_in_force(root, people(3))
    settle(house)
    for ending in (b"", b"-", b"x"):
        assert send(root, people(1), ending=ending).status_code == 400
        assert "did not arrive as a whole" in root.words
    assert in_force(house) == 2


def test_it_is_read_as_it_comes_and_no_further_than_there_is_room(
    house: House, root: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MOST", 100_000)
    assert send(root, HEAD + "x" * 120_000).status_code == 413
    assert "larger than 64 MB" in root.words
    assert in_force(house) == 0


def test_w03_a_form_that_nobody_was_given_brings_no_file(house: House, root: Browser) -> None:
    answer = send(root, people(2), csrf="forged")
    assert answer.status_code == 403
    root.get(PAGE)
    form = {"csrf": root.form("admin/users/import")["csrf"]}
    for more in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        headers = root.headers({"Content-Type": "multipart/form-data; boundary=mark", **more})
        assert root.client.post(PAGE, content=multipart(form, b"x"), headers=headers).status_code == 403
    assert house.store.roster.stagings() == {}


def test_who_does_not_administer_sees_and_sends_nothing(house: House, root: Browser) -> None:
    helper, alice = house.enrolled("help"), house.enrolled("alice")
    assert helper.get(PAGE).status_code == 403
    assert alice.get(PAGE).status_code == 404
    send(root, people(2))
    offer = root.form(CONFIRM)["offer"]
    helper.get("/mfa/admin/users")
    assert helper.post(f"/mfa/{CONFIRM}", {"offer": offer}).status_code == 403
    kind = {"Content-Type": "multipart/form-data; boundary=mark", "Origin": house.home}
    body = multipart({"csrf": "x"}, b"x")
    assert helper.client.post(PAGE, content=body, headers=helper.headers(kind)).status_code == 403
    assert alice.client.post(PAGE, content=body, headers=alice.headers(kind)).status_code == 404
    assert in_force(house) == 0


def test_a_reason_and_a_fresh_code_are_asked_for(house: House, root: Browser) -> None:
    send(root, people(2))
    root.submit(CONFIRM, reason="", code=root.next_code())
    assert "Say why, in a few words." in root.words
    root.submit(CONFIRM, reason="Roster of March", code="000000")
    assert in_force(house) == 0
    root.submit(CONFIRM, reason="Roster of March", code=root.next_code())
    assert in_force(house) == 1


def test_an_offer_counts_once_and_not_for_ever(house: House, root: Browser) -> None:
    send(root, people(2))
    fields = root.form(CONFIRM) | {"reason": "Roster of March"}
    for offer in ("forged", fields["offer"][:-2]):
        assert root.post(f"/mfa/{CONFIRM}", fields | {"offer": offer}).status_code == 409
    root.post(f"/mfa/{CONFIRM}", fields | {"code": root.next_code()})
    settle(house)
    assert house.store.roster.head() == RosterHead(number=2)
    root.get(PAGE)
    fields["csrf"] = root.form("admin/users/import")["csrf"]
    assert root.post(f"/mfa/{CONFIRM}", fields | {"code": root.next_code()}).status_code == 409
    assert "Another import was quicker" in root.words
    send(root, people(5))
    house.clock.go(GOOD_SECONDS + 1)
    assert in_force(house) == 2


def test_the_next_import_waits_until_every_account_was_told(house: House, root: Browser) -> None:
    put_in_force(root, people(2))
    assert send(root, people(3)).status_code == 409
    assert "has not reached every account yet" in root.words
    settle(house)
    assert send(root, people(3)).status_code == 200


def test_no_word_of_a_file_is_markup(root: Browser) -> None:
    table = io.StringIO()
    csv.writer(table).writerow(["portal", "eve", "<script>alert(1)</script>", "e@example.com", "", "yes"])
    send(root, HEAD + table.getvalue())
    assert root.page.find("script", string="alert(1)") is None
    assert "<script>alert(1)</script>" in root.words
