"""Finds the catalog for a reader; it knows no request and no page."""

from collections.abc import Iterable
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from typing import Literal

SOURCE_LANGUAGE = "en"
_RIGHT_TO_LEFT = frozenset({"ar", "dv", "fa", "he", "ku", "ps", "sd", "ug", "ur", "yi"})


def load_translations() -> dict[str, NullTranslations]:
    """Every language that pages can be shown in; the words of the source need no catalog."""
    found: dict[str, NullTranslations] = {SOURCE_LANGUAGE: NullTranslations()}
    for folder in (files("mfa_gate.web") / "locale").iterdir():
        catalog = folder / "LC_MESSAGES" / "mfa_gate.mo"
        if catalog.is_file():
            with catalog.open("rb") as stream:
                found[folder.name] = GNUTranslations(stream)
    return found


def direction(language: str) -> Literal["ltr", "rtl"]:
    """Which way the language is written."""
    return "rtl" if language.partition("-")[0] in _RIGHT_TO_LEFT else "ltr"


def choose_language(accept_language: str, available: Iterable[str]) -> str:
    """The available language that the header `Accept-Language` likes best (RFC 9110 §12.5.4), else English."""
    known = {language.lower(): language for language in available}
    for wanted in _by_weight(accept_language):
        for candidate in (wanted, wanted.partition("-")[0]):
            if candidate in known:
                return known[candidate]
    return SOURCE_LANGUAGE


def _by_weight(header: str) -> list[str]:
    weighted: list[tuple[float, int, str]] = []
    for place, part in enumerate(header[:1000].split(",")):
        name, _, weight = part.partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if quality > 0:
            weighted.append((-quality, place, name.strip().lower()))
    return [name for _, _, name in sorted(weighted)]
