"""From file and environment to a value, and what is said when that fails."""

from pathlib import Path

import pytest

from mfa_gate.core.errors import SettingsError
from mfa_gate.core.policy import PathRule
from mfa_gate.settings import FlaskSession, HeaderUser, RemoteUser, Secret, Settings

SECRET = "7f1c9e0b64a84b0f9a0c"
BASE = Path("/etc/mfa-gate")
ENVIRON = {"PORTAL_SECRET": SECRET}
FLASK = {"source": "flask_session", "secret": "env:PORTAL_SECRET", "field": "user"}


def data(**changes: object) -> dict[str, object]:
    smallest = {
        "public_url": "https://portal.example.org",
        "identity": [FLASK],
        "store": {"url": "sqlite:///var/lib/mfa-gate/gate.db"},
    }
    return smallest | changes


def read(environ: dict[str, str] | None = None, **changes: object) -> Settings:
    return Settings.from_mapping(data(**changes), BASE, ENVIRON | (environ or {}))


def refusal(environ: dict[str, str] | None = None, **changes: object) -> str:
    with pytest.raises(SettingsError) as caught:
        read(environ, **changes)
    text = str(caught.value)
    assert SECRET not in text
    return text


def test_the_smallest_settings_have_the_documented_defaults() -> None:
    settings = read()
    assert (settings.mount, settings.mode, settings.trusted_proxies) == ("/mfa", "enforce", ())
    assert settings.identity == (FlaskSession(secret=Secret(SECRET), field="user"),)
    assert settings.admin.setup_code
    assert not settings.portal.headers


def test_everything_of_the_reference_is_read() -> None:
    settings = read(
        mode="observe",
        trusted_proxies=["10.0.0.5", "2001:db8::/32"],
        portal={
            "rules": [
                {"kind": "sign_in", "path": "/login", "methods": ["POST"]},
                {"kind": "step_up", "path": "/admin/", "max_age": 300},
            ],
            "sign_in_url": "/login?next={next}",
            "credentials": ["cookie:remember_token", "header:X-Api-Key", "query:token"],
            "cors_origins": ["https://App.example.org:443"],
            "headers": True,
        },
        identity=[FLASK, {"source": "header", "groups_header": "X-Groups"}, {"source": "remote_user"}],
        admin={"admins": ["root", "group:staff@portal"], "setup_code": False},
        anchor={"path": "anchor"},
        keys={"file": "/keys/ring"},
        mail={"dir": "mail"},
    )
    assert settings.portal.rules == (
        PathRule(kind="sign_in", path="/login", methods=("POST",)),
        PathRule(kind="step_up", path="/admin/", max_age=300),
    )
    assert settings.portal.credentials == ("cookie:remember_token", "header:x-api-key", "query:token")
    assert settings.portal.cors_origins == ("https://app.example.org",)
    assert settings.trusted_proxies == ("10.0.0.5/32", "2001:db8::/32")
    assert settings.identity[1:] == (HeaderUser(groups_header="X-Groups"), RemoteUser())
    assert settings.anchor.path == BASE / "anchor"
    assert settings.keys.file == Path("/keys/ring")
    assert settings.mail.dir == BASE / "mail"
    assert not settings.admin.setup_code


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"publik_url": "x"}, "publik_url is not a setting. Did you mean public_url?"),
        ({"portal": {"rule": []}}, "[portal] rule is not a setting. Did you mean rules?"),
        (
            {"identity": [FLASK | {"sercet": 1}]},
            "[[identity]] 1: sercet is not a setting. Did you mean secret or source?",
        ),
        (
            {"portal": {"rules": [{"kind": "public", "path": "/a", "methds": []}]}},
            "[portal] rules[0].methds is not a setting. Did you mean methods?",
        ),
        ({"admin": {"zzz": 1}}, "[admin] zzz is not a setting. Known here: admins, help_desk, setup_code."),
        ({"mode": "enforced"}, 'mode = "enforced": write one of enforce, observe.'),
        ({"mode": True}, "mode = True: write one of enforce, observe."),
        ({"tls": "yes"}, 'tls = "yes": write one of in-front.'),
        ({"name": 3}, "name = 3: write a text, in quotes."),
        ({"trusted_proxies": "10.0.0.1"}, 'trusted_proxies = "10.0.0.1": write a list, in square brackets.'),
        ({"portal": {"headers": "true"}}, '[portal] headers = "true": write true or false, without quotes.'),
        ({"portal": "x"}, 'portal = "x": write a table'),
        ({"identity": [FLASK | {"max_age": "5"}]}, '[[identity]] 1: max_age = "5": write a whole number'),
        ({"identity": [FLASK | {"max_age": True}]}, "[[identity]] 1: max_age = True: write a whole number"),
        ({"identity": ["x"]}, 'identity[0] = "x": write a table'),
        (
            {"identity": [{"secret": "env:PORTAL_SECRET"}]},
            "[[identity]] 1: source is missing. Write one of flask_",
        ),
        (
            {"identity": [{"source": "oidc"}]},
            '[[identity]] 1: source = "oidc": not available in this version. Write one of flask_session, header,',
        ),
        (
            {"identity": [{"source": "flask_session", "field": "u"}]},
            '[[identity]] 1: secret is missing. Write "env:',
        ),
        ({"store": {}}, '[store] url is missing. Write "sqlite:///path" or "redis://host:6379/0".'),
        ({"oidc": {"providers": []}}, "[oidc] is not available in this version"),
        ({"keys": {"file": 3}}, "[keys] file = 3: write a path, in quotes."),
        (
            {"portal": {"rules": [{"kind": "default", "path": "/"}]}},
            "write one of public, sign_in, sign_out, step_up",
        ),
    ],
)
def test_a_refusal_names_setting_value_and_cure(changes: dict[str, object], said: str) -> None:
    assert said in refusal(None, **changes)


@pytest.mark.parametrize("missing", ["public_url", "identity", "store"])
def test_what_has_no_default_must_be_there(missing: str) -> None:
    rest = {key: value for key, value in data().items() if key != missing}
    with pytest.raises(SettingsError, match=f"{missing} is missing"):
        Settings.from_mapping(rest, BASE, ENVIRON)


def test_any_value_may_come_from_environment_or_file(tmp_path: Path) -> None:
    (tmp_path / "name").write_text("Ward portal\n")
    environ = {"PROXIES": "10.0.0.1, 10.0.0.2", "ADMINS": '["a,b", "c"]', "AGE": "900", "HEADERS": "true"}
    settings = Settings.from_mapping(
        data(
            name="file:name",
            trusted_proxies="env:PROXIES",
            identity=[FLASK | {"max_age": "env:AGE"}],
            portal={"headers": "env:HEADERS"},
            admin={"admins": "env:ADMINS"},
        ),
        tmp_path,
        ENVIRON | environ,
    )
    assert settings.name == "Ward portal"
    assert settings.trusted_proxies == ("10.0.0.1/32", "10.0.0.2/32")
    assert settings.admin.admins == ("a,b", "c")
    assert settings.portal.headers
    assert isinstance(settings.identity[0], FlaskSession)
    assert settings.identity[0].max_age == 900


@pytest.mark.parametrize(
    ("environ", "changes", "said"),
    [
        ({}, {"name": "env:NOT_THERE"}, 'name = "env:NOT_THERE": the environment has no NOT_THERE'),
        ({"EMPTY": ""}, {"name": "env:EMPTY"}, "or it is empty. Set it."),
        ({}, {"name": "file:/not/there"}, 'name = "file:/not/there": No such file or directory.'),
        ({}, {"name": "file:/dev/null"}, "the file is empty"),
        ({}, {"name": "file:/dev/zero"}, "over 65536 bytes"),
        ({}, {"name": "file:a\0b"}, "Let it name a file"),
        ({"X": "yes"}, {"portal": {"headers": "env:X"}}, '[portal] headers = "yes": write true or false'),
        ({"X": "9" * 5000}, {"identity": [FLASK | {"max_age": "env:X"}]}, "write a whole number"),
        ({"X": "[a"}, {"trusted_proxies": "env:X"}, "trusted_proxies is not a list"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(
    environ: dict[str, str], changes: dict[str, object], said: str
) -> None:
    assert said in refusal(environ, **changes)


def test_what_a_reference_brings_is_not_a_reference_again() -> None:
    assert read({"X": "env:PORTAL_SECRET"}, name="Portal", help_text="env:X").help_text == "env:PORTAL_SECRET"


def test_a_variable_overrides_the_file() -> None:
    environ = {
        "MFA_GATE_PUBLIC_URL": "https://other.example.org",
        "MFA_GATE_STORE__URL": "sqlite:///srv/gate.db",
        "MFA_GATE_IDENTITY__0__FIELD": "account",
        "MFA_GATE_ADMIN__ADMINS": "alice,bob",
    }
    settings = read(environ)
    assert settings.public_url == "https://other.example.org"
    assert settings.store.path == Path("/srv/gate.db")
    assert settings.admin.admins == ("alice", "bob")
    assert isinstance(settings.identity[0], FlaskSession)
    assert settings.identity[0].field == "account"


def test_reading_leaves_the_callers_data_alone() -> None:
    given = data()
    Settings.from_mapping(given, BASE, ENVIRON | {"MFA_GATE_STORE__URL": "sqlite:///a/b.db"})
    assert given == data()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("MFA_GATE_MODUS", "modus is not a setting (from the environment variable MFA_GATE_MODUS)."),
        (
            "MFA_GATE_STORE__URI",
            "[store] uri is not a setting (from the environment variable MFA_GATE_STORE__URI)",
        ),
        ("MFA_GATE_IDENTITY__5__SECRET", "MFA_GATE_IDENTITY__5__SECRET overrides no setting"),
        ("MFA_GATE_MODE__X", "MFA_GATE_MODE__X"),
        ("MFA_GATE_", "MFA_GATE_ overrides no setting"),
    ],
)
def test_a_variable_of_ours_that_means_nothing_is_refused(name: str, said: str) -> None:
    assert said in refusal({name: "x"}, mode="enforce")


@pytest.mark.parametrize(
    "name",
    [
        "MFA_GATE_KEYS",
        "MFA_GATE_SETTINGS",
        "MFA_GATE_SERVICE_HOST",
        "MFA_GATE_SERVICE_PORT_HTTP",
        "MFA_GATE_PORT",
        "MFA_GATE_PORT_80_TCP_ADDR",
    ],
)
def test_variables_that_others_read_or_a_cluster_sets_override_nothing(name: str) -> None:
    assert read({name: "x"}) == read()


def test_a_variable_that_the_file_refers_to_overrides_nothing_else() -> None:
    environ = {"MFA_GATE_SECRET_OF_PORTAL": SECRET}
    source = FLASK | {"secret": "env:MFA_GATE_SECRET_OF_PORTAL"}
    assert isinstance(read(environ, identity=[source]).identity[0], FlaskSession)


class TestSecrets:
    def test_a_secret_does_not_stand_in_the_file(self) -> None:
        said = refusal(identity=[FLASK | {"secret": SECRET}])
        assert '[[identity]] 1: secret = "(not shown)": a secret does not stand in this file' in said

    @pytest.mark.parametrize("written", [[SECRET], SECRET], ids=["list", "text"])
    def test_nor_in_a_list_of_them(self, written: object) -> None:
        assert "[[identity]] 1: fallback_secrets" in refusal(identity=[FLASK | {"fallback_secrets": written}])

    def test_nor_in_what_is_not_built_yet(self) -> None:
        assert "[oidc] is not" in refusal(oidc={"clients": [{"secret": SECRET}]})

    def test_it_may_be_any_bytes(self, tmp_path: Path) -> None:
        raw = b'\x00\xff_5#y2L"F4Q8z\n\xec]/'
        (tmp_path / "secret").write_bytes(raw + b"\n")
        settings = Settings.from_mapping(data(identity=[FLASK | {"secret": "file:secret"}]), tmp_path, {})
        assert isinstance(settings.identity[0], FlaskSession)
        assert settings.identity[0].secret.reveal() == raw

    def test_it_is_never_shown(self) -> None:
        settings = read(
            {"OLD": "an older secret of the portal"}, identity=[FLASK | {"fallback_secrets": ["env:OLD"]}]
        )
        assert SECRET not in repr(settings)
        assert "older secret" not in repr(settings)

    @pytest.mark.parametrize(
        "weak",
        ["dev", "secret", "changeme", "CHANGE-ME", "change_this", "short", "fifteen-letters", "0" * 64],
    )
    def test_f06_a_weak_one_is_refused(self, weak: str) -> None:
        said = refusal({"WEAK": weak}, identity=[FLASK | {"secret": "env:WEAK"}])
        assert "[[identity]] flask_session: secret = (not shown)" in said
        assert "at least 16 bytes" in said
        assert f"= {weak}" not in said

    def test_f06_so_is_a_weak_older_one(self) -> None:
        assert "fallback_secrets" in refusal(
            {"WEAK": "dev"}, identity=[FLASK | {"fallback_secrets": ["env:WEAK"]}]
        )


class TestFile:
    def test_paths_start_at_the_files_own_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "mfa-gate.toml"
        lines = (
            'public_url = "http://localhost"',
            'identity = [{source = "remote_user"}]',
            'store.url = "sqlite:gate.db"',
        )
        file.write_text("\n".join(lines))
        monkeypatch.chdir(tmp_path)
        assert Settings.from_toml("mfa-gate.toml").store.path == tmp_path / "gate.db"

    def test_a_missing_one_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match=r"there is no settings file .*absent\.toml.*mfa-gate init"):
            Settings.from_toml(tmp_path / "absent.toml")

    def test_a_broken_one_names_the_line(self, tmp_path: Path) -> None:
        file = tmp_path / "mfa-gate.toml"
        file.write_text("mode = enforce\n")
        with pytest.raises(SettingsError, match=r"is not TOML: .*line 1"):
            Settings.from_toml(file)

    def test_bytes_that_are_no_text_are_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "mfa-gate.toml"
        file.write_bytes(b'name = "\xff"\n')
        with pytest.raises(SettingsError, match="is not TOML"):
            Settings.from_toml(file)

    def test_a_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="Is a directory"):
            Settings.from_toml(tmp_path)
