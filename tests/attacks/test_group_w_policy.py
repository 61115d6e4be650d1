"""Attacks on and through the policy (W12, W19, F20): no export computes, no field comes along, no clock gives time."""

import csv
import io

from msgspec.structs import replace

from mfa_gate.core.administering import was_reset
from mfa_gate.core.events import Actor
from mfa_gate.core.policy import DAY
from mfa_gate.core.transitions import turned_off
from mfa_gate.ports import Change
from tests.edges.rig import Rig

ROOT = Actor(subject="root", realm="portal")
FORMULAS = (
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    " =1",
    "\uff1d1",
    "%0A=1",
    '=HYPERLINK("x")',
)


def test_W12_no_cell_of_an_exported_list_is_a_formula(rig: Rig) -> None:
    root = rig.client("root", verified=True)
    carol = rig.town.account("carol")
    for number, formula in enumerate(FORMULAS):
        subject = f"{formula}-{number}"
        account = replace(rig.town.meet(subject), name=formula, email=f"{formula}@x", groups=(formula,))
        rig.town.store.commit(Change(account=account), int(rig.clock()))
    rig.town.store.count_traffic({(formula, formula): 1 for formula in FORMULAS}, int(rig.clock()))
    for name in ("stopped", "traffic"):
        confirm = {"factor": "totp", "code": rig.person("root").code(rig.clock(), 1)}
        body = {"list": name, "reason": "Roll-out", "confirm": confirm}
        got = root.api("POST", "admin/policy/impact/export", body)
        assert got.status == 200, got.body
        rows = list(csv.reader(io.StringIO(got.text, newline="")))
        assert len(rows) > len(FORMULAS)
        for cell in (cell for row in rows for cell in row):
            assert not cell.lstrip().startswith(("=", "+", "-", "@", "%", "\uff1d")), cell
        rig.clock.go(30)
    assert rig.town.account("carol") == carol


def test_W19_no_field_comes_along_with_a_change_of_the_policy(rig: Rig) -> None:
    """Not the day from which the grace period counts, nor who changed it, nor a way that is none."""
    root, policy = rig.client("root", verified=True), rig.town.store.policy()
    extra: tuple[dict[str, object], ...] = (
        {"first_required_at": 0},
        {"changed_by": "alice"},
        {"changed_at": 1},
        {"fresh_start_at": 1},
        {"changed_why": "x"},
        {"allowed_factors": ["totp", "sms"]},
        {"allowed_factors": []},
        {"group_factors": [{"group": "staff", "factors": ["totp"], "admins": ["mallory"]}]},
        {"required_groups": "staff"},
        {"required_groups": [["staff"]]},
        {"grace_seconds": "86400"},
        {"grace_seconds": True},
        {"grace_anew": 1},
    )
    for more in extra:
        got = root.api("PATCH", "admin/policy", {"idle_ttl_seconds": 60, **more})
        assert (got.status, got.code) == (422, "invalid"), more
    assert rig.town.store.policy() == policy


def test_W19_no_field_of_the_form_that_is_not_its_own_changes_anything(rig: Rig) -> None:
    root = rig.client("root", verified=True)
    rig.requires(first_required_at=int(rig.clock()))
    root.page("/mfa/admin/settings/policies")
    form, before = root.form("admin/settings/policies"), rig.town.store.policy()
    more = {
        "first_required_at": "0",
        "changed_by": "alice",
        "allow_sms": "1",
        "without_sms": "staff",
        "mode": "off",
    }
    got = root.post("/mfa/admin/settings/policies", form | more | {"idle_minutes": "10"})
    assert got.status == 303
    after = rig.town.store.policy()
    assert (after.version, after.idle_ttl_seconds, after.changed_by) == (before.version + 1, 600, "root")
    assert replace(
        after, version=before.version, idle_ttl_seconds=before.idle_ttl_seconds, changed_at=0, changed_by=""
    ) == replace(before, changed_at=0, changed_by="")


def test_F20_no_clock_and_no_switch_gives_time_to_set_up_twice(rig: Rig) -> None:
    """Set back to before it began, or let run past its end: who had time has it between two moments, and once."""
    began = int(rig.clock())
    rig.requires(grace_seconds=DAY, first_required_at=began)
    carol = rig.client("carol")
    assert carol.get("/files").status == 200

    def passes_at(moment: int) -> bool:
        rig.clock.now = moment
        current = rig.gate.parts.current
        assert current is not None
        current.cache.drop_all()
        carol.sign_in("carol")
        got = carol.get("/files")
        assert (got.status, got.code) in {(200, ""), (401, "two_step_setup_required")}
        return got.status == 200

    assert passes_at(began + 10)
    assert not passes_at(began - 61)
    assert not passes_at(began - 365 * DAY)
    assert passes_at(began + DAY - 1)
    assert not passes_at(began + DAY)
    assert not passes_at(began + 365 * DAY)
    root = rig.client("root", verified=True)
    rig.clock.now = began + 2 * DAY
    rig.requires(on=False)
    assert passes_at(began + 2 * DAY + 10)
    rig.requires(on=True)
    assert not passes_at(began + 2 * DAY + 20)
    assert root.get("/files").status == 401


def test_F20_who_had_two_step_has_no_time_to_go_without(rig: Rig) -> None:
    """Else a reset by the help desk, or turning it off, opened the account to a password alone for weeks."""
    now = int(rig.clock())
    rig.requires(grace_seconds=30 * DAY, first_required_at=now)
    for subject, gone in (
        ("bob", was_reset(rig.town.account("bob"), ROOT, "lost", now)[0]),
        (
            "alice",
            turned_off(rig.town.account("alice"), ROOT, now)[0],
        ),
    ):
        rig.town.store.commit(Change(account=gone), now)
        rig.clock.go(2)
        got = rig.client(subject).get("/files")
        assert (got.status, got.code) == (401, "two_step_setup_required")
