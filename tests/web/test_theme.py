"""Colors: readable, whatever accent an organization has."""

import re
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfa_gate.web.theme import DARK_SURFACES, LIGHT_SURFACES, contrast, parse_color, theme_css

STYLE = (files("mfa_gate.web") / "static" / "gate.css").read_text(encoding="utf-8")
ON_SURFACE = ("ink", "soft", "good", "warn", "bad")
DARK_AT = "@media screen and (prefers-color-scheme: dark)"


def tokens(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", css))


def modes(css: str) -> tuple[dict[str, str], dict[str, str]]:
    light, _, dark = css.partition(DARK_AT)
    return tokens(light), tokens(light) | tokens(dark.partition("\n}\n")[0])


def test_the_surfaces_are_those_of_the_style_sheet() -> None:
    light, dark = modes(STYLE)

    assert [parse_color(light[name]) for name in ("surface", "page")] == list(LIGHT_SURFACES)
    assert [parse_color(dark[name]) for name in ("surface", "page")] == list(DARK_SURFACES)


@pytest.mark.parametrize("mode", [0, 1])
@pytest.mark.parametrize("name", ON_SURFACE)
def test_words_are_readable_on_every_surface(name: str, mode: int) -> None:
    colors = modes(STYLE)[mode]

    grounds = ["surface", "page", "sunken"] + ([f"{name}-soft"] if f"{name}-soft" in colors else [])
    assert all(contrast(parse_color(colors[name]), parse_color(colors[ground])) >= 4.5 for ground in grounds)


@pytest.mark.parametrize("mode", [0, 1])
def test_the_edge_of_a_field_can_be_seen(mode: int) -> None:
    colors = modes(STYLE)[mode]

    assert contrast(parse_color(colors["edge"]), parse_color(colors["surface"])) >= 3
    assert contrast(parse_color(colors["bad"]), parse_color(colors["bad-ink"])) >= 4.5


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_any_accent_gives_readable_words(color: tuple[int, int, int]) -> None:
    light, dark = modes(theme_css("#{:02x}{:02x}{:02x}".format(*color)))

    for colors, surfaces in ((light, LIGHT_SURFACES), (dark, DARK_SURFACES)):
        assert contrast(parse_color(colors["accent-ink"]), parse_color(colors["accent"])) >= 4.5
        assert contrast(parse_color(colors["accent-ink"]), parse_color(colors["accent-hover"])) >= 4.5
        assert all(contrast(parse_color(colors["accent-text"]), surface) >= 4.5 for surface in surfaces)
        assert contrast(parse_color(colors["accent-text"]), parse_color(colors["accent-soft"])) >= 4.5


def test_short_and_long_form_are_the_same_color() -> None:
    assert theme_css("#F0a") == theme_css("#ff00aa")


@pytest.mark.parametrize(
    "text", ["", "red", "#12", "#1234567", "#ggg", "2f5bd8", "#2f5bd8;} body{display:none", "#fff\n"]
)
def test_anything_else_is_refused_with_a_cure(text: str) -> None:
    with pytest.raises(ValueError, match="write a color as #rrggbb"):
        theme_css(text)


def test_black_on_white_is_the_whole_range() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
