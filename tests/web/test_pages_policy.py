"""The policy's page below the switch: what is typed is saved, nothing is lost when two save, weakening wants a code."""

import re

import pytest

from tests.web.house import Browser, House, path_of

POLICIES = "admin/settings/policies"


def saved(browser: Browser, **fields: str) -> int:
    browser.get(f"/mfa/{POLICIES}")
    return browser.post(f"/mfa/{POLICIES}", browser.form(POLICIES) | fields).status_code


def test_what_strengthens_the_policy_is_saved_and_shown(house: House) -> None:
    root = house.enrolled("root")
    assert (
        saved(root, idle_minutes="10", without_recovery_code="lab\nnight shift", reason="Shared rooms") == 303
    )
    policy = house.store.policy()
    assert policy.idle_ttl_seconds == 600
    assert [(rule.group, rule.factors) for rule in policy.group_factors] == [
        ("lab", ("totp",)),
        ("night shift", ("totp",)),
    ]
    assert policy.changed_why == "Shared rooms"
    assert root.form(POLICIES)["without_recovery_code"] == "lab\nnight shift"
    assert root.form(POLICIES)["idle_minutes"] == "10"
    assert not policy.require_two_step


def test_a_form_that_comes_back_untouched_changes_nothing(house: House) -> None:
    root = house.enrolled("root")
    assert saved(root, idle_minutes="7.5", left_out_groups="") == 303
    assert house.store.policy().idle_ttl_seconds == 450
    assert saved(root) == 303
    assert house.store.policy().version == 2


def test_what_weakens_it_asks_for_a_code_and_loses_nothing(house: House) -> None:
    root = house.enrolled("root")
    assert saved(root, grace_days="14", grace_from="first_seen", left_out_groups="robots") == 422
    assert house.store.policy().version == 1
    assert "asks less of somebody" in root.words
    kept = root.form(POLICIES)
    assert (kept["grace_days"], kept["grace_from"], kept["left_out_groups"]) == ("14", "first_seen", "robots")
    assert root.submit(POLICIES, code=root.next_code()).status_code == 303
    policy = house.store.policy()
    assert (policy.grace_seconds, policy.grace_from, policy.left_out_groups) == (
        14 * 86_400,
        "first_seen",
        ("robots",),
    )


def test_closing_a_kind_of_client_is_saved_and_opening_it_asks_for_a_code(house: House) -> None:
    root = house.enrolled("root")
    assert saved(root, close_mobile="1") == 303
    assert house.store.policy().closed_clients == ("mobile",)
    assert root.form(POLICIES)["close_mobile"] == "1"
    root.get(f"/mfa/{POLICIES}")
    untouched = root.form(POLICIES)
    del untouched["close_mobile"]
    assert root.post(f"/mfa/{POLICIES}", untouched).status_code == 422
    assert house.store.policy().closed_clients == ("mobile",)


def test_what_cannot_be_read_is_named(house: House) -> None:
    root = house.enrolled("root")
    for field, name in (("session_hours", "A verification lasts"), ("grace_days", "Grace period")):
        for odd in ("two", "-1", "", "9" * 11, "1e3", "\u0661"):
            assert saved(root, **{field: odd}) == 422
            assert f"This cannot be saved: {name} does not fit." in root.words
    assert saved(root, session_hours="25") == 422
    assert saved(root, grace_from="never") == 422
    assert saved(root, version="1" * 20) == 400
    assert house.store.policy().version == 1


def test_of_two_who_save_at_once_neither_loses_anything(house: House) -> None:
    root = house.enrolled("root")
    root.get(f"/mfa/{POLICIES}")
    form = root.form(POLICIES)
    assert saved(root, session_hours="8") == 303
    late = root.post(f"/mfa/{POLICIES}", form | {"idle_minutes": "5"})
    assert late.status_code == 409
    assert "A verification lasts : 12 hours → 8 hours" in re.sub(r"\s+", " ", root.words)
    merged = root.form(POLICIES)
    assert (merged["session_hours"], merged["idle_minutes"], merged["version"]) == ("8", "5", "2")
    assert root.submit(POLICIES).status_code == 303
    policy = house.store.policy()
    assert (policy.session_ttl_seconds, policy.idle_ttl_seconds) == (8 * 3600, 300)


def test_the_history_says_who_changed_what_and_why(house: House) -> None:
    root = house.enrolled("root")
    saved(root, require_two_step="1", reason="Go live")
    saved(root, idle_minutes="10")
    root.get(f"/mfa/{POLICIES}/history")
    words = re.sub(r"\s+", " ", root.words)
    assert "Require Two-Step Authentication : off → on" in words
    assert "Without a request it lasts : 30 minutes → 10 minutes" in words
    assert "Go live" in words
    assert "by root" in words
    assert house.enrolled("alice").get(f"/mfa/{POLICIES}/history").status_code == 404


def test_in_grace_the_wizard_says_until_when_and_later_leads_on(house: House) -> None:
    root = house.enrolled("root")
    saved(root, grace_days="2")
    root.submit(POLICIES, code=root.next_code())
    saved(root, require_two_step="1")
    bob = house.browser("bob")
    assert path_of(bob.get("/files", follow=False)) == "/mfa/setup?next=%2Ffiles"
    bob.get("/files")
    assert "You can do this later until" in bob.words
    assert bob.submit("setup/later", follow=False).headers["location"] == "/files"
    assert bob.get("/files", follow=False).status_code == 200
    house.clock.go(12 * 3600)
    assert path_of(bob.get("/files", follow=False)) == "/mfa/setup?next=%2Ffiles"
    house.clock.go(36 * 3600)
    bob.get("/files")
    assert bob.form("setup/choose")
    assert "Later" not in bob.words
    assert path_of(bob.post("/mfa/setup/later", bob.form("setup/choose"), follow=False)) == "/mfa/setup"


def test_before_it_is_turned_on_the_page_says_whom_it_would_meet(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = house.enrolled("root")
    for user in ("alice", "bob"):
        house.browser(user).get("/files")
    root.get(f"/mfa/{POLICIES}")
    assert "2 people seen so far will be asked to set up two-step at their next request" in root.words
    assert "2 of them have no e-mail address and cannot be reminded" in root.words
    assert saved(root, grace_days="7") == 422
    root.submit(POLICIES, code=root.next_code())
    root.get(f"/mfa/{POLICIES}")
    assert "2 people have time to set it up" in root.words
    assert "Count everybody" not in root.words
    monkeypatch.setattr("mfa_gate.web.admin_policy_pages.AT_ONCE", 1)
    root.get(f"/mfa/{POLICIES}")
    assert "1 person has time to set it up" in root.words
    root.get(f"/mfa/{POLICIES}?counted=everybody")
    assert "2 people have time to set it up" in root.words
