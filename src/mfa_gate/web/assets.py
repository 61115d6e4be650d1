"""The files that pages link to, and the addresses that let a browser keep them; it knows no request and no route."""

import hashlib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@cache
def _files() -> dict[str, bytes]:
    found: dict[str, bytes] = {}

    def collect(folder: Traversable, prefix: str) -> None:
        for entry in folder.iterdir():
            if entry.is_dir():
                collect(entry, f"{prefix}{entry.name}/")
            elif entry.name.rpartition(".")[2] in _TYPES:
                found[prefix + entry.name] = entry.read_bytes()

    collect(files("mfa_gate.web") / "static", "")
    return found


@cache
def _version() -> str:
    # One version for all files, as a folder: modules and style sheets name each other by relative addresses,
    # and those must change together.
    digest = hashlib.sha256()
    for name, content in sorted(_files().items()):
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()[:12]


def static_url(name: str) -> str:
    """Path below the mount of the static file `name`, with the version in it; raises `KeyError` for an unknown one."""
    if name not in _files():
        raise KeyError(name)
    return f"static/{_version()}/{name}"


def static_asset(name: str) -> tuple[bytes, str] | None:
    """Content and type of a static file; `name` is what follows `static/`, with or without the version."""
    # Security: looked up in a table that was read once, so no spelling of a path reaches the file system.
    content = _files().get(name) or _files().get(name.partition("/")[2])
    return None if content is None else (content, _TYPES[name.rpartition(".")[2]])


def may_be_kept(name: str) -> bool:
    """Whether an answer for `name` may be cached for good: only under the version that we link to ourselves."""
    return name.startswith(f"{_version()}/")
