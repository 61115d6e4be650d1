"""What `mfa-gate check` finds in settings that are well formed."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from mfa_gate.core.policy import PathRule
from mfa_gate.settings import (
    Admin,
    Anchor,
    FlaskSession,
    HeaderUser,
    Keys,
    Mail,
    Portal,
    RemoteUser,
    Secret,
    Settings,
    StarletteSession,
    Store,
    problems,
)

SECRET = Secret("7f1c9e0b64a84b0f9a0c")
SIGN_OUT = PathRule(kind="sign_out", path="/logout")
SIGN_IN = PathRule(kind="sign_in", path="/login")


SOUND = Settings(
    public_url="https://portal.example.org",
    identity=(StarletteSession(secret=SECRET, field="user"),),
    store=Store(url="sqlite:///var/lib/mfa-gate/gate.db"),
    keys=Keys(file=Path("/etc/mfa-gate/keys")),
    anchor=Anchor(path=Path("/srv/anchor/gate")),
    admin=Admin(admins=("admin",)),
    portal=Portal(rules=(SIGN_IN, SIGN_OUT), sign_in_url="/login"),
    mail=Mail(smtp="smtps://mail.example.org", sender="two-step@example.org"),
)


def sound(**changes: object) -> Settings:
    return replace(SOUND, **changes)


def test_sound_settings_have_no_problem() -> None:
    assert problems(sound()) == ()


@pytest.mark.parametrize(
    ("changes", "setting", "said"),
    [
        (
            {"portal": Portal(sign_in_url="/login")},
            "[portal] rules",
            "no sign-in of starlette_session ever ends",
        ),
        ({"identity": (HeaderUser(),)}, "[[identity]] header", "can never fire"),
        ({"logo": Path("/not/there.svg")}, "logo", "there is no file"),
    ],
)
def test_what_cannot_work_is_an_error(changes: dict[str, object], setting: str, said: str) -> None:
    (found,) = problems(sound(**changes))
    assert (found.severity, found.setting) == ("error", setting)
    assert said in found.text


@pytest.mark.parametrize(
    ("changes", "setting", "said"),
    [
        ({"mode": "observe"}, "mode", "nothing is enforced"),
        ({"mail": Mail()}, "[mail] smtp", "nobody is reminded"),
        ({"mail": Mail(dir=Path("/srv/mail"))}, "[mail] dir", "nobody gets it"),
        ({"anchor": Anchor()}, "[anchor] path", "rollback is not detected"),
        (
            {"anchor": Anchor(path=Path("/var/lib/mfa-gate/anchor"))},
            "[anchor] path",
            "the store's own folder",
        ),
        ({"keys": Keys(file=Path("/var/lib/mfa-gate/keys"))}, "[keys] file", "a thief of the one has both"),
        ({"admin": Admin()}, "[admin] admins", "nobody administers"),
        ({"admin": Admin(admins=("a",), setup_code=False)}, "[admin] setup_code", "For a demo only"),
        ({"portal": Portal(rules=(SIGN_OUT,))}, "[portal] sign_in_url", "not where"),
        ({"public_url": "http://portal.internal", "tls": "in-front"}, "public_url", "without https"),
    ],
)
def test_what_somebody_should_know_is_a_warning(changes: dict[str, object], setting: str, said: str) -> None:
    (found,) = problems(sound(**changes))
    assert (found.severity, found.setting) == ("warning", setting)
    assert said in found.text


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([PathRule(kind="public", path="/")], "opens the whole portal"),
        ([PathRule(kind="public", path="/mfa/static/")], "under the mount"),
        ([PathRule(kind="public", path="/mfa")], "under the mount"),
        (
            [PathRule(kind="public", path="/a/"), PathRule(kind="step_up", path="/a/b", max_age=60)],
            "never fires",
        ),
        (
            [
                PathRule(kind="public", path="/a"),
                PathRule(kind="step_up", path="/a", methods=("GET",), max_age=60),
            ],
            "never fires",
        ),
    ],
)
def test_a_rule_that_does_more_or_less_than_it_seems(rules: list[PathRule], said: str) -> None:
    (found,) = problems(sound(portal=Portal(rules=(SIGN_OUT, *rules), sign_in_url="/login")))
    assert found.severity == "warning"
    assert said in found.text


def test_rules_for_different_methods_do_not_shadow_each_other() -> None:
    rules = (
        SIGN_OUT,
        PathRule(kind="public", path="/a", methods=("GET",)),
        PathRule(kind="step_up", path="/a", max_age=60),
        PathRule(kind="public", path="/mfas"),
    )
    assert problems(sound(portal=Portal(rules=rules, sign_in_url="/login"))) == ()


@pytest.mark.parametrize(
    "rule", [SIGN_IN, SIGN_OUT, PathRule(kind="sign_in", path="/callback", methods=("GET",))]
)
def test_one_way_to_end_a_sign_in_is_enough(rule: PathRule) -> None:
    assert problems(sound(portal=Portal(rules=(rule,), sign_in_url="/login"))) == ()


def test_a_source_that_names_its_sign_in_needs_no_such_way() -> None:
    source = FlaskSession(secret=SECRET, field="user", session_id_field="sid")
    assert problems(sound(identity=(source,), portal=Portal(sign_in_url="/login"))) == ()


def test_remote_user_never_fires_under_asgi() -> None:
    settings = sound(identity=(RemoteUser(),))
    assert problems(settings) == ()
    assert problems(settings, edge="wsgi") == ()
    assert "ASGI has no REMOTE_USER" in problems(settings, edge="asgi")[0].text


def test_a_demo_may_keep_its_mail() -> None:
    assert problems(sound(public_url="http://localhost:8000", mail=Mail(dir=Path("/srv/mail")))) == ()


def test_errors_come_first() -> None:
    found = problems(sound(mode="observe", portal=Portal(sign_in_url="/login")))
    assert [problem.severity for problem in found] == ["error", "warning"]
