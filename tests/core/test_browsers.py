"""What a browser is called, whatever it says of itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfa_gate.core.browsers import LONGEST, browser_name, known_browser


@pytest.mark.parametrize(
    ("says", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Safari/537.36",
            "Chrome on Android",
        ),
        ("Mozilla/5.0 Firefox/140.0", "Firefox"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "?"),
        ("a\r\n\x1b[31mb", "a\\x0d\\x0a\\x1b[31mb"),
    ],
)
def test_a_browser_is_named_as_people_know_it(says: str, name: str) -> None:
    assert browser_name(says) == name


@given(st.text())
def test_the_name_of_a_browser_is_one_short_line(says: str) -> None:
    name = browser_name(says)
    assert name.isprintable()
    assert 0 < len(name) <= LONGEST
    assert known_browser(says) in {"", name}
