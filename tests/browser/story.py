"""The whole story, from an organization without two-step to one with it and back: told once, lived by many."""

import base64
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.people import PASSWORD, Person

CLOSED = ("/files", "/files/report.txt", "/archive/", "/api/files")

Bring = Callable[[str], Person]
"""Somebody of this name, at a browser of their own."""


def switch(admin: Person, *, on: bool) -> None:
    """From Account Settings to the organization's switch, and save; turning off asks for a code."""
    admin.opens("/mfa/")
    admin.follow("Admin")
    admin.follow("Settings")
    admin.reads("Policies")
    box = admin.page.get_by_role("checkbox", name=admin.words("Require Two-Step Authentication"), exact=True)
    expect(box).to_be_checked(checked=not on)
    admin.use(box)
    if not on:
        admin.fill("Code", admin.code())
    admin.press("Save")
    saved = (
        "Saved: two-step is now required for everyone." if on else "Saved: two-step is no longer required."
    )
    expect(admin.page.get_by_role("status")).to_contain_text(admin.words(saved))
    expect(box).to_be_checked(checked=on)
    if admin.runs_scripts:
        expect(admin.page).to_have_url(re.compile(r"/mfa/admin/settings/policies$"))


def is_stopped(person: Person, code: str) -> None:
    """Nothing of the portal comes through, whatever is asked for, by the browser or by a program with its cookies."""
    for path in CLOSED:
        person.opens(path)
        person.sees_no_files()
        answer = person.context.request.get(path)
        assert (answer.status, answer.json()["code"]) == (401, code), path
        assert "confidential" not in answer.text()
    upload = person.context.request.put("/files/mine.txt", data="mine")
    assert (upload.status, upload.json()["code"]) == (401, code)


def program_is_stopped(address: str, name: str) -> None:
    """As curl would ask: with the password, without it, and trying to write."""
    basic = base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()
    for method in ("GET", "PUT"):
        for headers in ({}, {"Authorization": f"Basic {basic}"}):
            request = urllib.request.Request(
                f"{address}/files/report.txt",
                data=b"x" if method == "PUT" else None,
                headers={"Accept": "*/*", **headers},
                method=method,
            )
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request)
            with refused.value as answer:
                body = answer.read().decode()
            assert answer.code == 401
            assert answer.headers["WWW-Authenticate"].startswith("MFA-Gate")
            assert json.loads(body)["code"] == "sign_in_required"
            assert "confidential" not in body


def whole_story(address: str, bring: Bring) -> None:
    """What "done" means for the first feature of all."""
    admin, alice, carol = bring("admin"), bring("alice"), bring("carol")
    _required(address, admin, carol)
    _set_up(alice)
    _recovered(alice)
    _no_longer_required(admin, alice, carol)
    for person in (admin, alice, carol):
        person.close()


def _required(address: str, admin: Person, carol: Person) -> None:
    carol.signs_in()
    carol.sees_files()

    admin.signs_in()
    admin.sees_files()
    admin.opens("/mfa/")
    admin.reads("Account Settings")
    admin.follow("Set up two-step")
    admin.sets_up()
    switch(admin, on=True)

    is_stopped(carol, "two_step_setup_required")
    carol.opens("/files")
    carol.is_at("/mfa/setup")
    program_is_stopped(address, "carol")


def _set_up(alice: Person) -> None:
    alice.signs_in("/files/report.txt")
    alice.is_at("/mfa/setup")
    is_stopped(alice, "two_step_setup_required")
    alice.opens("/files/report.txt")
    alice.sets_up()
    alice.use(alice.page.get_by_role("link", name="/files/report.txt"))
    alice.is_at("/files/report.txt")
    alice.sees_files()


def _recovered(alice: Person) -> None:
    alice.signs_out()
    alice.signs_in()
    alice.is_at("/mfa/verify")
    is_stopped(alice, "two_step_code_required")
    alice.opens("/files")
    alice.gives_recovery_code(alice.codes[0])
    alice.is_at("/files")
    alice.sees_files()

    alice.signs_out()
    alice.signs_in()
    alice.gives_recovery_code(alice.codes[0])
    expect(alice.page.get_by_role("alert")).to_be_visible()
    expect(alice.page.get_by_label(alice.words("Code"), exact=True)).to_have_attribute("aria-invalid", "true")
    is_stopped(alice, "two_step_code_required")


def _no_longer_required(admin: Person, alice: Person, carol: Person) -> None:
    switch(admin, on=False)
    carol.opens("/files")
    carol.sees_files()
    alice.opens("/files")
    alice.is_at("/mfa/verify")
    alice.gives(alice.code())
    alice.is_at("/files")
    alice.sees_files()

    alice.opens("/mfa/account")
    alice.gives(alice.code(), "Turn off two-step")
    expect(alice.page.get_by_role("heading", name=alice.words("Two-step is off"))).to_be_visible()
    alice.signs_out()
    alice.signs_in()
    alice.is_at("/files")
    alice.sees_files()
