"""Every page: sound, named, escaped, translated, with nothing inline."""

import re
from html.parser import HTMLParser

import msgspec
import pytest

from mfa_gate.web import translations
from mfa_gate.web.admin_views import AdminAct, AdminUser, AdminUsers, ExemptionShown, UserLine
from mfa_gate.web.rendering import TEMPLATES, Renderer
from mfa_gate.web.views import AccountSettings, Chrome, HistoryLine, SessionLine, SetupDone, Verify, Way
from tests.web import samples
from tests.web.pseudo import LANGUAGE as PSEUDO
from tests.web.pseudo import PseudoTranslations

HOSTILE = "<img src=x onerror=alert(1)>\"'</script>{{ 7*7 }}\u202egnp.exe"
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
FLAGS = {
    "autofocus",
    "checked",
    "data-again",
    "data-print",
    "hidden",
    "novalidate",
    "open",
    "popover",
    "selected",
}
NOT_OURS = {
    "Questions? Ask the help desk",
    "alice · alice@example.test staff billing",
    "Lost phone, called back at the number on file",
    "Two weeks for everybody",
    "Hardware key ordered, arrives next week",
    "Alice's phone with a name that somebody made as long as they could, to see what is cut off",
    # The detail of a refusal is in English, for whoever is asked for help.
    "The path cannot be judged: an empty segment. Ask for it in its plain form.",
    "Esther Bartholomew-Featherstonehaugh of the Department of Long and Windy Names",
}
SHAPES = {"path", "rect", "circle"}


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(samples.CHROME, translations.load_translations() | {PSEUDO: PseudoTranslations()})


def rendered(renderer: Renderer, name: str, language: str = "en") -> str:
    page = msgspec.structs.replace(samples.page_of(name), language=language)
    return renderer.render(samples.VIEWS[name], page=page)


class Outline(HTMLParser):
    """Collects what a browser would find, and complains about tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.named: list[tuple[str, str]] = []
        self._texts: list[list[str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice on {tag}"
        assert re.sub(r'="[^"]*"(?=[\s/>])', "", self.get_starttag_text() or "").count('"') == 0, (
            "attributes run together"
        )
        assert {name for name, value in attrs if value is None} <= FLAGS
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID | SHAPES:
            self.open.append(tag)
            self._texts.append([])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in SHAPES:
            return
        assert self.open.pop() == tag
        text = "".join(self._texts.pop())
        if self._texts:
            self._texts[-1].append(text)
        self.named.append((tag, " ".join(text.split())))

    def handle_data(self, data: str) -> None:
        if self._texts:
            self._texts[-1].append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_every_view_has_a_template_and_a_sample() -> None:
    assert {type(view) for view in samples.VIEWS.values()} == set(TEMPLATES)


@pytest.mark.parametrize("language", ["en", "de", PSEUDO])
@pytest.mark.parametrize("name", samples.VIEWS)
def test_every_page_is_sound(renderer: Renderer, name: str, language: str) -> None:
    html = rendered(renderer, name, language)
    outline = Outline(html)

    assert html.startswith("<!doctype html>\n")
    assert outline.all("html") == [{"lang": language, "dir": "rtl" if language == PSEUDO else "ltr"}]
    assert len(outline.all("h1")) == len(outline.all("main")) == len(outline.all("title")) == 1
    ids = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in outline.elements:
        for reference in ("for", "aria-describedby", "aria-labelledby", "popovertarget", "data-copy"):
            assert set((attributes.get(reference) or "").split()) <= set(ids)
    fields = {
        a.get("id") for a in outline.all("input") + outline.all("select") if a.get("type") != "hidden"
    } - {None}
    assert fields <= {a.get("for") for a in outline.all("label")}
    assert all("alt" in attributes for attributes in outline.all("img"))
    assert all(
        text
        for tag, text in outline.named
        if tag in {"button", "a", "h1", "h2", "h3", "label", "th", "title"}
    )


@pytest.mark.parametrize("name", samples.VIEWS)
def test_nothing_is_inline_and_nothing_comes_from_another_host(renderer: Renderer, name: str) -> None:
    outline = Outline(rendered(renderer, name))

    for tag, attributes in outline.elements:
        assert tag not in {"style", "iframe", "object", "embed", "base"}
        assert not any(key == "style" or key.startswith("on") for key in attributes)
        assert tag != "script" or (attributes["src"] or "").startswith("/mfa/static/")
        for key in ("src", "href") if tag in {"img", "script", "link"} else ():
            assert (attributes.get(key) or "/mfa/static/").startswith("/mfa/static/")


@pytest.mark.parametrize("name", samples.VIEWS)
def test_every_form_stays_below_the_mount_and_carries_the_token(renderer: Renderer, name: str) -> None:
    html = rendered(renderer, name)

    for form in re.findall(r"<form.*?</form>", html, re.DOTALL):
        assert 'action="/mfa/' in form
        assert ('method="get"' in form) or ('name="csrf" value="token-of-the-form"' in form)
        assert 'name="next"' not in form or name.startswith("verify")


@pytest.mark.parametrize(
    ("name", "controls"),
    [
        ("setup-choose", ["Continue", "Sign out"]),
        ("setup-choose-both", ["Continue", "Later", "I have no phone"]),
        ("setup-scan", ["Code", "Continue", "Copy"]),
        ("setup-codes", ["I have saved these codes", "Copy", "Download", "Print"]),
        ("setup-done", ["Continue to Example Files"]),
        ("verify", ["Code", "Continue", "Use a recovery code", "Sign out"]),
        ("verify-recovery", ["Code", "Continue", "Use your authenticator app"]),
        ("confirm-new-codes", ["Code", "Continue", "Cancel"]),
        ("account-by-choice", ["Code", "Turn off two-step", "Make new ones", "Replace Authenticator app"]),
        ("account-off", ["Set up two-step"]),
        ("admin-policies-off", ["Require Two-Step Authentication", "Save"]),
        ("admin-policies-on", ["Require Two-Step Authentication", "Code", "Save"]),
        ("admin-users", ["2FA Status", "Search", "Next page"]),
        ("admin-user", ["Reset Two-Step Authentication", "Sign out everywhere"]),
        ("admin-user-exempt", ["Change exemption…", "End exemption"]),
        ("admin-act-reset", ["Reason", "Reset two-step for Alice Moreau", "Cancel"]),
        ("admin-act-exempt", ["Exempt until", "Reason", "Code", "Exempt Carol Nguyen", "Cancel"]),
    ],
)
def test_controls_have_the_names_that_people_and_tests_look_for(
    renderer: Renderer, name: str, controls: list[str]
) -> None:
    named = [
        text
        for tag, text in Outline(rendered(renderer, name)).named
        if tag in {"button", "a", "label", "th", "summary"}
    ]

    assert [control for control in controls if named.count(control) != 1] == []


@pytest.mark.parametrize("name", samples.VIEWS)
def test_one_sign_out_and_at_most_one_field_for_a_code(renderer: Renderer, name: str) -> None:
    named = Outline(rendered(renderer, name)).named

    assert [text for tag, text in named if tag == "button" and text.lower() == "sign out"] == ["Sign out"]
    assert [text for tag, text in named if tag == "label" and text == "Code"].count("Code") <= 1


def test_a_code_can_be_pasted_and_filled_in_by_the_phone(renderer: Renderer) -> None:
    [field] = [a for a in Outline(rendered(renderer, "verify")).all("input") if a.get("name") == "code"]

    assert field["autocomplete"] == "one-time-code"
    assert field["inputmode"] == "numeric"
    assert int(field["maxlength"] or 0) >= 20


def test_an_error_is_tied_to_its_field_and_named_in_the_title(renderer: Renderer) -> None:
    html = rendered(renderer, "verify-wrong")
    [field] = [a for a in Outline(html).all("input") if a.get("name") == "code"]

    assert "<title>Error: Confirm it's you · Example Files</title>" in html
    assert field["aria-invalid"] == "true"
    assert (field["aria-describedby"] or "").split() == ["code-problem"]
    assert "autofocus" in field
    assert "check that your phone's clock is set automatically" in html


def test_what_people_typed_is_shown_and_does_nothing() -> None:
    views = (
        AccountSettings(
            on=True,
            ways=(Way(id=HOSTILE, kind="totp", name=HOSTILE, added_at=0, may_replace=True),),
            sessions=(SessionLine(id=HOSTILE, browser=HOSTILE, where=HOSTILE, started_at=0),),
        ),
        Verify(step_up_for=HOSTILE),
        SetupDone(continue_url="/x?" + HOSTILE, continue_text=HOSTILE),
        AdminUsers(
            chips=(),
            lines=(
                UserLine(id="x", href="/x", name=HOSTILE, email=HOSTILE, status="missing", groups=(HOSTILE,)),
            ),
            query=HOSTILE,
        ),
        AdminUsers(chips=(), lines=(), query=HOSTILE),
        AdminAct(
            act="exempt",
            id=HOSTILE,
            name=HOSTILE,
            revision=HOSTILE,
            session=SessionLine(id=HOSTILE, browser=HOSTILE, where=HOSTILE, started_at=0),
            until=HOSTILE,
            until_wrong=True,
            reason=HOSTILE,
            reason_missing=True,
        ),
        AdminUser(
            id=HOSTILE,
            name=HOSTILE,
            email=HOSTILE,
            subject=HOSTILE,
            status="enrolled",
            required=True,
            because="group",
            because_group=HOSTILE,
            exemption=ExemptionShown(until=9, reason=HOSTILE, approved_by=HOSTILE, given_at=0),
            history=(
                HistoryLine(
                    at=0,
                    kind="reset",
                    actor=HOSTILE,
                    person=HOSTILE,
                    where=HOSTILE,
                    facts={"reason": HOSTILE},
                ),
                HistoryLine(at=0, kind=HOSTILE, actor=HOSTILE, person=HOSTILE, facts={HOSTILE: HOSTILE}),
            ),
        ),
    )
    renderer = Renderer(Chrome(name=HOSTILE, help_text=HOSTILE))
    for view in views:
        html = renderer.render(
            view, page=msgspec.structs.replace(samples.ADMIN_PAGE, csrf=HOSTILE, person=HOSTILE)
        )

        assert "<img src=x" not in html
        assert "</script>{{" not in html
        assert "49" not in re.sub(r"&#\d+;", "", html)
        assert "&lt;img src=x" in html
        Outline(html)


def test_observe_mode_is_said_on_every_admin_page(renderer: Renderer) -> None:
    for name, view in samples.ADMIN_VIEWS.items():
        observing = msgspec.structs.replace(samples.page_of(name), observing=True)
        assert "Nothing is enforced." in renderer.render(view, page=observing)
        assert "Nothing is enforced." not in rendered(renderer, name)


def test_tabs_are_for_administrators(renderer: Renderer) -> None:
    settings = samples.VIEWS["account-required"]

    assert 'class="tabs"' not in renderer.render(settings, page=samples.PAGE)
    assert 'class="tabs"' in renderer.render(settings, page=samples.ADMIN_PAGE)


def test_a_stranger_is_not_offered_to_sign_out(renderer: Renderer) -> None:
    page = msgspec.structs.replace(samples.PAGE, person=None)

    assert "Sign out" not in renderer.render(samples.VIEWS["sign-in-required"], page=page)


def test_moments_are_exact_for_machines_and_words_for_people(renderer: Renderer) -> None:
    html = rendered(renderer, "verify-paused")

    assert '<time datetime="2026-03-14T14:36:32Z" data-style="clock">14:36 UTC</time>' in html


def test_full_coverage_is_not_claimed_a_person_early(renderer: Renderer) -> None:
    view = msgspec.structs.replace(samples.VIEWS["admin-overview"], enrolled=99_999, paused=0, people=100_000)

    html = renderer.render(view, page=samples.ADMIN_PAGE)

    assert ">99.9%<" in html
    assert "99,999" in html


def test_an_unknown_language_is_shown_in_english(renderer: Renderer) -> None:
    assert '<html lang="en" dir="ltr">' in rendered(renderer, "verify", "xx")


def test_a_logo_and_the_root_path_are_used() -> None:
    renderer = Renderer(Chrome(name="Files", logo_url="/static/logo.svg"))

    html = renderer.render(Verify(), page=msgspec.structs.replace(samples.PAGE, mount="/portal/mfa"))

    assert '<img class="logo" src="/static/logo.svg" alt="">' in html
    assert 'action="/portal/mfa/verify"' in html
    assert '"/mfa/' not in html


def test_a_malformed_accent_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="accent = 'red;}'"):
        Renderer(Chrome(name="Files", accent="red;}"))


def test_in_german_nothing_is_left_in_english(renderer: Renderer) -> None:
    # Sentences of more than two words that read the same in both languages would be a missing translation.
    for name in samples.VIEWS:
        english = {
            text for tag, text in Outline(rendered(renderer, name)).named if tag in {"p", "h1", "h2", "label"}
        }
        german = {
            text
            for tag, text in Outline(rendered(renderer, name, "de")).named
            if tag in {"p", "h1", "h2", "label"}
        }
        same = {text for text in english & german if re.search(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}", text)}
        assert same <= NOT_OURS
