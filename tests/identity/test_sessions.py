"""The portal's own session cookies, signed by the real Flask and the real Starlette."""

import base64
import json
import time
import uuid
import zlib
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import TimestampSigner
from msgspec.structs import replace

from mfa_gate.core.accounts import Identity
from mfa_gate.core.messages import GateRequest
from mfa_gate.identity.flask_session import flask_opener
from mfa_gate.identity.session_cookie import SessionCookieSource
from mfa_gate.identity.source import NOBODY, Reading
from mfa_gate.identity.starlette_session import starlette_opener
from mfa_gate.settings import FlaskSession, Secret, StarletteSession

SECRET = "7f1c9e0b64a84b0f9a0c"
FLASK = FlaskSession(secret=Secret(SECRET), field="user")
STARLETTE = StarletteSession(secret=Secret(SECRET), field="user")
NOW = int(time.time())


@pytest.fixture(autouse=True)
def the_test_begins_now() -> None:
    """Cookies are signed by the frameworks' own clock, and a long run must not grow away from it."""
    global NOW  # noqa: PLW0603 -- a time in all tests of this file
    NOW = int(time.time())


DAY = 24 * 3600

FRAMEWORKS = ["flask", "starlette"]


def source(settings: FlaskSession | StarletteSession) -> SessionCookieSource:
    opener = flask_opener(settings) if isinstance(settings, FlaskSession) else starlette_opener(settings)
    return SessionCookieSource(settings.source, settings, opener)


def configured(framework: str, **changes: object) -> SessionCookieSource:
    return source(replace(FLASK if framework == "flask" else STARLETTE, **changes))


def cookie(framework: str, session: object, secret: str = SECRET) -> str:
    """What the framework itself would set."""
    if framework == "starlette":
        return TimestampSigner(secret).sign(base64.b64encode(json.dumps(session).encode())).decode()
    app = Flask("portal")
    app.secret_key = secret
    signer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert signer is not None
    return str(signer.dumps(session))


def flask_signed(payload: bytes) -> str:
    """Anything, in the portal's own hand."""
    app = Flask("portal")
    app.secret_key = SECRET
    signer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert signer is not None
    return signer.make_signer().sign(payload).decode()


def request(*headers: str) -> GateRequest:
    return GateRequest(path="/files", headers=tuple(("cookie", header) for header in headers))


def read(framework: str, session: object, **changes: object) -> Reading:
    return configured(framework, **changes).read(request(f"session={cookie(framework, session)}"), NOW)


def named(framework: str, subject: str, groups: tuple[str, ...] | None = None) -> Reading:
    who = Identity(source=f"{framework}_session", realm="portal", subject=subject, groups=groups)
    return Reading(identities=(who,))


@pytest.mark.parametrize("framework", FRAMEWORKS)
class TestBoth:
    def test_the_field_names_the_person(self, framework: str) -> None:
        assert read(framework, {"user": "alice", "cart": [1, 2]}) == named(framework, "alice")

    def test_everything_else_is_read_where_the_settings_say(self, framework: str) -> None:
        session = {
            "who": {
                "id": 42,
                "name": "Alice A.",
                "mail": "alice@example.org",
                "in": ["staff", "nurses", 3, ""],
            },
            "sid": "s-1",
        }
        found = read(
            framework,
            session,
            field="who.id",
            name_field="who.name",
            email_field="who.mail",
            groups_field="who.in",
            session_id_field="sid",
            realm="ward",
            case_insensitive=True,
        )
        assert found.identities == (
            Identity(
                source=f"{framework}_session",
                realm="ward",
                subject="42",
                session_id="s-1",
                name="Alice A.",
                email="alice@example.org",
                groups=("staff", "nurses"),
                case_insensitive=True,
            ),
        )

    def test_what_a_source_says_of_itself(self, framework: str) -> None:
        found = configured(framework, cookie="portal")
        assert (found.name, found.realm) == (f"{framework}_session", "portal")
        assert found.carriers == {"cookie:portal"}
        assert found.keyed_headers == frozenset()
        assert not found.stable_session_id
        assert configured(framework, session_id_field="sid").stable_session_id

    @pytest.mark.parametrize("session", [{}, {"cart": 1}, {"user": None}, {"user": ""}, {"user": False}])
    def test_a_session_without_a_user_is_nobodys(self, framework: str, session: object) -> None:
        assert read(framework, session) == NOBODY

    def test_a_field_that_the_portal_does_not_have_is_told_once(
        self, framework: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        found = configured(framework, field="username")
        for _ in range(3):
            assert (
                found.read(request(f"session={cookie(framework, {'user': 'alice', 'csrf': 'x'})}"), NOW)
                == NOBODY
            )
        (said,) = caplog.messages
        assert f'[[identity]] {framework}_session, field = "username"' in said
        assert "It holds: csrf, user." in said
        assert "alice" not in said

    def test_so_is_an_id_of_the_sign_in(self, framework: str, caplog: pytest.LogCaptureFixture) -> None:
        assert read(framework, {"user": "alice"}, session_id_field="sid") == NOBODY
        assert 'session_id_field = "sid"' in caplog.text

    @pytest.mark.parametrize("session", [{}, {"user": ""}, {"user": False}])
    def test_what_says_nothing_of_the_settings_is_not_told(
        self, framework: str, session: object, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert read(framework, session) == NOBODY
        assert not caplog.messages

    def test_once_somebody_was_named_strangers_are_nothing_to_tell(
        self, framework: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        found = configured(framework)
        found.read(request(f"session={cookie(framework, {'user': 'alice'})}"), NOW)
        found.read(request(f"session={cookie(framework, {'csrf': 'x'})}"), NOW)
        assert not caplog.messages

    def test_a_cookie_under_another_name_is_told_once(
        self, framework: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        found = configured(framework)
        line = f"theme=dark; portal={cookie(framework, {'user': 'alice'})}"
        for _ in range(3):
            assert found.read(request(line), NOW) == NOBODY
        (said,) = caplog.messages
        assert 'cookie = "session": no such cookie came' in said
        assert 'Write cookie = "portal".' in said

    def test_somebody_elses_cookies_are_nothing_to_tell(
        self, framework: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        found = configured(framework)
        for session, secret in (({"user": "alice"}, "another-secret-of-theirs"), ({"csrf": "x"}, SECRET)):
            found.read(request(f"other={cookie(framework, session, secret)}"), NOW)
        assert not caplog.messages

    @pytest.mark.parametrize(
        "subject",
        [True, 1.5, ["alice"], {"id": 1}, "x" * 256, "a\nb", "a\0", "a\u200bb", "a\u202eb", "   ", 10**30],
        ids=ascii,
    )
    def test_a_user_that_cannot_be_named_is_not_taken_for_nobodys_session(
        self, framework: str, subject: object
    ) -> None:
        assert read(framework, {"user": subject}) == Reading(unreadable=("cookie:session",))

    @pytest.mark.parametrize(
        ("subject", "text"), [(0, "0"), (7, "7"), (-1, "-1"), ("Jürgen", "Jürgen"), ("a b", "a b")]
    )
    def test_a_number_or_any_visible_text_is_a_subject(
        self, framework: str, subject: object, text: str
    ) -> None:
        assert read(framework, {"user": subject}) == named(framework, text)

    def test_a_dot_leads_inside_and_nowhere_else(self, framework: str) -> None:
        assert read(framework, {"user.id": "alice"}, field="user.id") == NOBODY
        assert read(framework, {"user": "alice"}, field="user.id") == NOBODY
        assert read(framework, {"user": ["alice"]}, field="user.0") == NOBODY

    @pytest.mark.parametrize("session_id", [None, "", True, [1]])
    def test_without_its_session_id_a_session_is_nobodys(self, framework: str, session_id: object) -> None:
        assert read(framework, {"user": "alice", "sid": session_id}, session_id_field="sid") == NOBODY

    def test_odd_names_mails_and_groups_are_left_out(self, framework: str) -> None:
        session = {"user": "alice", "name": "a\nb", "mail": 5, "groups": {"staff": 1}}
        found = read(framework, session, name_field="name", email_field="mail", groups_field="groups")
        assert found == named(framework, "alice", groups=())

    def test_no_groups_are_told_apart_from_none_that_are_told(self, framework: str) -> None:
        assert read(framework, {"user": "alice"}) == named(framework, "alice", groups=None)
        found = read(framework, {"user": "alice"}, groups_field="groups")
        assert found == named(framework, "alice", groups=())

    def test_groups_may_be_text(self, framework: str) -> None:
        found = read(framework, {"user": "alice", "groups": "staff, nurses,,staff"}, groups_field="groups")
        assert found.identities[0].groups == ("staff", "nurses")

    def test_another_secret_names_nobody(self, framework: str) -> None:
        forged = cookie(framework, {"user": "alice"}, secret="another secret of 16 bytes")
        assert configured(framework).read(request(f"session={forged}"), NOW) == NOBODY

    def test_another_frameworks_signature_names_nobody(self, framework: str) -> None:
        other = FRAMEWORKS[1 - FRAMEWORKS.index(framework)]
        assert (
            configured(framework).read(request(f"session={cookie(other, {'user': 'alice'})}"), NOW) == NOBODY
        )

    def test_no_cookie_is_nobody(self, framework: str) -> None:
        assert configured(framework).read(request(), NOW) == NOBODY
        assert configured(framework).read(request("other=1; Session=2"), NOW) == NOBODY

    def test_it_ends_a_minute_after_the_portals_own_end(self, framework: str) -> None:
        found, sent = (
            configured(framework, max_age=DAY),
            request(f"session={cookie(framework, {'user': 'alice'})}"),
        )
        assert found.read(sent, NOW + DAY + 50) == named(framework, "alice")
        assert found.read(sent, NOW + DAY + 90) == NOBODY

    def test_a_portals_clock_may_be_a_minute_ahead(self, framework: str) -> None:
        found, sent = configured(framework), request(f"session={cookie(framework, {'user': 'alice'})}")
        assert found.read(sent, NOW - 50) == named(framework, "alice")
        assert found.read(sent, NOW - 90) == NOBODY

    def test_two_copies_name_both_people_and_say_so(self, framework: str) -> None:
        alice, bob = (f"session={cookie(framework, {'user': user})}" for user in ("alice", "bob"))
        for sent in (
            request(f"{alice}; {bob}"),
            request(alice, bob),
            request(f"x=1;{alice};session=\xa0;{bob}"),
        ):
            found = configured(framework).read(sent, NOW)
            assert [identity.subject for identity in found.identities] == ["alice", "bob"]
            assert found.duplicated == ("cookie:session",)

    @pytest.mark.parametrize("other", ["", "null", "x.y.z", '"', "session"])
    def test_a_copy_that_means_nothing_is_a_copy(self, framework: str, other: str) -> None:
        alice = cookie(framework, {"user": "alice"})
        for header in (
            f"session={other}; session={alice}",
            f"session={alice}; session={other}",
            f"session; session={alice}",
        ):
            found = configured(framework).read(request(header), NOW)
            assert found == replace(named(framework, "alice"), duplicated=("cookie:session",))

    def test_whole_quotes_are_taken_off(self, framework: str) -> None:
        alice = cookie(framework, {"user": "alice"})
        assert configured(framework).read(request(f'session="{alice}"'), NOW) == named(framework, "alice")

    @pytest.mark.parametrize("form", ['"{}; x=1', '"{}\\"', '"{}; x="', '"\\{}"'])
    def test_open_quotes_and_backslashes_are_called_ambiguous(self, framework: str, form: str) -> None:
        sent = request("session=" + form.format(cookie(framework, {"user": "alice"})))
        assert configured(framework).read(sent, NOW).duplicated == ("cookie:session",)

    @pytest.mark.parametrize(
        "value",
        ["", "%ff%00", "\xff\xfe", "....", ".", "a.b.c", "." * 100_000, "A" * 100_000, "=" * 100, ".eJw.x.y",
         "bnVsbA.AAAA.AAAA", "\x00", "null", '"', '""', "\\", "A" * 40 + ".B.C"],
        ids=lambda value: ascii(value[:10]) + str(len(value)),
    )  # fmt: skip
    def test_b12_a_hostile_value_names_nobody_and_quickly(self, framework: str, value: str) -> None:
        start = time.perf_counter()
        found = configured(framework).read(request(f"session={value}"), NOW)
        assert time.perf_counter() - start < 0.1
        assert found.identities == ()
        assert found.unreadable == ()

    def test_b12_thousands_of_copies_are_looked_at_quickly(self, framework: str) -> None:
        alice = cookie(framework, {"user": "alice"})
        junk = ";".join(f"session={'A' * 40}.{number}.{'B' * 27}" for number in range(800))
        start = time.perf_counter()
        found = configured(framework).read(request(f"{junk};session={alice};{junk}"), NOW)
        assert time.perf_counter() - start < 0.5
        assert found == replace(named(framework, "alice"), duplicated=("cookie:session",))

    @pytest.mark.parametrize("session", [[], "alice", 5, None, [{"user": "alice"}]], ids=repr)
    def test_a_signed_value_that_is_no_session_is_unreadable(self, framework: str, session: object) -> None:
        assert read(framework, session) == Reading(unreadable=("cookie:session",))

    def test_a_signed_session_too_large_to_be_one_is_unreadable(self, framework: str) -> None:
        found = read(framework, {"user": "alice", "x": "A" * 70_000})
        assert found == Reading(unreadable=("cookie:session",))


class TestFlask:
    @pytest.mark.parametrize(
        ("subject", "text"),
        [(uuid.UUID("12345678123456781234567812345678"), "12345678-1234-5678-1234-567812345678"), ("x", "x")],
        ids=["uuid", "text"],
    )
    def test_tagged_types_are_read_as_flask_reads_them(self, subject: object, text: str) -> None:
        session = {
            "user": subject,
            "at": datetime(2024, 1, 1, tzinfo=UTC),
            "raw": b"\x00",
            "t": (1, {"u": ("a",)}),
        }
        assert read("flask", session) == named("flask", text)

    def test_a_dict_that_looks_like_a_tag_is_a_dict(self) -> None:
        assert read("flask", {"user": {" t": "alice"}}, field="user. t") == named("flask", "alice")
        assert read("flask", {" u": "alice"}, field=" u") == named("flask", "alice")

    def test_a_tuple_of_groups_is_read(self) -> None:
        found = read("flask", {"user": "alice", "groups": ("staff",)}, groups_field="groups")
        assert found.identities[0].groups == ("staff",)

    @pytest.mark.parametrize("subject", [b"alice", datetime(2024, 1, 1, tzinfo=UTC), ("alice",)], ids=repr)
    def test_bytes_dates_and_tuples_name_nobody(self, subject: object) -> None:
        assert read("flask", {"user": subject}).identities == ()

    def test_an_older_secret_still_reads(self) -> None:
        old = cookie("flask", {"user": "alice"}, secret="the secret of last year")
        sent = request(f"session={old}")
        assert configured("flask").read(sent, NOW) == NOBODY
        with_old = configured("flask", fallback_secrets=(Secret("the secret of last year"),))
        assert with_old.read(sent, NOW) == named("flask", "alice")

    def test_another_salt_is_another_cookie(self) -> None:
        sent = request(f"session={cookie('flask', {'user': 'alice'})}")
        assert configured("flask", salt="remember").read(sent, NOW) == NOBODY

    def test_a_compressed_session_is_unfolded(self) -> None:
        session = {"user": "alice", "x": "A" * 60_000}
        assert cookie("flask", session).startswith(".")
        assert read("flask", session) == named("flask", "alice")

    @pytest.mark.parametrize(
        "payload",
        [
            b"." + base64.urlsafe_b64encode(zlib.compress(b'{"user":"alice","x":"' + b"A" * 50_000_000 + b'"}', 9)),
            b"." + base64.urlsafe_b64encode(b"no zlib"),
            b"." + base64.urlsafe_b64encode(zlib.compress(b'{"user":"alice"}')[:-6]),
            base64.urlsafe_b64encode(b"[" * 30_000),
            base64.urlsafe_b64encode(b'{"user":' * 5_000),
            base64.urlsafe_b64encode(b'{"a":' * 900 + b"1" + b"}" * 900),
            base64.urlsafe_b64encode(b'{"user":"\xff"}'),
            base64.urlsafe_b64encode(b'{"user":' + b"9" * 5_000 + b"}"),
            b"A",
            b"",
        ],
        ids=["bomb", "not zlib", "cut off", "deep list", "deep dict", "deep whole", "no utf-8", "long number", "base64",
             "empty"],
    )  # fmt: skip
    def test_b12_signed_nonsense_is_unreadable_and_quick(self, payload: bytes) -> None:
        sent = request(f"session={flask_signed(payload)}")
        start = time.perf_counter()
        found = configured("flask").read(sent, NOW)
        assert time.perf_counter() - start < 0.2
        assert found.identities == ()


class TestStarlette:
    @pytest.mark.parametrize(
        "payload",
        [b"[" * 30_000, b'{"user":' * 5_000, b"\xff\xfe\x00", b"", b'{"user":' + b"9" * 5_000 + b"}"],
        ids=["deep list", "deep dict", "no text", "empty", "long number"],
    )
    def test_b12_signed_nonsense_is_unreadable_and_quick(self, payload: bytes) -> None:
        signed = TimestampSigner(SECRET).sign(base64.b64encode(payload)).decode()
        start = time.perf_counter()
        found = configured("starlette").read(request(f"session={signed}"), NOW)
        assert time.perf_counter() - start < 0.2
        assert found == Reading(unreadable=("cookie:session",))
