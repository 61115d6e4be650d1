"""Pages as they look on an ordinary day, and on a bad one: the sample views of the rendering and browser tests."""

from typing import get_args

import msgspec
import segno
from markupsafe import Markup

from mfa_gate.core.coverage import Coverage, GroupCoverage
from mfa_gate.core.policy import Policy
from mfa_gate.core.reports import Day, Report
from mfa_gate.core.snapshots import Exempt, Openings, Snapshot
from mfa_gate.web.admin_roster_views import (
    AdminRoster,
    AdminRosterOffer,
    ImportLine,
    RosterPerson,
    RosterTrouble,
)
from mfa_gate.web.admin_views import (
    AdminAct,
    AdminAudit,
    AdminExport,
    AdminOverview,
    AdminPeopleExport,
    AdminReminderRun,
    AdminReminders,
    AdminUser,
    AdminUsers,
    Attention,
    AuditKind,
    ExemptionShown,
    ExemptPerson,
    GroupLine,
    OutcomeChip,
    ReachedLine,
    RemindBar,
    RemindersLine,
    RemindersNow,
    SortLink,
    StatusChip,
    UserLine,
)
from mfa_gate.web.charts import CoverageDay, chart_of
from mfa_gate.web.policy_views import (
    AdminImpactExport,
    AdminPolicies,
    AdminPolicyHistory,
    ChangeLine,
    PolicyEffect,
    PolicyFields,
    PolicyVersionLine,
    TrafficLine,
    WayAllowed,
)
from mfa_gate.web.rendering import View
from mfa_gate.web.report_views import AdminReport, chart_in
from mfa_gate.web.sentences import TELLINGS
from mfa_gate.web.views import (
    AccountSettings,
    BrowserLine,
    Chrome,
    ClientLine,
    Confirm,
    HistoryLine,
    Link,
    Message,
    Onward,
    PageContext,
    Pause,
    RecoveryCodeUsed,
    SessionLine,
    SetupChoose,
    SetupCodes,
    SetupDone,
    SetupScan,
    SetupWay,
    SignInRequired,
    Verify,
    Way,
)

NOW = 1_773_498_720  # 14 March 2026, 14:32 UTC
HOUR, DAY = 3_600, 86_400

CHROME = Chrome(
    name="Example Files", help_url="https://help.example.test/", help_text="Questions? Ask the help desk"
)
PAGE = PageContext(now=NOW, csrf="token-of-the-form", person="Alice Moreau")
ADMIN_PAGE = PageContext(now=NOW, csrf="token-of-the-form", person="Robin Admin", role="admin")

_URI = "otpauth://totp/Example%20Files:alice?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Example%20Files"
QR = Markup(segno.make(_URI, error="m").svg_inline(omitsize=True, svgclass=None, lineclass=None, border=2))
CODES = (
    "k3v9-0qhm-x72c-tdwe",
    "4b8n-zz1r-5fjq-0m6y",
    "h7tc-28dw-rk3g-9pev",
    "x0q5-mj6b-a1sn-c84f",
    "2wgy-e9kh-7vt3-qd5r",
    "nb60-1fzc-p8xm-3jhk",
    "r5se-g47a-yw9d-06tq",
    "c1mh-vx3k-b2ne-8zfj",
    "6pdt-90rg-hs5w-kayq",
    "z8jf-4ec7-m3bv-1xn0",
)

APP = Way(
    id="f1",
    kind="totp",
    name="Authenticator app",
    added_at=NOW - 40 * DAY,
    last_used_at=NOW - HOUR,
    may_replace=True,
)
SESSIONS = (
    SessionLine(
        id="s1",
        browser="Firefox on Linux",
        where="192.0.2.17",
        started_at=NOW - HOUR,
        last_seen_at=NOW,
        current=True,
    ),
    SessionLine(
        id="s2",
        browser="Safari on iPhone",
        where="198.51.100.4",
        started_at=NOW - 2 * DAY,
        last_seen_at=NOW - DAY,
    ),
    SessionLine(id="s3", browser="Chrome on Windows", started_at=NOW - 9 * DAY),
)
BROWSERS = (
    BrowserLine(
        id="b1",
        browser="Firefox on Linux",
        where="192.0.2.17",
        remembered_at=NOW - 9 * DAY,
        last_used_at=NOW - HOUR,
        until=NOW + 21 * DAY,
        current=True,
    ),
    BrowserLine(id="b2", browser="", remembered_at=NOW - DAY, until=NOW + 29 * DAY),
)
HISTORY = (
    HistoryLine(
        at=NOW - 300,
        kind="reset",
        actor="Robin Admin",
        person="Alice Moreau",
        person_href="/mfa/admin/users/a1",
        where="192.0.2.9",
        facts={"reason": "Lost phone, called back at the number on file"},
    ),
    HistoryLine(at=NOW - HOUR, kind="policy_changed", actor="Robin Admin", facts={"require_two_step": "on"}),
    HistoryLine(at=NOW - 5 * HOUR, kind="code_rejected", person="Bob Tanaka", where="203.0.113.80"),
    HistoryLine(
        at=NOW - DAY, kind="verified", actor="Alice Moreau", person="Alice Moreau", where="Safari on iPhone"
    ),
    HistoryLine(at=NOW - 40 * DAY, kind="factor_added", actor="Alice Moreau", person="Alice Moreau"),
    HistoryLine(at=NOW - 400 * DAY, kind="store_created"),
)
USERS = (
    UserLine(
        id="a1",
        href="/mfa/admin/users/a1",
        name="Alice Moreau",
        email="alice@example.test",
        status="enrolled",
        ways=("totp",),
        last_confirmed_at=NOW - HOUR,
        groups=("staff", "billing"),
    ),
    UserLine(
        id="b2",
        href="/mfa/admin/users/b2",
        name="Bob Tanaka",
        email="bob@example.test",
        status="missing",
        groups=("staff",),
    ),
    UserLine(
        id="c3",
        href="/mfa/admin/users/c3",
        name="Carol Nguyen",
        email="carol@example.test",
        status="grace",
        deadline=NOW + 6 * DAY,
    ),
    UserLine(
        id="d4",
        href="/mfa/admin/users/d4",
        name="Dmitri Sokolov",
        email="dmitri@example.test",
        status="paused",
        ways=("totp", "webauthn"),
        last_confirmed_at=NOW - DAY,
        groups=("contractors",),
    ),
    UserLine(
        id="e5",
        href="/mfa/admin/users/e5",
        name="Esther Bartholomew-Featherstonehaugh of the Department of Long and Windy Names",
        email="esther.bartholomew-featherstonehaugh@long-department-name.example.test",
        status="exempt",
        deadline=NOW + 3 * DAY,
        groups=("board", "a group with a name that is rather long", "staff"),
        group_hrefs=("/mfa/admin/users?group=board",) * 3,
    ),
    UserLine(id="f6", href="/mfa/admin/users/f6", name="frank", status="inactive"),
)
CHIPS = (
    StatusChip(status=None, count=1002, href="/mfa/admin/users", current=True),
    StatusChip(status="enrolled", count=938, href="/mfa/admin/users?status=enrolled"),
    StatusChip(status="missing", count=41, href="/mfa/admin/users?status=missing"),
    StatusChip(status="grace", count=8, href="/mfa/admin/users?status=grace"),
    StatusChip(status="exempt", count=12, href="/mfa/admin/users?status=exempt"),
    StatusChip(status="paused", count=3, href="/mfa/admin/users?status=paused"),
    StatusChip(status="inactive", count=0, href="/mfa/admin/users?status=inactive"),
)
SEARCHED = (
    StatusChip(status=None, count=None, href="/mfa/admin/users?q=a&group=staff"),
    StatusChip(status="enrolled", count=None, href="/mfa/admin/users?q=a&group=staff&status=enrolled"),
    StatusChip(
        status=None,
        never_seen=True,
        count=None,
        href="/mfa/admin/users?q=a&group=staff&never_seen=1",
        current=True,
    ),
)
SORT_LINKS = {
    "name": SortLink(href="/mfa/admin/users?sort=-name", direction="ascending"),
    "last_verified": SortLink(href="/mfa/admin/users?sort=-last_verified"),
}
EFFECT = PolicyEffect(
    asked_to_set_up=41,
    has_time=120,
    not_asked=1,
    never_signed_in=18,
    without_email=7,
    everybody_href="/mfa/admin/settings/policies?counted=everybody",
    asked_href="/mfa/admin/users?status=missing",
    unattributed=(
        TrafficLine(place="/", credentials=None, count=4812),
        TrafficLine(place="/api", credentials="authorization", count=31),
        TrafficLine(
            place="/a-place-with-a-name-that-is-rather-long-and-has-no-gaps",
            credentials="cookie:remember_token",
            count=1,
        ),
    ),
)
CLIENTS = (
    ClientLine(
        id="d1",
        name="Alice's phone with a name that somebody made as long as they could, to see what is cut off",
        kind="mobile",
        where="2001:db8:85a3::8a2e:370:7334",
        registered_at=NOW - 9 * DAY,
        last_used_at=NOW - HOUR,
        until=NOW + 21 * DAY,
    ),
    ClientLine(id="d2", name="", kind="desktop", registered_at=NOW - HOUR, until=NOW + 30 * DAY),
)
PROFILE = AdminUser(
    id="a1",
    name="Alice Moreau",
    email="alice@example.test",
    subject="alice",
    groups=("staff", "billing"),
    status="enrolled",
    required=True,
    because="everyone",
    since=NOW - 40 * DAY,
    last_confirmed_at=NOW - HOUR,
    ways=(APP,),
    recovery_left=7,
    sessions=SESSIONS[:2],
    browsers=BROWSERS,
    clients=CLIENTS,
    may_remove_client=True,
    history=HISTORY,
    history_href="/mfa/admin/audit?person=alice",
    may_sign_out=True,
)
EXEMPTION = ExemptionShown(
    until=NOW + 90 * DAY,
    reason="Hardware key ordered, arrives next week",
    approved_by="Robin Admin",
    given_at=NOW - DAY,
)
EXEMPTING = AdminAct(
    act="exempt",
    id="c3",
    name="Carol Nguyen",
    revision="1-0",
    first_day="2026-06-15",
    last_day="2026-09-12",
    latest=NOW + 89 * DAY,
    longest_days=90,
    asks_code=True,
)
SCAN = SetupScan(qr_svg=QR, key_groups=("JBSW", "Y3DP", "EHPK", "3PXP") * 2, otpauth_uri=_URI)

RUNNING = RemindersLine(
    href="/mfa/admin/reminders/1",
    made_at=NOW - 600,
    by="Robin Admin",
    dry=False,
    state="running",
    done=1_204,
    total=2_411,
    troubled=2,
)
TROUBLED = RemindersLine(
    href="/mfa/admin/reminders/2",
    made_at=NOW - 3 * DAY,
    by=None,
    dry=True,
    state="finished",
    done=41,
    total=41,
    troubled=3,
)
OUTCOMES = (
    OutcomeChip(outcome="sent", count=1_190, href="?outcome=sent"),
    OutcomeChip(outcome="failed", count=2, href="?outcome=failed"),
    OutcomeChip(outcome="unknown", count=1, href="?outcome=unknown", current=True),
    OutcomeChip(outcome="no_address", count=4, href="?outcome=no_address"),
    OutcomeChip(outcome="skipped", count=12, href="?outcome=skipped"),
)
REACHED = (
    ReachedLine(name="Alice Moreau", href="/mfa/admin/users/a1", email="alice@example.test", why="550"),
    ReachedLine(name="0123456789abcdef0123456789abcdef", href=None, why="nobody"),
    ReachedLine(name="Bob", href="/mfa/admin/users/b2", why="recent"),
    ReachedLine(name="Carol", href="/mfa/admin/users/c3", why="not_needed"),
    ReachedLine(name="Dmitri", href="/mfa/admin/users/d4", why="administrator"),
    ReachedLine(name="Esther", href="/mfa/admin/users/e5"),
)
REPORT = Report(
    portal="Example Files",
    public_url="https://files.example.test",
    store="8d7f1f0e52b14c0a9f3e1f6f0c9b2a77",
    time_zone="Europe/Berlin",
    made_at=NOW,
    day="2026-02-28",
    at=NOW - 14 * DAY,
    snapshot=Snapshot(
        store="8d7f1f0e52b14c0a9f3e1f6f0c9b2a77",
        day="2026-02-28",
        at=NOW - 14 * DAY - 9 * HOUR,
        time_zone="Europe/Berlin",
        policy=Policy(version=4, require_two_step=True),
        coverage=Coverage(
            counts={"enrolled": 935, "paused": 3, "exempt": 2, "grace": 21, "missing": 41, "inactive": 12},
            never_seen=18,
            groups={
                "nurses": GroupCoverage(412, 430),
                "physicians": GroupCoverage(201, 201),
                "an_external_contractor_whose_group_has_a_name_without_any_blank_in_it": GroupCoverage(0, 9),
            },
            more_groups=7,
        ),
        openings=Openings(
            mode="enforce",
            open_paths=("sign_in /login", "public GET,HEAD /static/"),
            exempt=2,
            grace=21,
            left_out_groups=("robots",),
            break_glass=1,
        ),
        exempt=(
            Exempt(
                subject="carol.nguyen",
                realm="portal",
                reason="Broken arm, cannot hold a phone",
                approved_by="Robin Admin",
                given_at=NOW - 20 * DAY,
                until=NOW + 10 * DAY,
            ),
        ),
        whole_at=NOW - 14 * DAY - 10 * HOUR,
    ),
    snapshot_sha256="5f2b6a0c" * 8,
    first_day="2026-01-05",
    policy=Policy(
        version=4,
        require_two_step=True,
        left_out_groups=("robots",),
        grace_seconds=14 * DAY,
        changed_at=NOW - 30 * DAY,
        changed_by="Robin Admin",
        changed_why="Go live",
    ),
    acts={
        "reset": 14,
        "exemption_given": 3,
        "exemption_ended": 1,
        "break_glass_granted": 1,
        "break_glass_used": 0,
        "roster_imported": 2,
    },
    acts_since=NOW - 68 * DAY,
    acts_until=NOW - 14 * DAY - 9 * HOUR,
    course=tuple(
        Day(day=f"2026-02-{each:02}", at=NOW - (42 - each) * DAY, covered=400 + 19 * each, people=1002)
        for each in range(1, 29)
    ),
    whole_at=NOW - 2 * HOUR,
)
PERSON_VIEWS: dict[str, View] = {
    "setup-choose": SetupChoose(ways=(SetupWay(kind="totp"),)),
    "setup-choose-both": SetupChoose(
        ways=(SetupWay(kind="webauthn", recommended=True), SetupWay(kind="totp")),
        deadline=NOW + 6 * DAY,
        may_wait=True,
    ),
    "setup-choose-admin": SetupChoose(
        ways=(SetupWay(kind="totp"),), asks_setup_code=True, setup_code_problem="wrong"
    ),
    "setup-choose-exempt": SetupChoose(
        ways=(SetupWay(kind="totp"),), required=False, confirms_for="/archive/"
    ),
    "setup-choose-replacing": SetupChoose(
        ways=(SetupWay(kind="totp"),), replacing=True, pause=Pause(until=NOW + 60)
    ),
    "setup-choose-by-choice": SetupChoose(ways=(SetupWay(kind="totp"),), required=False),
    "setup-choose-for-admin": SetupChoose(
        ways=(SetupWay(kind="totp"),), required=False, may_wait=True, for_admin=True
    ),
    "setup-scan": SCAN,
    "setup-scan-wrong": SetupScan(
        qr_svg=QR,
        key_groups=SCAN.key_groups,
        otpauth_uri=_URI,
        problem="wrong",
        fresh_secret=True,
        may_go_back=True,
        pause=Pause(until=NOW + 30),
    ),
    "setup-codes": SetupCodes(codes=CODES),
    "new-codes": SetupCodes(codes=CODES, in_wizard=False),
    "setup-done": SetupDone(continue_url="/files"),
    "onward": Onward(continue_url="https://portal.example.test/files"),
    "verify": Verify(),
    "verify-stale": Verify(stale=True, next="/files/report.txt"),
    "verify-wrong": Verify(problem="wrong", remember_seconds=30 * DAY),
    "verify-remember-hours": Verify(remember_seconds=12 * HOUR),
    "verify-missing": Verify(problem="missing", step_up=True),
    "verify-step-up": Verify(step_up=True, step_up_for="Patient archive"),
    "verify-paused": Verify(pause=Pause(until=NOW + 272, others_open=True)),
    "verify-locked": Verify(pause=Pause(until=None)),
    "verify-recovery": Verify(method="recovery_code", other_methods=("totp",)),
    "verify-recovery-wrong": Verify(method="recovery_code", other_methods=("totp",), problem="wrong"),
    "recovery-code-used": RecoveryCodeUsed(left=3, continue_url="/files"),
    "recovery-code-used-last": RecoveryCodeUsed(left=1, continue_url="/files"),
    "account-required": AccountSettings(
        on=True,
        required=True,
        since=NOW - 40 * DAY,
        ways=(APP,),
        recovery_left=7,
        sessions=SESSIONS,
        browsers=BROWSERS,
        clients=CLIENTS,
    ),
    "account-by-choice": AccountSettings(
        on=True,
        since=NOW - 40 * DAY,
        ways=(APP,),
        recovery_left=2,
        sessions=SESSIONS[:1],
        may_turn_off=True,
        turn_off_problem="wrong",
        notice="codes_made",
    ),
    "account-off": AccountSettings(on=False, sessions=(), notice="turned_off"),
    "account-grace": AccountSettings(on=False, required=True, required_from=NOW + 6 * DAY),
    "account-exempt": AccountSettings(on=False, exempt_until=NOW + 90 * DAY),
    "account-paused": AccountSettings(
        on=True,
        since=NOW - 40 * DAY,
        paused_until=NOW + 600,
        ways=(
            Way(
                id="f1", kind="webauthn", name="Blue key", added_at=NOW - DAY, disabled=True, may_remove=True
            ),
        ),
        may_turn_off=True,
        turn_off_pause=Pause(until=NOW + 600),
    ),
    "account-with-recovery-code": AccountSettings(on=True, ways=(APP,), recovery_left=6),
    "confirm-new-codes": Confirm(act="new_codes", action="account/recovery-codes"),
    "confirm-replace": Confirm(act="replace_way", action="account/replace", fields=(("way", "f1"),)),
    "confirm-remove": Confirm(
        act="remove_way",
        action="account/remove",
        fields=(("way", "f1"),),
        subject="Blue key",
        problem="wrong",
    ),
    "confirm-end": Confirm(act="end_session", action="account/sessions/end", pause=Pause(until=NOW + 30)),
    "confirm-page": Confirm(act="open_page", action="confirm"),
    "sign-in-required": SignInRequired(sign_in_url="/login?next=/files"),
    "message-bad-request": Message(kind="bad_request"),
    "message-elsewhere": Message(
        kind="elsewhere", retry_url="http://localhost:8000/", address="http://localhost:8000"
    ),
    "message-odd": Message(
        kind="bad_request",
        detail="The path cannot be judged: an empty segment. Ask for it in its plain form.",
    ),
    "message-form-foreign": Message(
        kind="form_foreign", retry_url="http://localhost:8000/mfa/setup", address="http://localhost:8000"
    ),
    "message-form-expired": Message(kind="form_expired", retry_url="/mfa/account"),
    "message-not-allowed": Message(
        kind="not_allowed", links=(Link(href="/mfa/account", text="Account Settings"),)
    ),
    "message-not-found": Message(kind="not_found"),
    "message-conflict": Message(kind="conflict"),
    "message-paused": Message(kind="paused", paused_until=NOW + 900),
    "message-too-large": Message(kind="too_large"),
    "message-unavailable": Message(kind="unavailable", retry_url="/files", reference="7f3a-11c9"),
    "message-signed-out": Message(kind="signed_out"),
    "message-later": Message(kind="later"),
}
ADMIN_VIEWS: dict[str, View] = {
    "admin-overview": AdminOverview(
        deadline=NOW + 5 * DAY,
        more_groups=3,
        reminders=RemindersNow(
            leaves=True,
            reminds=True,
            last_at=NOW - 2 * DAY,
            sent=41,
            is_open=False,
            href="/mfa/admin/reminders",
        ),
        openings=Openings(
            mode="enforce", open_paths=("sign_in /login", "public GET,HEAD /static/"), exempt=2, grace=21
        ),
        enrolled=935,
        paused=3,
        people=1002,
        enrolled_href="/mfa/admin/users?status=enrolled",
        paused_href="/mfa/admin/users?status=paused",
        people_href="/mfa/admin/users",
        require=True,
        remember_seconds=30 * DAY,
        require_since=NOW - 13 * DAY,
        exemptions=12,
        exemptions_href="/mfa/admin/users?status=exempt",
        exempt=(
            ExemptPerson(
                name="Wolfeschlegelsteinhausenbergerdorff " * 2,
                href="/mfa/admin/users/f6",
                exemption=msgspec.structs.replace(EXEMPTION, until=NOW + 5 * DAY, reason="No phone. " * 20),
            ),
            ExemptPerson(name="Esther", href="/mfa/admin/users/e5", exemption=EXEMPTION),
        ),
        exemptions_ending=1,
        groups=(
            GroupLine(name="ward 3", href="/mfa/admin/users?group=ward+3", covered=38, people=41),
            GroupLine(
                name="<b>a group with a long name</b>" * 3,
                href="/mfa/admin/users?group=x",
                covered=0,
                people=0,
            ),
        ),
        course=chart_of(
            [
                CoverageDay(at=NOW - (60 - day) * DAY, covered=8 * day + day * day // 9, people=940 + day)
                for day in range(0, 61, 3)
            ]
        ),
        attention=(
            Attention(kind="missing", count=41, href="/mfa/admin/users?status=missing"),
            Attention(kind="never_signed_in", count=18, href="/mfa/admin/users?status=missing&seen=never"),
            Attention(kind="grace", count=8, href="/mfa/admin/users?status=grace"),
            Attention(kind="deadlines", count=5, href="/mfa/admin/users?status=grace"),
            Attention(kind="paused", count=3, href="/mfa/admin/users?status=paused"),
            Attention(kind="reminders_failed", count=5, href="/mfa/admin/audit?kind=reminder_failed"),
            Attention(kind="mail_waits", count=14, href="/mfa/admin/reminders"),
            Attention(kind="unattributed", count=4, href="/mfa/admin/settings/policies"),
        ),
        recent=HISTORY[:4],
    ),
    "admin-overview-new": AdminOverview(
        enrolled=0, people=0, enrolled_href="/mfa/admin/users", people_href="/mfa/admin/users", require=False
    ),
    "admin-users": AdminUsers(
        chips=CHIPS,
        lines=USERS,
        sorts=SORT_LINKS,
        first_href="/mfa/admin/users",
        previous_href="/mfa/admin/users?before=a1",
        export_href="/mfa/admin/users/export",
        next_href="/mfa/admin/users?after=f6",
    ),
    "admin-people-export": AdminPeopleExport(
        fields=(("group", "staff"), ("status", "missing")),
        query="al",
        group="staff",
        status="missing",
        users_href="/mfa/admin/users?group=staff&status=missing",
    ),
    "admin-people-export-again": AdminPeopleExport(
        never_seen=True,
        users_href="/mfa/admin/users?never_seen=1",
        form="jsonl",
        reason_missing=True,
        problem="wrong",
    ),
    "admin-impact-export": AdminImpactExport(policies_href="/mfa/admin/settings/policies"),
    "admin-impact-export-again": AdminImpactExport(
        list="traffic",
        policies_href="/mfa/admin/settings/policies",
        form="jsonl",
        reason_missing=True,
        problem="wrong",
    ),
    "admin-roster": AdminRoster(on=False),
    "admin-roster-telling": AdminRoster(
        on=True,
        telling=12_345,
        imports=(
            ImportLine(
                at=NOW, by="root", reason="Roster of March", added=12_000, changed=300, deactivated=45
            ),
        ),
    ),
    "admin-roster-imported": AdminRoster(on=False, imported=True),
    **{
        f"admin-roster-{trouble}": AdminRoster(on=False, trouble=trouble)
        for trouble in get_args(RosterTrouble)
    },
    "admin-roster-bad": AdminRoster(
        on=False,
        trouble="unreadable",
        bad=(
            (5, "the same person as on line 3, also if spelled otherwise"),
            (7, '"x" is not one mail address'),
        ),
        bad_count=2,
    ),
    "admin-roster-offer": AdminRosterOffer(
        offer="offer",
        people=1200,
        listed=1100,
        added=120,
        changed=1,
        deactivated=90,
        unchanged=1079,
        shown={
            "added": (RosterPerson(name="Alice Moreau", user="alice", email="alice@example.com"),) * 3,
            "changed": (RosterPerson(name="Bob Okafor", user="bob", email=""),),
            "deactivated": (RosterPerson(name="Zoë Ünal", user="zoe", email="z@example.com"),) * 2,
        },
        many=True,
        administrators=("root", "robin"),
    ),
    "admin-roster-offer-again": AdminRosterOffer(
        offer="offer",
        people=1200,
        listed=1100,
        added=120,
        changed=1,
        deactivated=90,
        unchanged=1079,
        many=True,
        again=True,
        unsure=True,
        reason="Roster of March",
        problem="wrong",
    ),
    "admin-users-in-group": AdminUsers(
        chips=SEARCHED,
        lines=USERS[:1],
        sorts=SORT_LINKS,
        query="a",
        group="staff",
        never_seen=True,
        sort="-last_verified",
    ),
    "admin-users-nobody-unseen": AdminUsers(
        chips=CHIPS, lines=(), never_seen=True, everybody_href="/mfa/admin/users"
    ),
    "admin-users-remind": AdminUsers(
        chips=CHIPS,
        lines=tuple(
            msgspec.structs.replace(line, may_remind=line.status in ("missing", "grace")) for line in USERS
        ),
        remind=RemindBar(everybody=41),
        nobody_chosen=True,
    ),
    "admin-users-remind-one": AdminUsers(
        chips=CHIPS, lines=USERS, status="missing", remind=RemindBar(everybody=1)
    ),
    "admin-users-remind-some": AdminUsers(
        chips=CHIPS, lines=USERS, query="an", remind=RemindBar(everybody=None)
    ),
    "admin-users-no-mail": AdminUsers(chips=CHIPS, lines=USERS, remind=RemindBar(everybody=41, no_mail=True)),
    "admin-reminders": AdminReminders(lines=(RUNNING, TROUBLED)),
    "admin-reminders-empty": AdminReminders(lines=()),
    "admin-reminders-trouble": AdminReminders(
        lines=(TROUBLED,),
        waiting=14,
        trouble="Connection refused.",
    ),
    "admin-reminder-run": AdminReminderRun(on=True, line=RUNNING, chips=OUTCOMES[:2], seconds_left=150),
    "admin-reminder-run-waiting": AdminReminderRun(
        on=True,
        line=msgspec.structs.replace(RUNNING, state="waiting", total=None, done=0),
        next_try_at=NOW + 300,
        trouble="Connection refused.",
    ),
    "admin-reminder-run-done": AdminReminderRun(
        on=False,
        line=TROUBLED,
        chips=OUTCOMES,
        outcome="unknown",
        lines=REACHED,
        finished_at=NOW,
        next_href="/mfa/x",
    ),
    "admin-reminder-run-given-up": AdminReminderRun(
        on=False,
        line=msgspec.structs.replace(TROUBLED, state="given_up", dry=True),
        trouble="Timed out.",
        finished_at=NOW,
    ),
    "admin-users-nobody-found": AdminUsers(
        chips=CHIPS, lines=(), query="zz", first_href="/mfa/admin/users?q=zz"
    ),
    "admin-users-nobody-there": AdminUsers(chips=CHIPS, lines=(), status="inactive"),
    "admin-users-empty": AdminUsers(chips=(), lines=()),
    "admin-user": PROFILE,
    "admin-user-remind": msgspec.structs.replace(PROFILE, status="missing", may_remind=True),
    "admin-user-paused": AdminUser(
        id="b2",
        name="Bob Tanaka",
        subject="bob",
        status="paused",
        required=True,
        because="group",
        because_group="staff",
        deadline=NOW + 6 * DAY,
        ways=(APP,),
        notice="overtaken",
    ),
    "admin-user-missing": AdminUser(
        id="c3",
        name="Carol Nguyen",
        subject="carol",
        status="missing",
        required=False,
        because="policy_off",
        no_reset="nothing_set_up",
        may_exempt=True,
        notice="reset",
    ),
    "admin-user-administrator": AdminUser(
        id="d4",
        name="Dmitri Sokolov",
        subject="dmitri",
        status="exempt",
        required=False,
        because="exempt",
        no_reset="administrator",
        notice="signed_out",
        exemption=EXEMPTION,
    ),
    "admin-user-exempt": AdminUser(
        id="e5",
        name="Esther Bartholomew-Featherstonehaugh of the Department of Long and Windy Names",
        subject="esther",
        status="exempt",
        required=False,
        because="exempt",
        exemption=EXEMPTION,
        no_reset="nothing_set_up",
        may_exempt=True,
        may_end_exemption=True,
        notice="exempted",
    ),
    "admin-user-exemption-ended": AdminUser(
        archived_before=NOW - 2_000 * DAY,
        id="e5",
        name="Esther",
        subject="esther",
        status="missing",
        required=True,
        because="everyone",
        no_reset="nothing_set_up",
        may_exempt=True,
        notice="exemption_ended",
    ),
    "admin-user-session-ended": msgspec.structs.replace(PROFILE, notice="session_ended"),
    "admin-act-reset": AdminAct(act="reset", id="a1", name="Alice Moreau", revision="1-0"),
    "admin-act-forget-browser": AdminAct(
        act="forget_browser", id="a1", name="Alice Moreau", revision="1-0", browser=BROWSERS[1]
    ),
    "admin-act-reset-asking": AdminAct(
        act="reset",
        id="a1",
        name="Alice Moreau",
        revision="1-0",
        reason_missing=True,
        asks_code=True,
        problem="wrong",
        pause=Pause(until=NOW + 30),
    ),
    "admin-act-reset-desk": AdminAct(
        act="reset", id="d4", name="Dmitri Sokolov", revision="1-0", needs_setup_code=True
    ),
    "admin-act-sign-out": AdminAct(act="sign_out", id="a1", name="Alice Moreau", revision="1-0"),
    "admin-act-end-session": AdminAct(
        act="end_session", id="a1", name="Alice Moreau", revision="1-0", session=SESSIONS[1]
    ),
    "admin-act-exempt": EXEMPTING,
    "admin-act-exempt-again": msgspec.structs.replace(
        EXEMPTING, exempt_until=EXEMPTION.until, until_wrong=True, problem="missing", reason="Not yet"
    ),
    "admin-act-end-exemption": AdminAct(
        act="end_exemption", id="e5", name="Esther", revision="1-9", exempt_until=EXEMPTION.until
    ),
    "admin-policies-off": AdminPolicies(require=False, ticked=False, version=3, effect=EFFECT),
    "admin-policies-turning-on": AdminPolicies(
        require=False,
        ticked=True,
        version=3,
        effect=EFFECT,
        actor_enrolled=False,
        refused="actor_not_enrolled",
    ),
    "admin-policies-on": AdminPolicies(
        require=True,
        ticked=True,
        version=4,
        effect=EFFECT,
        enrolled=938,
        missing=41,
        missing_href="/mfa/admin/users?status=missing",
        waiting=8,
        waiting_href="/mfa/admin/users?status=grace",
        exempt=12,
        exempt_href="/mfa/admin/users?status=exempt",
        saved="turned_on",
        changed_at=NOW - 5,
        changed_by="Robin Admin",
    ),
    "admin-policies-turning-off": AdminPolicies(
        require=True,
        ticked=False,
        version=4,
        effect=EFFECT,
        enrolled=938,
        code_problem="wrong",
        refused="stale",
        changed_at=NOW - 13 * DAY,
    ),
    "admin-policies-saved": AdminPolicies(
        require=False, ticked=False, version=5, effect=EFFECT, saved="turned_off"
    ),
    "admin-policies-conflict": AdminPolicies(
        require=True,
        ticked=True,
        version=6,
        effect=EFFECT,
        refused="stale",
        theirs=(
            ChangeLine(field="idle_ttl_seconds", before="1800", after="600"),
            ChangeLine(field="required_groups", before="none", after="nurses, doctors"),
            ChangeLine(field="allowed_factors", before="totp, recovery_code", after="totp"),
        ),
        asks_code=True,
        code_problem="missing",
        misfit="grace_seconds",
        fields=PolicyFields(
            remind=True,
            required_groups="nurses\ndoctors",
            left_out_groups="service accounts of the laboratory",
            ways=(
                WayAllowed(kind="totp", allowed=True, needed=True),
                WayAllowed(kind="recovery_code", allowed=True, without="administrators"),
            ),
            session_hours="8",
            idle_minutes="10",
            grace_days="900",
            grace_from="first_seen",
            grace_counts_from=NOW - 20 * DAY,
            grace_anew=True,
            reason="Two more weeks for the night shift",
            unusual=("grace", "groups", "ways", "times", "remind"),
        ),
        changed_at=NOW - 5,
        changed_by="Robin Admin",
    ),
    "admin-policy-history": AdminPolicyHistory(
        versions=(
            PolicyVersionLine(
                version=3,
                changed_at=NOW - 5,
                changed_by="Robin Admin",
                reason="Two weeks for everybody",
                changes=(
                    ChangeLine(field="require_two_step", before="off", after="on"),
                    ChangeLine(field="grace_seconds", before="0", after=str(14 * DAY)),
                    ChangeLine(field="grace_from", before="policy", after="first_seen"),
                    ChangeLine(field="session_ttl_seconds", before="43200", after="90"),
                ),
            ),
            PolicyVersionLine(
                version=2, changed_at=NOW - 9 * DAY, changed_by="ops (shell)", reason="", changes=()
            ),
            PolicyVersionLine(version=1, changed_at=NOW - 90 * DAY, changed_by=None, reason="", changes=None),
        ),
        next_href="/mfa/admin/settings/policies/history?before=1",
    ),
    "admin-audit": AdminAudit(
        lines=HISTORY,
        kinds=(*(AuditKind(value=kind) for kind in TELLINGS), AuditKind(value="reset", current=True)),
        person="alice",
        kind="reset",
        first_href="/mfa/admin/audit",
        next_href="/mfa/admin/audit?after=17",
        export_href="/mfa/admin/audit/export?person=alice&kind=reset",
        verified_at=NOW - 90,
    ),
    "admin-export": AdminExport(audit_href="/mfa/admin/audit"),
    "admin-export-wrong": AdminExport(
        person="alice",
        name="Alice Moreau",
        kind="reset",
        since="2026-03-01",
        until="2026-03-14",
        audit_href="/mfa/admin/audit?person=alice",
        form="csv",
        reason="Yearly audit",
        problem="wrong",
    ),
    "admin-export-nobody": AdminExport(
        person="zoe", audit_href="/mfa/admin/audit", reason_missing=True, nobody=True
    ),
    "admin-audit-empty": AdminAudit(lines=(), kind="reset"),
    "admin-audit-tampered": AdminAudit(
        lines=HISTORY, tampered_at=NOW - 90, tampered_href="/mfa/admin/audit?kind=tampering_noticed"
    ),
    "admin-audit-all": AdminAudit(
        archived_before=NOW - 2_000 * DAY,
        lines=tuple(
            HistoryLine(at=NOW - 60 * index, kind=kind, actor="Robin Admin", person="Alice Moreau")
            for index, kind in enumerate((*TELLINGS, "a_kind_of_tomorrow"))
        ),
    ),
}
ADMIN_VIEWS |= {
    "admin-report": AdminReport(
        report=REPORT,
        chart=chart_in(REPORT),
        day="2026-02-28",
        today="2026-03-14",
        html_href="/mfa/admin/report?day=2026-02-28&form=html",
        csv_href="/mfa/admin/report?day=2026-02-28&form=csv",
        json_href="/mfa/admin/report?day=2026-02-28&form=json",
        never_seen_href="/mfa/admin/users?never_seen=1",
    ),
    "admin-report-gap": AdminReport(
        report=msgspec.structs.replace(REPORT, day="2026-03-02"), day="2026-03-02"
    ),
    "admin-report-changed": AdminReport(
        report=msgspec.structs.replace(
            REPORT, snapshot=None, policy=None, unfit=("2026-02-28",), torn=("2026-02-20",), whole_at=None
        ),
        day="2026-02-28",
    ),
    "admin-report-to-come": AdminReport(report=None, day="2026-03-20", today="2026-03-14", problem="to_come"),
}
VIEWS: dict[str, View] = PERSON_VIEWS | ADMIN_VIEWS


def page_of(name: str) -> PageContext:
    """The page context that goes with a sample."""
    return ADMIN_PAGE if name in ADMIN_VIEWS else PAGE
