"""A day in which people and administrators do what they can do in a browser: each act stands in the trail."""

from mfa_gate.core.events import ORG
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
