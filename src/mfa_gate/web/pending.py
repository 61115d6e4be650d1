"""The way of one browser through setup or verification, kept in one signed cookie: who is on it, and where it leads.

Security: the cookie proves nothing and opens nothing. Its random id names the browser: an enrollment that was begun
in it can be finished by it alone, and its wrong codes are counted together. It is good for ten minutes and for one
account, and not past a verification; whoever comes later starts afresh and loses only what they had begun (D21).
"""

from collections.abc import Callable
from urllib.parse import unquote

from msgspec.structs import replace

from mfa_gate.core.accounts import Account
from mfa_gate.core.messages import GateRequest
from mfa_gate.core.origins import safe_next
from mfa_gate.core.paths import fold_path
from mfa_gate.core.policy import PathRule
from mfa_gate.signing import SKEW_SECONDS, Pending

ID_BYTES = 16
GOOD_SECONDS = 600
KEPT_SECONDS = 12 * 3600
"""How long a browser with the cookie is still led where it wanted to go."""


def fresh(account: Account, now: int, random: Callable[[int], bytes], *, leads_to: str = "") -> Pending:
    """A new way, for a browser that is on none."""
    return Pending(
        id=random(ID_BYTES).hex(), account=account.id, next=leads_to, enrollment=None, started_at=now
    )


def resumed(found: Pending | None, account: Account, now: int, random: Callable[[int], bytes]) -> Pending:
    """The way that a browser is on, or a new one in its place that leads where the same person wanted to go.

    Security: the person in a browser may change, and nothing that one began is finished by another.
    """
    if found is None or found.account != account.id:
        return fresh(account, now, random)
    age = now - found.started_at
    if not -SKEW_SECONDS <= age <= GOOD_SECONDS or account.last_verified_at > found.started_at:
        return fresh(account, now, random, leads_to=found.next)
    return found


def shown(pending: Pending, now: int) -> Pending:
    """The way as it goes out with a page: ten minutes from now, so that nobody is lost while looking for the phone."""
    return replace(pending, started_at=now)


def way_back(
    target: str,
    request: GateRequest,
    *,
    public_url: str,
    mount: str,
    rule: Callable[[GateRequest], PathRule],
) -> str:
    """`target` if a browser may be sent there after a code; empty where it may not.

    Never elsewhere (CVE-2021-32618), never to our own pages, which would lead round in a circle, and neither to
    signing out nor to signing in, which would undo what was just done.
    """
    found = safe_next(target, public_url)
    if found is None:
        return ""
    there = request_for(found, request.root_path)
    path, ours = fold_path(there.path), fold_path(mount)
    if path == ours or path.startswith(f"{ours}/") or rule(there).kind in {"sign_out", "sign_in"}:
        return ""
    return found


def request_for(target: str, root_path: str) -> GateRequest:
    """The request of a browser that follows `target`, a path and query that `safe_next` let pass."""
    path, _, query = target.partition("?")
    decoded, root = unquote(path), root_path.rstrip("/")
    below = decoded.removeprefix(root) if decoded == root or decoded.startswith(f"{root}/") else decoded
    return GateRequest(path=below or "/", root_path=root_path, query=query)
