"""Static files: found by name and version, and by nothing else."""

import re
from importlib.resources import files

import pytest

from mfa_gate.web.assets import may_be_kept, static_asset, static_url


def test_the_address_carries_a_version_and_leads_back_to_the_file() -> None:
    address = static_url("gate.css")

    assert re.fullmatch(r"static/[0-9a-f]{12}/gate\.css", address)
    name = address.removeprefix("static/")
    assert static_asset(name) == static_asset("gate.css")
    assert may_be_kept(name)
    assert not may_be_kept("gate.css")
    assert not may_be_kept("0123456789ab/gate.css")


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("gate.css", "text/css; charset=utf-8"),
        ("gate.js", "text/javascript; charset=utf-8"),
        ("icons/check.svg", "image/svg+xml"),
    ],
)
def test_a_file_comes_with_its_type(name: str, content_type: str) -> None:
    asset = static_asset(name)

    assert asset is not None
    assert asset[0]
    assert asset[1] == content_type


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "..",
        "../views.py",
        "x/../../views.py",
        "icons",
        "icons/",
        "gate.css/",
        "/gate.css/x",
        "a/b/gate.css",
    ],
)
def test_nothing_else_is_found(name: str) -> None:
    assert static_asset(name) is None


def test_an_unknown_name_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        static_url("theme.css")


def test_files_name_only_files_that_exist() -> None:
    folder = files("mfa_gate.web") / "static"
    for entry in folder.iterdir():
        if entry.is_file():
            text = entry.read_text(encoding="utf-8")
            for name in re.findall(r'url\("([^"]+)"\)|from "\./([^"]+)"', text):
                assert static_asset("".join(name)) is not None
