"""Which paths are judged and which are refused; the names carry the ids of the attack list."""

from urllib.parse import quote, unquote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mfa_gate.core.paths import MAX_PATH_LENGTH, OddPath, canonical_path, canonical_wsgi_path, fold_path

ROOT = "/portal"


def received(raw: str, root_path: str = "") -> str | OddPath:
    """As an ASGI server passes it on: decoded leniently, what was received beside it."""
    return canonical_path(unquote(raw), raw, root_path)


def reason(verdict: str | OddPath) -> str:
    assert isinstance(verdict, OddPath), verdict
    return verdict.reason


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("/", "/"),
        ("/admin", "/admin"),
        ("/admin/", "/admin/"),
        ("/a/b.c/.well-known/..hidden/...", "/a/b.c/.well-known/..hidden/..."),
        ("/file%2Etxt", "/file.txt"),
        ("/100%25", "/100%"),
        ("/my%2520file.pdf", "/my%20file.pdf"),
        ("/a%20b+c", "/a b+c"),
        ("/stra%C3%9Fe", "/straße"),
        ("/%E6%96%87%EF%BC%8F%E6%9B%B8", "/\u6587\uff0f\u66f8"),
        ("/a;v=1/b", "/a;v=1/b"),
        ("/q%3Fx%23y", "/q?x#y"),
        ("/@me/a:b,c=d&e$f!g'(h)*i~j", "/@me/a:b,c=d&e$f!g'(h)*i~j"),
    ],
)
def test_ordinary_paths_are_taken_as_they_are(raw: str, path: str) -> None:
    assert received(raw) == path
    assert canonical_path(path, None) == path
    assert canonical_path(path, "") == path


def test_an_empty_path_is_the_root() -> None:
    assert canonical_path("", None) == "/"
    assert canonical_path("", "") == "/"
    assert canonical_path(ROOT, ROOT, ROOT) == "/"
    assert canonical_path(ROOT + "/", ROOT + "/", ROOT) == "/"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("/public/../admin", "dot segment"),
        ("/public/%2e%2e/admin", "dot segment"),
        ("/public/.%2E/admin", "dot segment"),
        ("/public/./../admin", "dot segment"),
        ("/public/..", "dot segment"),
        ("/public/%2e", "dot segment"),
        ("/public/.", "dot segment"),
        ("/public/..;/admin", "dot segment"),
        ("/public/..;x=1/admin", "dot segment"),
        ("/public/.;/admin", "dot segment"),
        ("/public/..%3b/admin", "dot segment"),
        ("/public/..%253B/admin", "dot segment"),
        ("/public/%EF%BC%8E%EF%BC%8E/admin", "dot segment"),
        ("/public/x%EF%BC%8F..%EF%BC%8Fadmin", "dot segment"),
        ("/public/x%EF%BC%BC..%EF%BC%BCadmin", "dot segment"),
        ("/mfa/../admin", "dot segment"),
        ("/mfa/static/../../admin", "dot segment"),
    ],
)
def test_a03_a19_dot_segments_are_refused(raw: str, why: str) -> None:
    assert received(raw) == OddPath(why)


@pytest.mark.parametrize(
    "raw", ["//", "//admin", "///public/../admin", "/public//x", "/a//", "/;/admin", "/a/;x=1/b"]
)
def test_a05_empty_segments_are_refused(raw: str) -> None:
    assert received(raw) == OddPath("empty segment")
    assert canonical_path(unquote(raw), None) == OddPath("empty segment")


@pytest.mark.parametrize("raw", ["/public%2f..%2fadmin", "/public%2F..%2Fadmin", "/mfa%2f..%2fadmin"])
def test_a14_encoded_slashes_with_dots_are_refused(raw: str) -> None:
    assert received(raw) == OddPath("dot segment")


@pytest.mark.parametrize("raw", ["/public%2fx", "/a%2Fb", "/%2fadmin"])
def test_a14_encoded_slashes_are_refused(raw: str) -> None:
    assert reason(received(raw)) in {"encoded slash", "empty segment"}


@pytest.mark.parametrize("raw", [r"/public\..\admin", "/a\\b", "/a%5cb", "/a%5C..%5cb", "/%5cadmin"])
def test_a14_backslashes_are_refused(raw: str) -> None:
    assert received(raw) == OddPath("backslash")


def test_an_encoded_backslash_is_refused_even_if_the_server_left_it_alone() -> None:
    assert canonical_path("/a%5cb", "/a%5cb") == OddPath("encoded twice")
    assert canonical_path("/a/b", "/a%5cb") == OddPath("backslash")


@pytest.mark.parametrize(
    "raw",
    [
        "/a/%252e%252e/b",
        "/a/%252E",
        "/a%252fb",
        "/a%252Fb",
        "/a%255cb",
        "/a%255Cb",
        "/a%2525",
        "/a%2500",
        "/a%251F",
        "/a%257f",
        "/a%25u002e%25u002e/b",
        "/a%25U2215b",
    ],
)
def test_a14_what_is_still_encoded_after_decoding_is_refused(raw: str) -> None:
    assert received(raw) == OddPath("encoded twice")
    assert canonical_path(unquote(raw), None) == OddPath("encoded twice")


@pytest.mark.parametrize("raw", ["/a%", "/a%2", "/a%zz", "/a%u002e%u002e/b", "/%%41"])
def test_malformed_encodings_are_refused(raw: str) -> None:
    assert reason(received(raw)) in {"malformed percent-encoding", "encoded twice"}
    assert canonical_path("/a", "/a%zz") == OddPath("malformed percent-encoding")


@pytest.mark.parametrize(
    "raw", ["/public%00/../admin", "/public%0d%0aX:1", "/a%1bb", "/a%7F", "/a%C2%85b", "/a\x00"]
)
def test_a20_control_bytes_are_refused(raw: str) -> None:
    assert received(raw) == OddPath("control character")


@pytest.mark.parametrize("raw", ["/a%ff", "/a%c0%af..%c0%afb", "/a%ED%A0%80", "/a%EF%BF%BD", "/a\xe9"])
def test_what_is_not_utf8_is_refused(raw: str) -> None:
    assert received(raw) == OddPath("not valid UTF-8")


def test_surrogates_and_replacement_characters_are_refused_without_a_raw_path() -> None:
    assert canonical_path("/a\udcff", None) == OddPath("not valid UTF-8")
    assert canonical_path("/a\ufffd", None) == OddPath("not valid UTF-8")


def test_a_raw_path_that_is_no_latin_1_is_refused() -> None:
    assert canonical_path("/文", "/文") == OddPath("not valid UTF-8")


def test_bytes_sent_without_encoding_are_fine_if_they_are_utf8() -> None:
    assert canonical_path("/é", "/é".encode().decode("latin-1")) == "/é"


@pytest.mark.parametrize("raw", ["*", "http://localhost/admin", "admin", "?x", "localhost:80"])
def test_targets_that_are_no_path_are_refused(raw: str) -> None:
    path = unquote(raw)
    assert reason(canonical_path(path, raw)) == "not starting with a slash"
    assert reason(canonical_path(path, None)) == "not starting with a slash"
    assert canonical_path("/", raw) == OddPath("not starting with a slash")


@pytest.mark.parametrize(
    ("path", "raw"), [("/public", "/admin"), ("/admin", "/admin%20"), ("/a%41", "/a%41")]
)
def test_a14_a_raw_path_that_is_another_path_is_refused(path: str, raw: str) -> None:
    assert canonical_path(path, raw) == OddPath("raw path and path disagree")


def test_a_fragment_in_the_target_is_refused() -> None:
    assert canonical_path("/public#/../admin", "/public#/../admin") == OddPath("dot segment")
    assert canonical_path("/public", "/public#x") == OddPath("fragment in the request target")
    assert canonical_path("/public#x", "/public#x") == OddPath("fragment in the request target")


def test_a01_a_query_on_the_raw_path_is_not_part_of_the_path() -> None:
    assert canonical_path("/admin", "/admin?x=/public") == "/admin"
    assert canonical_path("/admin", "/admin?/public/../%zz#") == "/admin"
    assert canonical_path("/admin?x=/public", "/admin?x=/public") == OddPath("raw path and path disagree")


def test_a21_what_is_too_long_is_414_and_never_looked_at() -> None:
    longest = "/" + "a" * (MAX_PATH_LENGTH - 1)
    assert canonical_path(longest, longest) == longest
    assert canonical_path(longest + "a", None) == OddPath("too long", 414)
    assert canonical_path("/a", longest + "?") == OddPath("too long", 414)


@pytest.mark.parametrize(
    ("path", "raw", "root", "below"),
    [
        ("/portal/admin", "/portal/admin", "/portal", "/admin"),  # uvicorn, Starlette's Mount
        ("/portal/admin", "/admin", "/portal", "/admin"),  # the root left out of the raw path
        ("/admin", "/admin", "/portal", "/admin"),  # the root left out of both
        ("/portal/portal/x", "/portal/portal/x", "/portal", "/portal/x"),
        ("/pörtal/x", "/p%C3%B6rtal/x", "/pörtal", "/x"),
        ("/portal//x", "/portal//x", "/portal/", "/x"),  # uvicorn with a last slash in --root-path
        ("//x", "//x", "/", "/x"),
        ("/x", "/x", "/", "/x"),
        ("/", "/", "/", "/"),
    ],
)
def test_a12_the_path_is_judged_below_the_root(path: str, raw: str, root: str, below: str) -> None:
    assert canonical_path(path, raw, root) == below
    assert canonical_path(path, None, root) == below


@pytest.mark.parametrize("path", ["/portalx", "/portal2/admin", "/portal%2fadmin", "/portal;x/admin"])
def test_a12_a_root_that_ends_within_a_segment_is_refused(path: str) -> None:
    assert canonical_path(path, None, ROOT) == OddPath("path and root path disagree")


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("/../admin", "/.."),
        ("/x/../admin", "/x/.."),
        ("/..;/admin", "/..;"),
        ("/a\\b/admin", "/a\\b"),
        ("/a//admin", "/a"),
    ],
)
def test_a12_a_root_taken_from_the_client_is_judged_too(path: str, root: str) -> None:
    assert reason(canonical_path(path, None, root)) in {"dot segment", "backslash", "empty segment"}


def test_a13_wsgi_gives_bytes_in_latin_1() -> None:
    assert canonical_wsgi_path("", "/stra\xc3\x9fe", "/stra%C3%9Fe?x=1") == "/straße"
    assert canonical_wsgi_path("/p\xc3\xb6rtal", "/x", None) == "/x"
    assert canonical_wsgi_path("/portal", "", "/portal") == "/"
    assert canonical_wsgi_path("", "", None) == "/"
    assert canonical_wsgi_path("", "/a\xff", None) == OddPath("not valid UTF-8")
    assert canonical_wsgi_path("/\xff", "/a", None) == OddPath("not valid UTF-8")
    assert canonical_wsgi_path("", "/文", None) == OddPath("not valid UTF-8")


def test_a13_a_script_name_that_does_not_fit_the_target_is_refused() -> None:
    assert canonical_wsgi_path("/pub", "lic/x", "/public/x") == OddPath("path and root path disagree")
    assert canonical_wsgi_path("/admin", "/public", "/admin/x") == OddPath("raw path and path disagree")
    assert canonical_wsgi_path("/%61dmin", "/x", "/%61dmin/x") == OddPath("raw path and path disagree")


# --- laws -----------------------------------------------------------------------------------------------------

# fmt: off
PIECES = st.sampled_from([
    "/", "//", ".", "..", ";", "\\", "%", "#", "?", "+", " ", "a", "public", "A", "é", "\x85", "%20", "%2e", "%2E",
    "%2f", "%5c", "%25", "%252e", "%00", "%3b", "%c0%ae", "%EF%BC%8F", "%EF%BC%8E", "%u002e", "%EF%BF%BD",
])
# fmt: on
TRICKY = st.lists(PIECES, max_size=12).map(lambda pieces: "/" + "".join(pieces))


def has_no_second_meaning(path: str) -> bool:
    """Written anew on purpose, with split instead of expressions."""
    segments = path.split("/")
    named = segments[1:-1] if segments[-1] == "" else segments[1:]
    return (
        segments[0] == ""
        and (path == "/" or bool(named))
        and all(segment.partition(";")[0] not in {"", ".", ".."} for segment in named)
        and not any(
            ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or c in "\\\ufffd" or 0xD800 <= ord(c) < 0xE000
            for c in path
        )
    )


@given(TRICKY)
def test_what_is_taken_has_one_meaning_to_whoever_decodes_once_more(raw: str) -> None:
    verdict = received(raw)
    if isinstance(verdict, str):
        assert has_no_second_meaning(verdict)
        again = unquote(verdict, errors="ignore")
        assert has_no_second_meaning(again)
        assert again.count("/") == verdict.count("/")
        assert "%2f" not in raw.partition("?")[0].lower()


@given(TRICKY, TRICKY)
def test_what_is_taken_is_what_was_received(path: str, raw: str) -> None:
    verdict = canonical_path(path, raw)
    if isinstance(verdict, str):
        assert verdict == path == unquote(raw.partition("?")[0].encode("latin-1").decode())


@given(TRICKY | st.text(), st.sampled_from(["", "/", "/portal", "/portal/", "/pörtal"]))
def test_what_is_taken_is_the_rest_of_what_the_server_said(path: str, root: str) -> None:
    verdict = canonical_path(path, None, root)
    if isinstance(verdict, str):
        assert verdict.startswith("/")
        assert (path or "/") in {verdict, root + verdict, root.removesuffix(verdict) + verdict}


@given(TRICKY, st.sampled_from(["", "/portal", "/pörtal"]), st.booleans())
def test_both_edges_agree(raw: str, root: str, with_target: bool) -> None:
    assume("é" not in raw)
    assume("?" not in raw)
    raw_root = quote(root)
    try:
        info = unquote(raw, errors="strict").encode().decode("latin-1")
    except UnicodeDecodeError:
        return
    script = root.encode().decode("latin-1")
    target = raw_root + raw if with_target else None
    assert canonical_wsgi_path(script, info, target) == canonical_path(root + unquote(raw), target, root)


ORDINARY = st.lists(
    st.text(
        st.characters(categories=("L", "Nd", "Pd")) | st.sampled_from("_~ +@:!&=,."), min_size=1, max_size=8
    ),
    max_size=5,
).map(lambda segments: "/" + "/".join(segments))


@given(ORDINARY)
def test_ordinary_files_are_never_odd(path: str) -> None:
    assume(
        not any(segment.strip("\u2024\u2025\u2026\u3002\uff0e.") == "" for segment in path.split("/")[1:])
        or path == "/"
    )
    assert received(quote(path)) == path
    assert received(quote(path) + "/" if path != "/" else path) == (path + "/" if path != "/" else path)


# --- folding --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/admin/users",
        "/ADMIN/Users",
        "/admin/users/",
        "/admin./users",
        "/admin /users. .",
        "/admin;jsessionid=1/users;x",
        "/admin/.../users",
        "/\uff41\uff44\uff4d\uff49\uff4e\uff0f\uff55\uff53\uff45\uff52\uff53",
        "/admin\uff1bx/u\u017fers",
        "/admin\u00a0/users\u3000",
    ],
)
def test_a07_spellings_of_one_page_fold_to_one_form(path: str) -> None:
    assert fold_path(path) == "/admin/users"


def test_a07_folding_keeps_different_pages_apart() -> None:
    assert fold_path("/") == fold_path("/./") == fold_path("//") == "/"
    assert fold_path("/straße") == fold_path("/STRASSE")
    assert fold_path("/\u01f0") == fold_path("/J\u030c") == "/\u01f0"
    assert fold_path("/admins") != fold_path("/admin")
    assert fold_path("/.well-known/a.b") == "/.well-known/a.b"


@given(st.text() | TRICKY)
def test_a07_folding_is_stable_and_knows_no_case(path: str) -> None:
    folded = fold_path(path)
    assert folded.startswith("/")
    assert folded == "/" or not folded.endswith("/")
    assert fold_path(folded) == folded
    assert fold_path(path + "/") == folded
    assert fold_path(path + ". ") == folded
    if path.isascii():
        assert fold_path(path.upper()) == folded
