"""Catalogs: complete, faithful and compiled."""

import re
from collections.abc import Iterator
from gettext import GNUTranslations
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from mfa_gate.web.translations import choose_language, direction, load_translations

WEB = Path(__file__).parents[2] / "src" / "mfa_gate" / "web"
CATALOGS = sorted((WEB / "locale").glob("*/LC_MESSAGES/mfa_gate.po"))
PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w+\}|</?[a-z]+[^>]*>")


def read(path: Path) -> Catalog:
    with path.open("rb") as stream:
        return read_po(stream)


def first(text: object) -> str:
    return text[0] if isinstance(text, tuple | list) else str(text)


def translated(catalog: Catalog) -> Iterator[tuple[Message, tuple[str, ...]]]:
    for message in catalog:
        if message.id:
            strings = message.string if isinstance(message.string, tuple | list) else (message.string,)
            yield message, tuple(text or "" for text in strings)


@pytest.fixture(scope="module")
def said() -> set[tuple[str | None, str]]:
    """Every message in the sources, as `scripts/translate` gathers them."""
    with (WEB / "locale" / "babel.cfg").open(encoding="utf-8") as mapping:
        methods, options = parse_mapping_cfg(mapping)  # type: ignore[no-untyped-call]
    keywords = {**DEFAULT_KEYWORDS, "N_": None, "translate": None}
    found = [
        each
        for folder in (WEB, WEB.parent / "mail")
        for each in extract_from_dir(folder, methods, options, keywords)
    ]
    return {(context, first(message)) for _, _, message, _, context in found}


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: path.parents[1].name)
def test_every_word_is_translated(path: Path, said: set[tuple[str | None, str]]) -> None:
    catalog = read(path)

    assert {(message.context, first(message.id)) for message, _ in translated(catalog)} == said
    assert [message.id for message, strings in translated(catalog) if message.fuzzy or not all(strings)] == []


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: path.parents[1].name)
def test_translations_keep_placeholders_and_markup(path: Path) -> None:
    for message, strings in translated(read(path)):
        wanted = sorted(set(PLACEHOLDER.findall(first(message.id))))
        assert [sorted(set(PLACEHOLDER.findall(text))) for text in strings] == [wanted] * len(strings)


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: path.parents[1].name)
def test_what_is_compiled_is_what_is_written(path: Path) -> None:
    with path.with_suffix(".mo").open("rb") as stream:
        compiled = GNUTranslations(stream)

    for message, strings in translated(read(path)):
        singular = first(message.id)
        if message.context:
            assert compiled.pgettext(message.context, singular) == strings[0]
        elif isinstance(message.id, tuple | list):
            assert (
                tuple(compiled.ngettext(message.id[0], message.id[1], number) for number in (1, 2)) == strings
            )
        else:
            assert compiled.gettext(singular) == strings[0]


def test_english_and_german_are_there() -> None:
    assert set(load_translations()) == {"en", "de"}


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr-CH, de;q=0.7, en;q=0.8", "en"),
        ("DE", "de"),
        ("de;q=0", "en"),
        ("en;q=0.1, de;q=high, ", "en"),
        ("*", "en"),
        ("x" * 5000 + ",de", "en"),
    ],
)
def test_the_reader_chooses_the_language(header: str, language: str) -> None:
    assert choose_language(header, ("en", "de")) == language


@pytest.mark.parametrize(
    ("language", "way"), [("en", "ltr"), ("ar", "rtl"), ("ar-x-pseudo", "rtl"), ("arn", "ltr")]
)
def test_direction(language: str, way: str) -> None:
    assert direction(language) == way
