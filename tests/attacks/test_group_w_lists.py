"""Attacks on lists of people and their exports (W): formulas in files, cursors that nobody was given, who may see."""

import base64
import csv
import io

import msgspec
import pytest
from msgspec.structs import replace

from mfa_gate.flows.spreadsheets import csv_lines
from mfa_gate.ports import Change
from tests.edges.rig import Rig

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n=1", "\uff1d1", "|x", "%x")


@pytest.mark.parametrize("form", ["csv"])
def test_W12_no_cell_of_an_export_is_a_formula(rig: Rig, form: str) -> None:
    account = rig.town.account("alice")
    named = replace(account, name="=HYPERLINK(1)", email="@x.example", groups=FORMULAS)
    rig.town.store.commit(Change(account=named), int(rig.clock()))
    root = rig.client("root", verified=True)
    confirm = {"factor": "totp", "code": rig.person("root").code(rig.clock(), 1)}
    got = root.api(
        "POST", "admin/users/export", {"form": form, "reason": "for the wards", "confirm": confirm}
    )
    assert got.status == 200
    rows = list(csv.reader(io.StringIO(got.body.decode(), newline="")))
    assert any("'=HYPERLINK(1)" in row for row in rows)
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d", "|", "%"))]


@pytest.mark.parametrize("cell", FORMULAS)
def test_W12_whatever_a_cell_begins_with(cell: str) -> None:
    (line,) = csv_lines([[cell, "x"]])
    (row,) = csv.reader(io.StringIO(line.decode(), newline=""))
    assert row == [f"'{cell}", "x"]


def made_up(*parts: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(parts)).rstrip(b"=").decode()


def test_W08_a_made_up_cursor_shows_nothing_that_the_list_does_not(rig: Rig) -> None:
    root = rig.client("root", verified=True)
    everybody = {each["subject"] for each in root.api("GET", "admin/users?limit=500").json()["users"]}
    odd = (
        "",
        "x",
        "../",
        made_up("name", 0, "a"),
        made_up("-name", 0, "a", "b"),
        made_up("name", -1, "a", "b"),
    )
    for cursor in odd:
        got = root.api("GET", f"admin/users?after={cursor}")
        assert (got.status, got.code) == (422, "invalid"), cursor
    for place in (("", ""), ("\U0010ffff", "z"), ("a' OR 1=1 --", "0" * 32), ("\x01", "org")):
        got = root.api("GET", f"admin/users?limit=500&after={made_up('name', 0, *place)}")
        assert got.status == 200
        assert {each["subject"] for each in got.json()["users"]} <= everybody


def test_W08_who_does_not_administer_learns_nothing_from_a_list(rig: Rig) -> None:
    alice = rig.client("alice", verified=True)
    for query in ("", "?q=root", "?q=nobody", "?group=nurses", f"?after={made_up('name', 0, 'a', 'b')}"):
        got = alice.api("GET", f"admin/users{query}")
        assert (got.status, got.code) == (403, "not_allowed")
        assert b"root" not in got.body
    got = alice.api("POST", "admin/users/export", {"reason": "just so"})
    assert (got.status, got.code) == (403, "not_allowed")
