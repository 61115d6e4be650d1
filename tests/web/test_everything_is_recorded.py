"""A day in which people and administrators do what they can do in a browser: each act stands in the trail."""

from msgspec.structs import replace

from mfa_gate.core.events import ORG
from mfa_gate.mailing import reminding
from mfa_gate.wiring import Sources
from tests.web.conftest import Build
from tests.web.house import House

PEOPLE = "/mfa/admin/users"


def recorded(house: House) -> set[str]:
    """The kinds of all events so far."""
    found, before = set[str](), None
    while page := house.store.events(account_id=None, kind=None, before=before, limit=500):
        found |= {each.event.kind for each in page}
        before = page[-1].position
    return found


def test_what_people_do(house: House) -> None:
    alice = house.browser("alice")
    alice.get("/files/")
    alice.get("/mfa/setup")
    alice.enroll()
    alice.submit("setup/saved")
    again = house.browser("alice")
    again.secret = alice.secret
    again.verify()
    again.get("/mfa/account")
    again.submit("signout")
    stranger = house.browser("alice")
    stranger.get("/files/")
    stranger.get("/mfa/verify")
    for _ in range(12):
        stranger.submit("verify", code="000000")
        house.clock.go(70)
        stranger.get("/mfa/verify")
        if not stranger.page.find(id="code"):
            break
    kinds = {
        "store_created",
        "account_seen",
        "enrollment_started",
        "factor_added",
        "recovery_codes_made",
        "verified",
        "signed_out",
        "code_rejected",
        "guessing_noticed",
        "account_paused",
    }
    assert kinds - recorded(house) == set()


def test_what_people_do_with_their_account(house: House) -> None:
    alice = house.enrolled("alice")
    lost = house.browser("alice")
    lost.get("/mfa/verify?factor=recovery_code")
    lost.submit("verify", code=alice.recovery_codes[0])
    alice.get("/mfa/account")
    alice.submit("account/sessions/end-others")
    alice.submit("account/recovery-codes", code=alice.next_code())
    alice.get("/mfa/account")
    alice.submit("account/replace")
    key = alice.page.find(id="key")
    assert key is not None
    alice.secret = "".join(key.get_text().split())
    alice.submit("setup/confirm", code=alice.code())
    other = house.browser("alice")
    other.secret = alice.secret
    house.clock.go(31)
    other.verify()
    alice.get("/mfa/account")
    alice.submit("account/sessions/end")
    alice.get("/mfa/account")
    alice.submit("account/turn-off", code=alice.next_code())
    kinds = {
        "recovery_code_used",
        "session_ended",
        "recovery_codes_made",
        "factor_replaced",
        "turned_off",
    }
    assert kinds - recorded(house) == set()


def test_reminders_and_lists(build: Build) -> None:
    """Begun, sent, finished; who could not be reached; who was exported."""
    house = build(mail={"dir": "mail"})
    house.require_two_step()
    for subject in ("bob", "carol"):
        house.browser(subject).get("/files/")
    house.commit(replace(house.account("bob"), email="bob@example.org"))
    house.commit(replace(house.account("carol"), email="nowhere"))
    root = house.enrolled("root")
    root.get(f"{PEOPLE}?status=missing")
    root.submit("admin/reminders")
    reminding(house.gate.settings, house.store, Sources(clock=house.clock)).turn(int(house.clock()))
    root.get(f"{PEOPLE}/export")
    sent = root.form("admin/users/export") | {"reason": "yearly audit", "code": root.next_code()}
    assert root.post(f"{PEOPLE}/export", sent).status_code == 200
    kinds = {"reminders_begun", "reminder_sent", "reminders_finished", "people_exported"}
    assert kinds - recorded(house) == set()


def test_what_is_refused(house: House) -> None:
    """An act that is not one's own, and another spelling of a name."""
    house.enrolled("root")
    house.browser("bob").get("/files/")
    house.require_two_step()
    desk = house.enrolled("help")
    desk.get(f"{PEOPLE}/{house.id_of('bob')}")
    answer = desk.post(f"{PEOPLE}/{house.id_of('root')}/reset", desk.form("signout") | {"reason": "just so"})
    assert answer.status_code == 403
    house.browser("BOB").get("/files/")
    assert {"act_refused", "spelling_refused"} - recorded(house) == set()


def test_what_administrators_do(house: House) -> None:
    house.browser("bob").get("/files/")
    house.enrolled("alice")
    root = house.enrolled("root")
    for name, path, fields in (
        ("reset", f"{PEOPLE}/{house.id_of('alice')}/reset", {"reason": "lost the phone"}),
        ("exempt", f"{PEOPLE}/{house.id_of('bob')}/exempt", {"reason": "key ordered", "until": "2027-01-20"}),
        ("end", f"{PEOPLE}/{house.id_of('bob')}/end-exemption", {"reason": "the key has come"}),
        ("sign out", f"{PEOPLE}/{house.id_of('bob')}/sign-out", {"reason": "left the laptop"}),
        ("export", "/mfa/admin/audit/export", {"reason": "yearly audit"}),
    ):
        root.get(path)
        sent = root.form(path.removeprefix("/mfa/")) | fields
        answer = root.post(path, sent | ({"code": root.next_code()} if "code" in sent else {}))
        assert answer.status_code < 400, name
    kinds = {"reset", "exemption_given", "exemption_ended", "trail_exported"}
    assert kinds - recorded(house) == set()
    by_whom = {
        each.event.actor.subject
        for kind in kinds
        for each in house.store.events(account_id=None, kind=kind, before=None, limit=9)
    }
    assert by_whom == {"root"}
    assert "policy_changed" not in recorded(house)
    root.get("/mfa/admin/settings/policies")
    root.submit("admin/settings/policies", require_two_step="1")
    (changed,) = house.store.events(account_id=ORG, kind="policy_changed", before=None, limit=9)
    assert changed.event.actor.subject == "root"
