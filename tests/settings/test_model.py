"""Which values make settings, made in Python as from a file."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Identity, account_id
from mfa_gate.core.clients import ClientRule
from mfa_gate.core.errors import SettingsError
from mfa_gate.core.origins import origin_of
from mfa_gate.core.policy import PathRule
from mfa_gate.settings import (
    Admin,
    Anchor,
    FlaskSession,
    HeaderUser,
    Portal,
    RemoteUser,
    Secret,
    Settings,
    SourceSettings,
    StarletteSession,
    Store,
)

SECRET = Secret("7f1c9e0b64a84b0f9a0c")
STORE = Store(url="sqlite:///var/lib/gate.db")


def flask(**changes: object) -> FlaskSession:
    return replace(FlaskSession(secret=SECRET, field="user"), **changes)


BASE = Settings(public_url="https://portal.example.org", identity=(RemoteUser(),), store=STORE)


def settings(**changes: object) -> Settings:
    return replace(BASE, **changes)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://portal.example.org", "https://portal.example.org"),
        ("https://Portal.Example.org/", "https://portal.example.org"),
        ("HTTPS://portal.example.org:443", "https://portal.example.org"),
        ("https://portal.example.org:8443", "https://portal.example.org:8443"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://localhost:80", "http://localhost"),
        ("http://app.localhost", "http://app.localhost"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_public_url_is_an_origin_as_browsers_write_it(written: str, meant: str) -> None:
    found = settings(public_url=written).public_url
    assert found == meant
    assert origin_of(found) == found


@pytest.mark.parametrize(
    "written",
    [
        "",
        "portal.example.org",
        "//portal.example.org",
        "ftp://portal.example.org",
        "javascript:alert(1)",
        "https://",
        "https://portal.example.org/portal",
        "https://portal.example.org?x",
        "https://portal.example.org?",
        "https://portal.example.org#",
        "https://user@portal.example.org",
        "https://portal.example.org:99999",
        "https://portal.example.org:x",
        "https://bücher.example",
        "https://portal example.org",
        "https://portal.example.org\n",
        "https://portal.example.org\\@evil.example",
        "https://[::1",
        "https://-x.example",
        "http://portal.example.org",
        "http://10.0.0.5",
        "http://localhost.example.org",
    ],
)
def test_any_other_public_url_is_refused(written: str) -> None:
    with pytest.raises(SettingsError, match=r"^public_url = "):
        settings(public_url=written)


def test_plain_http_is_allowed_where_tls_ends_in_front() -> None:
    assert settings(public_url="http://portal.internal", tls="in-front").cookie_name == "mfa_gate"


def test_the_cookies_name_follows_public_url() -> None:
    assert settings().cookie_name == "__Host-mfa_gate"
    assert settings(public_url="http://localhost:8000").cookie_name == "mfa_gate"


@pytest.mark.parametrize(
    "mount", ["", "/", "mfa", "/mfa/", "//mfa", "/a/../b", "/.", "/m fa", "/mfa?", "/%6dfa", "/mfä"]
)
def test_a_mount_is_a_plain_path(mount: str) -> None:
    with pytest.raises(SettingsError, match=r"^mount = "):
        settings(mount=mount)


@pytest.mark.parametrize("mount", ["/mfa", "/two-step", "/a/b", "/_gate.v2"])
def test_a_mount_may_have_several_segments(mount: str) -> None:
    assert settings(mount=mount).mount == mount


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("accent", "blue"),
        ("accent", "#fff"),
        ("accent", "#2f5bd8;}"),
        ("name", ""),
        ("name", "  "),
        ("name", "a\nb"),
        ("name", "Ward: 3"),
        ("name", "x" * 61),
        ("help_url", "javascript:alert(1)"),
        ("help_url", "//evil.example"),
        ("help_url", "https://a b"),
        ("language", "English"),
        ("time_zone", "Nowhere/City"),
        ("time_zone", "../../etc/passwd"),
        ("identity", ()),
        ("trusted_proxies", ("0.0.0.0/0",)),
        ("trusted_proxies", ("::/0",)),
        ("trusted_proxies", ("10.0.0.5/8",)),
        ("trusted_proxies", ("proxy.example.org",)),
    ],
)
def test_what_is_shown_or_trusted_is_checked(key: str, value: object) -> None:
    with pytest.raises(SettingsError, match=rf"^(\[\[)?{key}(\]\])? = "):
        settings(**{key: value})


@pytest.mark.parametrize("url", ["", "https://help.example.org/two-step", "mailto:help@example.org", "/help"])
def test_help_may_be_a_page_or_an_address(url: str) -> None:
    assert settings(help_url=url).help_url == url


class TestRules:
    @pytest.mark.parametrize(
        "rule",
        [
            PathRule(kind="default", path="/"),
            PathRule(kind="public", path="static/"),
            PathRule(kind="public", path="/static/*"),
            PathRule(kind="public", path="/static//x"),
            PathRule(kind="public", path="/static/../x"),
            PathRule(kind="public", path="/static/./"),
            PathRule(kind="public", path="/a%2fb"),
            PathRule(kind="public", path="/a?b"),
            PathRule(kind="public", path="/a;b"),
            PathRule(kind="public", path="/a\\b"),
            PathRule(kind="public", path="/a\tb"),
            PathRule(kind="sign_in", path="/login", methods=("post",)),
            PathRule(kind="sign_in", path="/login", methods=("",)),
            PathRule(kind="public", path="/a", max_age=5),
            PathRule(kind="step_up", path="/a"),
            PathRule(kind="step_up", path="/a", max_age=0),
            PathRule(kind="step_up", path="/a", max_age=100_000),
        ],
    )
    def test_one_that_cannot_mean_what_it_says_is_refused(self, rule: PathRule) -> None:
        with pytest.raises(SettingsError, match=r"^\[portal\] rules\[0\]"):
            Portal(rules=(rule,))

    @pytest.mark.parametrize("path", ["/", "/login", "/static/", "/a/b.c", "/Grüße/", "/a b"])
    def test_any_decoded_path_is_one(self, path: str) -> None:
        assert Portal(rules=(PathRule(kind="public", path=path),)).rules[0].path == path


class TestPortal:
    @pytest.mark.parametrize(
        "url",
        [
            "//evil.example/login",
            "/login?next={target}",
            "/login?next={",
            "/log in",
            "/login\\x",
            "/login\r\nX: y",
            "login",
            "javascript:alert(1)",
            "https://user@sso.example.org/{next}",
        ],
    )
    def test_a_sign_in_url_leads_where_it_says(self, url: str) -> None:
        with pytest.raises(SettingsError, match=r"^\[portal\] sign_in_url"):
            Portal(sign_in_url=url)

    @pytest.mark.parametrize(
        "url", ["", "/login", "/login?next={next}", "https://sso.example.org/start?rd={next}"]
    )
    def test_a_sign_in_url_is_a_path_or_an_address(self, url: str) -> None:
        assert Portal(sign_in_url=url).sign_in_url == url

    @pytest.mark.parametrize(
        "carrier",
        ["token", "cookie:", "body:token", "cookie:a b", "cookie:__Host-mfa_gate", "cookie:mfa_gate_pending",
         "header:X Y", "header:Authorization", "header:cookie",
         "header:MFA-Gate-Device", "query:a b", "query:"],
    )  # fmt: skip
    def test_a_credential_is_named_by_kind_and_name(self, carrier: str) -> None:
        with pytest.raises(SettingsError, match=r"^\[portal\] credentials"):
            Portal(credentials=(carrier,))

    @pytest.mark.parametrize("origin", ["*", "null", "https://app.example.org/x", "app.example.org"])
    def test_an_origin_is_one_host(self, origin: str) -> None:
        with pytest.raises(SettingsError, match=r"^\[portal\] cors_origins"):
            Portal(cors_origins=(origin,))


class TestStore:
    @pytest.mark.parametrize(
        ("url", "path"),
        [
            ("sqlite:///var/lib/gate.db", "/var/lib/gate.db"),
            ("sqlite:////var/lib/gate.db", "/var/lib/gate.db"),
            ("sqlite:/var/lib/gate.db", "/var/lib/gate.db"),
            ("sqlite:data/gate.db", "data/gate.db"),
        ],
    )
    def test_an_sqlite_url_names_a_file(self, url: str, path: str) -> None:
        assert Store(url=url).path == Path(path)

    @pytest.mark.parametrize(
        "url",
        ["", "gate.db", "sqlite:", "sqlite://", "sqlite:///", "sqlite://host/x.db", "sqlite:///a/b?mode=ro",
         "sqlite:///a/b/", "sqlite:///gate.db", "postgres://h/x", "redis:/localhost", "sqlite:///a\0b/c"],
    )  # fmt: skip
    def test_any_other_is_refused(self, url: str) -> None:
        with pytest.raises(SettingsError, match=r"^\[store\] url = "):
            Store(url=url)

    def test_a_later_one_is_called_later(self) -> None:
        with pytest.raises(SettingsError, match="not available in this version"):
            Store(url="redis+cluster://a.example.org:6379,b.example.org:6379")

    def test_a_redis_url_names_a_server_and_no_file(self) -> None:
        store = Store(url="redis://gate:hunter2@store.example.org/3")
        assert store.redis
        assert (store.redis.host, store.redis.db) == ("store.example.org", 3)
        assert str(store) == "redis://store.example.org:6379/3"
        assert "hunter2" not in repr(store)


class TestAnchor:
    @pytest.mark.parametrize(
        "syslog",
        ["udp://log.example.org", "tcp://10.0.0.5:601", "tls://log.example.org:6514", "udp://[::1]:514"],
    )
    def test_a_syslog_server_may_listen(self, syslog: str) -> None:
        assert Anchor(path=Path("/a/b"), syslog=syslog).syslog == syslog

    @pytest.mark.parametrize("webhook", ["https://hooks.example.org/x?y=1", "http://localhost:8080/"])
    def test_a_webhook_may(self, webhook: str) -> None:
        assert Anchor(path=Path("/a/b"), webhook=webhook).webhook == webhook

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("syslog", "log.example.org"),
            ("syslog", "http://log.example.org"),
            ("syslog", "udp://"),
            ("syslog", "udp://log.example.org:0"),
            ("syslog", "udp://log.example.org:99999"),
            ("syslog", "udp://user@log.example.org"),
            ("syslog", "tls://log.example.org/path"),
            ("webhook", "hooks.example.org"),
            ("webhook", "http://hooks.example.org/"),
            ("webhook", "ftp://hooks.example.org/"),
            ("webhook", "https://user:pw@hooks.example.org/"),
            ("webhook", "https://hooks.example.org/a b"),
        ],
    )
    def test_others_may_not(self, key: str, value: str) -> None:
        with pytest.raises(SettingsError, match=rf"^\[anchor\] {key} = "):
            replace(Anchor(path=Path("/a/b")), **{key: value})

    @pytest.mark.parametrize("key", ["syslog", "webhook"])
    def test_who_only_listens_proves_nothing_alone(self, key: str) -> None:
        with pytest.raises(SettingsError, match="needs path beside it"):
            replace(Anchor(), **{key: "tls://log.example.org"})


class TestSources:
    @pytest.mark.parametrize(
        "name",
        ["", "X User", "X_User", "Cookie", "host", "X-Forwarded-For", "MFA-Gate-User", "a-b-c-d-e-f-g-h-i-j"],
    )
    def test_a_header_of_ours_or_of_http_names_nobody(self, name: str) -> None:
        with pytest.raises(SettingsError, match=r"^\[\[identity\]\] header: name = "):
            HeaderUser(name=name)

    @pytest.mark.parametrize(
        "name", ["X-Remote-User", "Remote-User", "X-Forwarded-User", "X-Auth-Request-User"]
    )
    def test_the_usual_headers_are_usable(self, name: str) -> None:
        assert HeaderUser(name=name).name == name

    def test_one_header_says_one_thing(self) -> None:
        with pytest.raises(SettingsError, match="two settings of this source name the same header"):
            HeaderUser(name="X-User", email_header="x-user")

    @pytest.mark.parametrize("realm", ["", "a@b", "a b", "x" * 65, "a\0"])
    @pytest.mark.parametrize("make", [RemoteUser, HeaderUser, flask])
    def test_a_realm_is_a_plain_word(self, realm: str, make: Callable[..., SourceSettings]) -> None:
        with pytest.raises(SettingsError, match="realm"):
            make(realm=realm)

    @pytest.mark.parametrize(
        "changes",
        [{"field": ""}, {"field": "user."}, {"field": "a..b"}, {"cookie": "a b"}, {"cookie": "mfa_gate"},
         {"max_age": 0}, {"salt": ""},
         {"session_id_field": ".sid"}],
    )  # fmt: skip
    def test_a_session_source_says_where_to_look(self, changes: dict[str, object]) -> None:
        with pytest.raises(SettingsError, match=r"^\[\[identity\]\] flask_session: "):
            flask(**changes)

    @pytest.mark.parametrize(
        "pair",
        [
            (RemoteUser(), RemoteUser()),
            (HeaderUser(), HeaderUser(name="x-remote-user")),
            (FlaskSession(secret=SECRET, field="a"), StarletteSession(secret=SECRET, field="b")),
        ],
    )
    def test_two_do_not_read_the_same(self, pair: tuple[SourceSettings, ...]) -> None:
        with pytest.raises(SettingsError, match="two sources read the same thing"):
            settings(identity=pair)

    def test_one_realm_has_one_way_of_spelling(self) -> None:
        with pytest.raises(SettingsError, match="says the opposite"):
            settings(identity=(RemoteUser(), HeaderUser(case_insensitive=True)))
        settings(identity=(RemoteUser(), HeaderUser(case_insensitive=True, realm="sso")))


def somebody(subject: str, realm: str = "portal", *groups: str) -> Identity:
    return Identity(source="remote_user", realm=realm, subject=subject, groups=groups)


class TestAdmin:
    def test_a_plain_name_is_an_account(self) -> None:
        found = settings(admin=Admin(admins=("root",), help_desk=("help",)))
        assert found.is_admin(somebody("root")) == "admin"
        assert found.is_admin(somebody("help")) == "help_desk"
        assert found.is_admin(somebody("alice")) is None
        account = Account(id=account_id("portal", "root"), realm="portal", subject="root")
        assert found.is_admin(account) == "admin"

    def test_the_same_name_in_another_realm_is_somebody_else(self) -> None:
        sources = (RemoteUser(), HeaderUser(realm="partners"))
        found = settings(identity=sources, admin=Admin(admins=("user:root@portal",)))
        assert found.is_admin(somebody("root")) == "admin"
        assert found.is_admin(somebody("root", "partners")) is None

    def test_a_plain_name_is_refused_where_it_could_be_two_people(self) -> None:
        with pytest.raises(SettingsError, match=r"^\[admin\] admins = \"root\": there are several realms"):
            settings(identity=(RemoteUser(), HeaderUser(realm="partners")), admin=Admin(admins=("root",)))

    def test_a_group_counts_in_its_realm_only(self) -> None:
        sources = (RemoteUser(), HeaderUser(realm="partners"))
        found = settings(identity=sources, admin=Admin(help_desk=("group:staff@portal",)))
        assert found.is_admin(somebody("x", "portal", "nurses", "staff")) == "help_desk"
        assert found.is_admin(somebody("x", "partners", "staff")) is None
        assert found.is_admin(somebody("x", "portal", "Staff")) is None

    def test_a_mail_address_is_a_plain_name(self) -> None:
        found = settings(admin=Admin(admins=("root@example.org",)))
        assert found.is_admin(somebody("root@example.org")) == "admin"
        assert found.is_admin(somebody("root")) is None

    def test_more_power_wins(self) -> None:
        assert settings(admin=Admin(admins=("a",), help_desk=("a",))).is_admin(somebody("a")) == "admin"

    def test_those_who_are_named_one_by_one(self) -> None:
        entries = ("user:root@portal", "group:staff@portal", "user:Eve@partners")
        found = settings(identity=(RemoteUser(), HeaderUser(realm="partners")), admin=Admin(admins=entries))
        assert found.named_admins == (account_id("portal", "root"), account_id("partners", "eve"))
        assert settings(admin=Admin(admins=("root@x",))).named_admins == (account_id("portal", "root@x"),)

    @pytest.mark.parametrize(
        "entry", ["", " root", "root\n", "group:staff", "group:staff@nowhere", "user:@portal"]
    )
    def test_an_entry_that_names_nobody_is_refused(self, entry: str) -> None:
        with pytest.raises(SettingsError, match=r"^\[admin\] admins"):
            settings(admin=Admin(admins=(entry,)))


class TestClients:
    @pytest.mark.parametrize(
        ("rule", "named"),
        [
            (ClientRule(kind="mobile"), r"\[\[clients\]\] 1 = \"mobile\": name a header"),
            (ClientRule(kind="mobile", path="/a", value="x"), r"\[\[clients\]\] 1: value"),
            (ClientRule(kind="mobile", header="X Client"), r"\[\[clients\]\] 1: header"),
            (ClientRule(kind="mobile", header="Cookie"), r"\[\[clients\]\] 1: header"),
            (ClientRule(kind="desktop", header="mfa_gate_device"), r"\[\[clients\]\] 1: header"),
            (ClientRule(kind="desktop", path="sync"), r"\[\[clients\]\] 1: path"),
            (ClientRule(kind="desktop", user_agent="App/ "), r"\[\[clients\]\] 1: user_agent"),
        ],
    )
    def test_an_entry_by_which_nothing_can_be_told_is_refused(self, rule: ClientRule, named: str) -> None:
        with pytest.raises(SettingsError, match=f"^{named}"):
            settings(clients=(rule,))

    def test_an_entry_is_read_from_the_file(self) -> None:
        data = {
            "public_url": "http://localhost:8000",
            "identity": [{"source": "remote_user"}],
            "store": {"url": "sqlite:///var/lib/gate.db"},
            "clients": [{"kind": "desktop", "user_agent": "ExampleDesktop/"}],
        }
        found = Settings.from_mapping(data, Path("/"), {})
        assert found.clients == (ClientRule(kind="desktop", user_agent="ExampleDesktop/"),)
