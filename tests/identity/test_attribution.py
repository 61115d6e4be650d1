"""One request, one principal, whatever else comes along."""

import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from mfa_gate.core.messages import GateRequest
from mfa_gate.identity import Attribution, attribute, build_sources
from mfa_gate.settings import FlaskSession, HeaderUser, RemoteUser, Secret, Settings, StarletteSession, Store
from tests.identity.test_sessions import SECRET, cookie

ALICE, BOB = (f"session={cookie('flask', {'user': user})}" for user in ("alice", "bob"))
CARRIERS = ("cookie:remember_token", "header:x-api-key", "query:token")
BASE = Settings(
    public_url="https://portal.example.org",
    identity=(FlaskSession(secret=Secret(SECRET), field="user"), HeaderUser(), RemoteUser()),
    store=Store(url="sqlite:///var/lib/gate.db"),
    trusted_proxies=("127.0.0.1",),
)
SOURCES = build_sources(BASE)


def sent(*headers: tuple[str, str], query: str = "", remote_user: str | None = None) -> GateRequest:
    return GateRequest(path="/", headers=headers, query=query, peer_trusted=True, remote_user=remote_user)


def found(*headers: tuple[str, str], query: str = "", remote_user: str | None = None) -> Attribution:
    return attribute(
        SOURCES, sent(*headers, query=query, remote_user=remote_user), CARRIERS, int(time.time())
    )


def subject(attribution: Attribution) -> str | None:
    return None if attribution.identity is None else attribution.identity.subject


def test_nothing_names_nobody() -> None:
    assert found() == Attribution()


def test_one_source_names_one_person() -> None:
    attribution = found(("cookie", ALICE))
    assert subject(attribution) == "alice"
    assert attribution == Attribution(identity=attribution.identity, candidates=attribution.candidates)
    assert len(attribution.candidates) == 1


def test_two_sources_may_agree() -> None:
    attribution = found(("cookie", ALICE), ("x-remote-user", "alice"))
    assert subject(attribution) == "alice"
    assert attribution.identity is not None
    assert attribution.identity.source == "flask_session"
    assert not attribution.conflicting


@pytest.mark.parametrize(
    ("headers", "remote_user"),
    [
        ((("cookie", ALICE), ("x-remote-user", "bob")), None),
        ((("cookie", ALICE),), "bob"),
        ((("x-remote-user", "alice"),), "bob"),
        ((("cookie", ALICE), ("x-remote-user", "alice")), "bob"),
    ],
)
def test_two_sources_that_differ_name_nobody(
    headers: tuple[tuple[str, str], ...], remote_user: str | None
) -> None:
    attribution = found(*headers, remote_user=remote_user)
    assert attribution.identity is None
    assert attribution.conflicting
    assert {person.subject for person in attribution.candidates} == {"alice", "bob"}


def test_one_name_in_two_realms_is_two_people() -> None:
    sources = build_sources(replace(BASE, identity=(BASE.identity[0], HeaderUser(realm="sso"))))
    attribution = attribute(
        sources, sent(("cookie", ALICE), ("x-remote-user", "alice")), (), int(time.time())
    )
    assert attribution.identity is None
    assert attribution.conflicting


def test_two_spellings_of_one_account_are_one_person() -> None:
    attribution = found(("cookie", ALICE), ("x-remote-user", "ALICE"))
    assert subject(attribution) == "alice"
    assert len(attribution.candidates) == 1


@pytest.mark.parametrize("order", [(ALICE, BOB), (BOB, ALICE)])
def test_two_cookies_name_nobody_in_either_order(order: tuple[str, str]) -> None:
    for headers in ([("cookie", "; ".join(order))], [("cookie", one) for one in order]):
        attribution = found(*headers)
        assert attribution.identity is None
        assert attribution.duplicated
        assert attribution.conflicting
        assert len(attribution.candidates) == 2


def test_the_same_cookie_twice_is_still_twice() -> None:
    attribution = found(("cookie", f"{ALICE}; {ALICE}"))
    assert subject(attribution) == "alice"
    assert attribution.duplicated


class TestUnclaimed:
    @pytest.mark.parametrize(
        ("value", "kind"),
        [
            ("Basic YWxpY2U6ZGVtbw==", "authorization:basic"),
            ("  bAsIc YWxpY2U6ZGVtbw==", "authorization:basic"),
            ("Bearer x", "authorization:bearer"),
            ("Negotiate x", "authorization:negotiate"),
            ("", "authorization:other"),
            ("x" * 10_000, "authorization:other"),
        ],
        ids=["basic", "case", "bearer", "negotiate", "empty", "invented"],
    )
    @pytest.mark.parametrize("cookies", ["", ALICE], ids=["alone", "beside a cookie"])
    def test_authorization_is_never_read_by_these_sources(self, value: str, kind: str, cookies: str) -> None:
        attribution = found(("cookie", cookies), ("authorization", value))
        assert attribution.unclaimed == (kind,)
        assert subject(attribution) == ("alice" if cookies else None)

    def test_two_of_a_kind_are_one_kind(self) -> None:
        assert found(("authorization", "Basic a"), ("authorization", "Basic b")).unclaimed == (
            "authorization:basic",
        )

    @pytest.mark.parametrize(
        ("headers", "query", "kind"),
        [
            ([("cookie", f"remember_token=x; {ALICE}")], "", "cookie:remember_token"),
            ([("cookie", ALICE), ("cookie", "remember_token=")], "", "cookie:remember_token"),
            ([("cookie", ALICE), ("x-api-key", "")], "", "header:x-api-key"),
            ([("cookie", ALICE), ("x_api_key", "k")], "", "header:x-api-key"),
            ([("cookie", ALICE)], "token=x", "query:token"),
            ([("cookie", ALICE)], "a=1&token", "query:token"),
            ([("cookie", ALICE)], "a=1;token=", "query:token"),
            ([("cookie", ALICE)], "t%6Fken=x", "query:token"),
        ],
    )
    def test_every_configured_carrier_is_found(
        self, headers: list[tuple[str, str]], query: str, kind: str
    ) -> None:
        attribution = found(*headers, query=query)
        assert subject(attribution) == "alice"
        assert attribution.unclaimed == (kind,)

    def test_what_only_looks_alike_is_not_one(self) -> None:
        headers = (("cookie", f"{ALICE}; my_remember_token=x"), ("x-api-keys", "k"))
        assert found(*headers, query="tokens=1&a=token").unclaimed == ()

    def test_all_are_listed(self) -> None:
        attribution = found(
            ("cookie", "remember_token=x"), ("x-api-key", "k"), ("authorization", "Token t"), query="token=1"
        )
        assert attribution.identity is None
        assert attribution.unclaimed == ("authorization:token", *CARRIERS)

    def test_the_carrier_of_the_naming_source_is_its_own(self) -> None:
        carriers = ("cookie:session", "header:x-remote-user")
        assert attribute(SOURCES, sent(("cookie", ALICE)), carriers, int(time.time())).unclaimed == ()
        beside = attribute(
            SOURCES, sent(("cookie", ALICE)), ("cookie:session",), int(time.time()) + 40 * 24 * 3600
        )
        assert beside.unclaimed == ("cookie:session",)

    def test_a_genuine_session_that_cannot_be_read_is_unclaimed_beside_another(self) -> None:
        odd = f"session={cookie('flask', {'user': ['mallory']})}"
        attribution = found(("cookie", odd), ("x-remote-user", "alice"))
        assert subject(attribution) == "alice"
        assert attribution.unclaimed == ("cookie:session",)


class TestBuilding:
    def test_sources_keep_the_files_order_and_have_their_kinds_name(self) -> None:
        assert [source.name for source in SOURCES] == ["flask_session", "header", "remote_user"]

    def test_two_of_a_kind_have_names_of_their_own(self) -> None:
        two = (
            StarletteSession(secret=Secret(SECRET), field="user", cookie="a"),
            StarletteSession(secret=Secret(SECRET), field="user", cookie="b"),
            HeaderUser(),
            HeaderUser(name="X-SSO-User"),
        )
        names = [source.name for source in build_sources(replace(BASE, identity=two))]
        assert names == [
            "starlette_session:a",
            "starlette_session:b",
            "header:x-remote-user",
            "header:x-sso-user",
        ]

    def test_a_settings_file_is_all_it_needs(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text(SECRET)
        file = tmp_path / "mfa-gate.toml"
        file.write_text(
            'public_url = "https://portal.example.org"\nstore.url = "sqlite:gate.db"\n'
            '[[identity]]\nsource = "flask_session"\nsecret = "file:secret"\nfield = "user"\n'
        )
        sources = build_sources(Settings.from_toml(file))
        assert subject(attribute(sources, sent(("cookie", BOB)), (), int(time.time()))) == "bob"
