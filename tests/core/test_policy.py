"""Which rule fits a request, where a person stands, and which factors count for them."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Exemption, FactorKind
from mfa_gate.core.policy import (
    DEFAULT,
    Because,
    PathRule,
    Policy,
    RuleKind,
    Standing,
    Status,
    is_exempt,
    match_rule,
    standing,
    usable_factors,
)
from mfa_gate.core.throttle import FOREVER, Strikes
from tests.core.samples import CODES, ENROLLED, NEWCOMER, NOW, with_app

RELAXING: tuple[RuleKind, ...] = ("sign_in", "sign_out", "public")
TIGHTENING: tuple[RuleKind, ...] = ("step_up", "default")
ADMIN = PathRule(kind="step_up", path="/admin/", max_age=300)
EXPORT = PathRule(kind="step_up", path="/export")
RULES = (
    PathRule(kind="sign_in", path="/login"),
    PathRule(kind="sign_out", path="/logout"),
    PathRule(kind="default", path="/static/private/"),
    PathRule(kind="public", path="/static/"),
    ADMIN,
    EXPORT,
    PathRule(kind="public", path="/hook", methods=("GET",)),
    PathRule(kind="step_up", path="/files/", methods=("POST", "DELETE")),
    PathRule(kind="step_up", path="/report", methods=("GET",)),
)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/login", "sign_in"),
        ("/logout", "sign_out"),
        ("/static/site.css", "public"),
        ("/static/", "public"),
        ("/static/private/key", "default"),
        ("/admin/", "step_up"),
        ("/admin/users/7", "step_up"),
        ("/export", "step_up"),
        ("/", "default"),
        ("/files", "default"),
        ("/loginx", "default"),
        ("/login/x", "default"),
        ("/staticx", "default"),
        ("/exports", "default"),
        ("/export/all", "default"),
        ("/administration", "default"),
    ],
)
def test_the_first_rule_that_fits_decides_by_whole_segments(path: str, kind: RuleKind) -> None:
    assert match_rule(RULES, path, "GET").kind == kind


def test_what_no_rule_names_needs_a_verified_user() -> None:
    assert match_rule(RULES, "/files", "GET") is DEFAULT
    assert match_rule((), "/login", "POST") is DEFAULT
    assert DEFAULT.kind == "default"


@pytest.mark.parametrize(
    "path",
    [
        "/LOGIN",
        "/Login",
        "/login/",
        "/login.",
        "/login ",
        "/login;x",
        "/static",
        "/STATIC/site.css",
        "/\uff4cogin",
    ],
)
def test_a07_a_relaxing_rule_compares_byte_for_byte(path: str) -> None:
    assert match_rule(RULES, path, "GET") is DEFAULT


@pytest.mark.parametrize(
    "path",
    [
        "/ADMIN/",
        "/Admin/users",
        "/admin",
        "/ADMIN",
        "/admin.",
        "/admin ",
        "/admin./x",
        "/admin /x",
        "/admin;v=1/x",
    ],
)
def test_a07_a_tightening_rule_fits_every_spelling_of_its_path(path: str) -> None:
    assert match_rule(RULES, path, "GET") is ADMIN


@pytest.mark.parametrize("path", ["/EXPORT", "/export/", "/Export/", "/export.", "/export ", "/export;a=b"])
def test_a07_the_same_for_a_rule_of_one_path(path: str) -> None:
    assert match_rule(RULES, path, "GET") is EXPORT


def test_a_prefix_of_everything_tightens_everything() -> None:
    everywhere = PathRule(kind="step_up", path="/")
    for path in ("/", "/a", "/A/b."):
        assert match_rule((everywhere, PathRule(kind="public", path="/")), path, "GET") is everywhere


@pytest.mark.parametrize("method", ["POST", "PUT", "get", "HEAD", "FOO", ""])
def test_a17_a_relaxing_rule_fits_its_methods_only(method: str) -> None:
    assert match_rule(RULES, "/hook", method) is DEFAULT
    assert match_rule(RULES, "/hook", "GET").kind == "public"


def test_a17_a_relaxing_rule_with_methods_fits_nothing_that_asks_for_another_method() -> None:
    assert match_rule(RULES, "/hook", "GET", overridden=True) is DEFAULT


def test_a_relaxing_rule_for_every_method_fits_whatever_is_asked() -> None:
    assert match_rule(RULES, "/static/site.css", "POST", overridden=True).kind == "public"


@pytest.mark.parametrize("method", ["POST", "DELETE", "post", "Delete"])
def test_a17_a_tightening_rule_fits_its_methods_in_any_case(method: str) -> None:
    assert match_rule(RULES, "/files/a", method).kind == "step_up"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_a_tightening_rule_leaves_other_methods_alone(method: str) -> None:
    assert match_rule(RULES, "/files/a", method) is DEFAULT
    assert match_rule(RULES, "/files/a", method, overridden=True).kind == "step_up"


@pytest.mark.parametrize("method", ["POST", "PUT", "get x", "HEADER"])
def test_a_rule_for_reading_leaves_writing_alone(method: str) -> None:
    assert match_rule(RULES, "/report", method) is DEFAULT


@pytest.mark.parametrize("method", ["GET", "HEAD", "head"])
def test_a17_a_head_is_answered_with_the_page_of_a_get(method: str) -> None:
    assert match_rule(RULES, "/report", method).kind == "step_up"


# --- Laws ---

segments = st.text(alphabet="abAB.;%é ßſK-_1", min_size=1, max_size=4)  # noqa: RUF001
paths = st.lists(segments, max_size=3).map(lambda parts: "/" + "/".join(parts))
rule_paths = st.builds(
    lambda path, end: path if path == "/" else path + end, paths, st.sampled_from(["", "/"])
)
methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE"])
rules = st.builds(
    PathRule,
    kind=st.sampled_from(RELAXING + TIGHTENING),
    path=rule_paths,
    methods=st.lists(methods, max_size=2, unique=True).map(tuple),
)
several = st.lists(rules, max_size=5).map(tuple)


@given(several, several, paths, methods, st.booleans())
def test_adding_a_rule_below_never_changes_an_earlier_match(
    above: tuple[PathRule, ...], below: tuple[PathRule, ...], path: str, method: str, overridden: bool
) -> None:
    found = match_rule(above, path, method, overridden=overridden)
    with_more = match_rule(above + below, path, method, overridden=overridden)
    if found is DEFAULT:
        assert with_more is match_rule(below, path, method, overridden=overridden)
    else:
        assert with_more is found


@given(several, paths, methods, st.booleans())
def test_a_rule_that_fits_is_one_of_the_rules_or_the_default(
    given_rules: tuple[PathRule, ...], path: str, method: str, overridden: bool
) -> None:
    found = match_rule(given_rules, path, method, overridden=overridden)
    assert found is DEFAULT or found in given_rules


@given(rules, paths, methods, st.booleans())
def test_a_relaxing_rule_fits_nothing_but_its_own_bytes(
    rule: PathRule, path: str, method: str, overridden: bool
) -> None:
    assume(rule.kind in RELAXING)
    if match_rule((rule,), path, method, overridden=overridden) is rule:
        assert path == rule.path or (rule.path.endswith("/") and path.startswith(rule.path))
        assert not rule.methods or (method in rule.methods and not overridden)


spellings = st.lists(
    st.sampled_from(
        [str.upper, str.lower, str.swapcase, str.title]
        + [lambda path, end=end: path + end for end in ("/", ".", " ", "..", " .", ";", ";x=1", "/./")]
        + [lambda path, end=end: path.replace("/", end + "/") or path for end in (".", " ", ";a")]
    ),
    max_size=4,
)


@given(rule_paths, paths, spellings, methods)
def test_a07_no_spelling_escapes_a_tightening_rule(
    path: str, below: str, tricks: list[object], method: str
) -> None:
    rule = PathRule(kind="step_up", path=path)
    asked = path.rstrip("/") + below if path.endswith("/") else path
    open_to_all = PathRule(kind="public", path="/")
    for trick in tricks:
        assert callable(trick)
        asked = trick(asked)
    assume(asked.startswith("/"))
    assert match_rule((rule, open_to_all), asked, method) is rule


# --- Where a person stands ---

ON, OFF = Policy(require_two_step=True), Policy()
PAUSED = replace(
    with_app(ENROLLED, strikes=Strikes(paused_until=NOW + 1)),
    recovery=replace(CODES, strikes=Strikes(paused_until=NOW + 1)),
)


EXEMPTION = Exemption(reason="No phone yet", approved_by="root", given_at=NOW, until=NOW + 50)
EXEMPT = replace(NEWCOMER, exemption=EXEMPTION)


def stands(
    status: Status,
    because: Because,
    *,
    required: bool = False,
    covered: bool = False,
    until: int = FOREVER,
    deadline: int | None = None,
    reminded: bool = False,
) -> Standing:
    return Standing(
        status=status,
        required=required,
        covered=covered,
        because=because,
        until=until,
        deadline=deadline,
        reminded=reminded,
        by_exemption=status == because == "exempt",
    )


@pytest.mark.parametrize(
    ("account", "policy", "expected"),
    [
        (NEWCOMER, OFF, stands("missing", "policy_off")),
        (NEWCOMER, ON, stands("missing", "everyone", required=True, reminded=True)),
        (ENROLLED, OFF, stands("enrolled", "own_choice", covered=True)),
        (ENROLLED, ON, stands("enrolled", "everyone", required=True, covered=True)),
        (PAUSED, OFF, stands("paused", "own_choice", covered=True, until=NOW + 1)),
        (PAUSED, ON, stands("paused", "everyone", required=True, covered=True, until=NOW + 1)),
        (EXEMPT, OFF, stands("exempt", "policy_off", until=NOW + 50)),
        (EXEMPT, ON, stands("exempt", "exempt", until=NOW + 50, deadline=NOW + 50)),
        (
            replace(ENROLLED, exemption=EXEMPTION),
            ON,
            stands("enrolled", "exempt", covered=True, until=NOW + 50),
        ),
        (replace(PAUSED, exemption=EXEMPTION), ON, stands("paused", "exempt", covered=True, until=NOW + 1)),
        (replace(EXEMPT, active=False), ON, stands("inactive", "inactive")),
        (replace(NEWCOMER, active=False), OFF, stands("inactive", "inactive")),
        (replace(PAUSED, active=False), ON, stands("inactive", "inactive", covered=True)),
    ],
)
def test_standing(account: Account, policy: Policy, expected: Standing) -> None:
    assert standing(account, policy, NOW) == expected


def test_a_pause_ends_by_itself() -> None:
    assert standing(PAUSED, ON, NOW + 1).status == "enrolled"


def test_an_exemption_ends_by_itself() -> None:
    assert (EXEMPT.exempt_until, NEWCOMER.exempt_until) == (NOW + 50, 0)
    assert standing(EXEMPT, ON, NOW + 49).status == "exempt"
    assert standing(EXEMPT, ON, NOW + 50) == stands("missing", "everyone", required=True, reminded=True)
    assert standing(EXEMPT, OFF, NOW + 50) == stands("missing", "policy_off")


def test_f20_a_clock_set_back_lengthens_no_exemption() -> None:
    assert is_exempt(EXEMPT, NOW - 60)
    assert not is_exempt(EXEMPT, NOW - 61)


def test_a_new_policy_asks_nobody_and_keeps_sessions_within_nist_s_limits() -> None:
    """SP 800-63B-4 §2.2.3: overall at most 24 hours, idle at most one."""
    policy = Policy()
    assert not policy.require_two_step
    assert (policy.version, policy.changed_at) == (0, 0)
    assert (policy.session_ttl_seconds, policy.idle_ttl_seconds) == (12 * 3_600, 30 * 60)


@pytest.mark.parametrize("account", [NEWCOMER, ENROLLED, PAUSED, EXEMPT])
def test_the_policy_changes_what_is_required_and_no_status(account: Account) -> None:
    assert standing(account, ON, NOW).status == standing(account, OFF, NOW).status


@pytest.mark.parametrize(
    ("account", "allowed", "usable"),
    [
        (NEWCOMER, ("totp", "recovery_code"), ()),
        (ENROLLED, ("totp", "recovery_code"), ("totp", "recovery_code")),
        (ENROLLED, ("totp",), ("totp",)),
        (ENROLLED, (), ()),
        (replace(ENROLLED, recovery=None), ("totp", "recovery_code"), ("totp",)),
        (replace(ENROLLED, recovery=replace(CODES, hashes=())), ("totp", "recovery_code"), ("totp",)),
    ],
)
def test_usable_factors(
    account: Account, allowed: tuple[FactorKind, ...], usable: tuple[FactorKind, ...]
) -> None:
    assert usable_factors(account, Policy(allowed_factors=allowed)) == usable


@pytest.mark.parametrize(("required", "while_off"), [(True, False), (False, True), (True, True)])
def test_reminders_go_out_while_two_step_is_required_or_announced(required: bool, while_off: bool) -> None:
    assert Policy(require_two_step=required, remind_while_off=while_off).reminds
    assert not Policy().reminds
