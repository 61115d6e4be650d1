"""REMOTE_USER and the headers of a trusted proxy."""

import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import Identity
from mfa_gate.core.messages import GateRequest
from mfa_gate.identity.header_user import HeaderUserSource
from mfa_gate.identity.remote_user import RemoteUserSource
from mfa_gate.identity.source import NOBODY, Reading
from mfa_gate.settings import HeaderUser, RemoteUser

SERVER = RemoteUserSource("remote_user", RemoteUser())
PROXY = HeaderUserSource(
    "header", HeaderUser(name_header="X-Name", email_header="X-Mail", groups_header="X-Groups", realm="sso")
)


def sent(*headers: tuple[str, str], trusted: bool = True, remote_user: str | None = None) -> GateRequest:
    return GateRequest(path="/", headers=headers, peer_trusted=trusted, remote_user=remote_user)


class TestRemoteUser:
    def test_the_servers_word_names_the_person(self) -> None:
        found = SERVER.read(sent(remote_user="alice", trusted=False), 0)
        assert found.identities == (Identity(source="remote_user", realm="portal", subject="alice"),)

    @pytest.mark.parametrize("value", [None, ""])
    def test_without_it_there_is_nobody(self, value: str | None) -> None:
        assert SERVER.read(sent(remote_user=value), 0) == NOBODY

    def test_b03_no_header_stands_for_it(self) -> None:
        headers = [
            (name, "root") for name in ("remote-user", "remote_user", "http_remote_user", "x-remote-user")
        ]
        assert SERVER.read(sent(*headers), 0) == NOBODY

    @pytest.mark.parametrize("value", ["a\nb", "x" * 256, " ", "\x00"])
    def test_what_is_no_name_is_unreadable(self, value: str) -> None:
        assert SERVER.read(sent(remote_user=value), 0) == Reading(unreadable=("remote_user",))

    def test_utf8_is_read_as_such(self) -> None:
        for spelled in ("Jürgen".encode().decode("latin-1"), "Jürgen", "J\xfcrgen"):
            assert SERVER.read(sent(remote_user=spelled), 0).identities[0].subject == "Jürgen"
        assert SERVER.read(sent(remote_user="Łukasz"), 0).identities[0].subject == "Łukasz"

    def test_what_it_says_of_itself(self) -> None:
        assert SERVER.carriers == {"remote_user"}
        assert SERVER.keyed_headers == frozenset()
        assert not SERVER.stable_session_id


class TestHeader:
    def test_a_trusted_proxy_names_the_person(self) -> None:
        request = sent(
            ("x-remote-user", "alice"),
            ("x-name", "Alice A."),
            ("x-mail", "alice@example.org"),
            ("x-groups", "staff, nurses"),
        )
        assert PROXY.read(request, 0).identities == (
            Identity(
                source="header",
                realm="sso",
                subject="alice",
                name="Alice A.",
                email="alice@example.org",
                groups=("staff", "nurses"),
            ),
        )

    def test_b03_anybody_else_names_nobody(self) -> None:
        assert PROXY.read(sent(("x-remote-user", "root"), trusted=False), 0) == NOBODY

    @pytest.mark.parametrize("name", ["remote-user", "x_remote_user", "x-forwarded-user", "X-Remote-User"])
    def test_b03_another_spelling_names_nobody(self, name: str) -> None:
        assert PROXY.read(sent((name, "root")), 0) == NOBODY

    @pytest.mark.parametrize("value", ["", " ", "\t"])
    def test_an_empty_header_is_nobody(self, value: str) -> None:
        assert PROXY.read(sent(("x-remote-user", value)), 0) == NOBODY

    @pytest.mark.parametrize(
        "headers",
        [
            (("x-remote-user", "alice"), ("x-remote-user", "bob")),
            (("x-remote-user", "alice,bob"),),
            (("x-remote-user", "alice, bob"),),
        ],
    )
    def test_two_of_them_name_both_people_and_say_so(self, headers: tuple[tuple[str, str], ...]) -> None:
        found = PROXY.read(sent(*headers), 0)
        assert [identity.subject for identity in found.identities] == ["alice", "bob"]
        assert found.duplicated == ("header:x-remote-user",)

    @pytest.mark.parametrize("value", ["alice,", ",alice", "alice,alice"])
    def test_a_second_one_that_adds_nothing_is_a_second_one(self, value: str) -> None:
        found = PROXY.read(sent(("x-remote-user", value)), 0)
        assert [identity.subject for identity in found.identities] == ["alice"]
        assert found.duplicated == ("header:x-remote-user",)

    def test_two_lists_of_groups_give_none(self) -> None:
        found = PROXY.read(sent(("x-remote-user", "alice"), ("x-groups", "admins"), ("x-groups", "staff")), 0)
        assert found.identities[0].groups == ()
        assert found.duplicated == ("header:x-groups",)

    def test_what_is_no_name_is_unreadable(self) -> None:
        found = PROXY.read(sent(("x-remote-user", "a\x01b")), 0)
        assert found == Reading(unreadable=("header:x-remote-user",))

    def test_what_it_says_of_itself(self) -> None:
        assert PROXY.carriers == {"header:x-remote-user"}
        assert PROXY.keyed_headers == {"x-remote-user", "x-name", "x-mail", "x-groups"}
        assert not PROXY.stable_session_id

    def test_case_is_told_along(self) -> None:
        source = HeaderUserSource("header", replace(HeaderUser(), case_insensitive=True))
        assert source.read(sent(("x-remote-user", "Alice")), 0).identities[0].case_insensitive
