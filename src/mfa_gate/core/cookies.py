"""Decides which cookies a request carries, as raw text; it must not know what is in them, nor whose they are.

Scanned by hand: the standard library's `SimpleCookie` returns nothing at all when one foreign cookie is odd.
"""

from collections.abc import Collection, Iterable


def cookie_values(header: str, name: str) -> list[str]:
    """Every value that some framework would read for the cookie `name`, in order; never fails.

    The name is compared exactly, the value loses spaces and tabs around it and is otherwise left as it is: quotes,
    escapes and percent signs included. A cookie without `=` counts with the value `""`.
    """
    if name not in header:
        return []
    found = []
    for pair in header.split(";"):
        key, _, value = pair.partition("=")
        if _is(key, name):
            found.append(value.strip(" \t"))
    return found


def own_values(header: str, name: str) -> list[str]:
    """Every value of a cookie of ours: under its exact name, without spaces and tabs around it; never fails.

    # Security: a browser keeps a sister host from setting `__Host-x`, but not with a space of Unicode in front. Whoever
    strips that takes the other host's cookie for our own.
    """
    if name not in header:
        return []
    pairs = (pair.partition("=") for pair in header.split(";"))
    return [value.strip(" \t") for key, _, value in pairs if key.strip(" \t") == name]


def without_cookies(header: str, names: Collection[str]) -> str:
    """The header without these cookies, every byte of the others kept and in order; `""` if nothing is left."""
    pairs = kept = header.split(";")
    for name in names:
        if name in header:
            kept = [pair for pair in kept if name not in pair or not _is(pair.partition("=")[0], name)]
    if len(kept) == len(pairs):
        return header
    return ";".join(kept).strip(" \t")


def join_cookie_headers(values: Iterable[str]) -> str:
    """Several `Cookie` lines as the one that is judged and forwarded (RFC 9113 §8.2.3)."""
    return "; ".join(value for value in values if value)


def _is(key: str, name: str) -> bool:
    # Security: Starlette and Django strip whatever Unicode calls a space, Django after decoding UTF-8. A second
    # session cookie behind a no-break space must be seen here if the portal sees it.
    if key.strip() == name:
        return True
    # The whole key is decoded: cut first as latin-1, the bytes of a no-break space would be cut in two.
    return not key.isascii() and key.encode("latin-1", "replace").decode(errors="replace").strip() == name
