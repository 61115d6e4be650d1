"""Every address that the gate itself answers: to try tricks everywhere."""

from collections.abc import Iterator

from mfa_gate.web.api import OPERATIONS
from mfa_gate.web.app import PAGES
from tests.edges.asking import HOST, NAVIGATION, Got, Headers
from tests.edges.rig import HOME, Client, Rig

FORMS = sorted(path for path, table in PAGES.items() if "POST" in table)
SHOWN = sorted(path for path, table in PAGES.items() if "GET" in table)
CALLS = sorted((each.method, each.path) for each in OPERATIONS)
CHANGES = [(method, path) for method, path in CALLS if method != "GET"]
FORM: Headers = (*NAVIGATION[:2], ("Sec-Fetch-Site", "same-origin"), ("Origin", HOME))
URLENCODED: Headers = (("Content-Type", "application/x-www-form-urlencoded"),)
ODD = ("/public/../files", "/%2e%2e/files", "/files%00", "//files", "/" + "a" * 9_000)
STATIC = (
    "/mfa/static/gate.css",
    "/mfa/static/gate.js",
    "/mfa/static/theme.css",
    "/mfa/static/icons/check.svg",
)
NOWHERE = ("/mfa/nowhere", "/mfa/static/nowhere", "/mfa/api/v1/nowhere", "/mfa/account/", "/mfa/logo")


def page(path: str, person: str = "0" * 32) -> str:
    """Where a page is, with somebody's id in its place."""
    return "/mfa" + path.replace("{id}", person)


def call(path: str, person: str = "0" * 32) -> str:
    """Where a call of the API is."""
    return "/mfa/api/v1" + path.replace("{id}", person)


def addresses(person: str) -> tuple[str, ...]:
    """Everything that can be asked for, the portal's gated paths and what is not there included."""
    return (
        *(page(path, person) for path in PAGES),
        *sorted({call(path, person) for _, path in CALLS}),
        "/mfa/api/v1/openapi.json",
        "/mfa",
        *STATIC,
        *NOWHERE,
        *ODD,
        "/files",
        "/archive/",
    )


def people(rig: Rig) -> dict[str, Client]:
    """One of each kind."""
    return {
        "a stranger": rig.client(None),
        "carol, who has to set up": rig.client("carol"),
        "bob, who has to verify": rig.client("bob"),
        "alice, verified": rig.client("alice", verified=True),
        "root, verified": rig.client("root", verified=True),
    }


def own_answers(
    rig: Rig, headers: Headers = (), methods: tuple[str, ...] = ("GET", "POST"), host: str = HOST
) -> Iterator[tuple[str, Got]]:
    """What the gate itself says to everybody everywhere, to browsers and programs; not what the portal says."""
    for who, client in people(rig).items():
        for method in methods:
            # Who sends a form without a page gets a page that says so, the same for everybody.
            kinds = (NAVIGATION, ()) if method == "GET" or who.startswith(("alice", "a stranger")) else ((),)
            for target in addresses(rig.person("bob").id):
                for kind in kinds:
                    before = len(rig.seen)
                    got = client.ask(method, target, (*kind, *headers), host=host)
                    if len(rig.seen) == before:
                        yield f"{method} {target[:60]} by {who}, {'a page' if kind else 'a program'}", got
