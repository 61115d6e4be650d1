"""A word that one page has for the next: what was just done. It knows neither the words nor the pages.

It travels in the address, signed for one person and a minute: nobody can be sent a link that tells them what is not so.
"""

from collections.abc import Collection
from typing import TypeVar

from mfa_gate.core.messages import GateResponse
from mfa_gate.signing import Csrf
from mfa_gate.web.callers import Caller

TOLD_SECONDS = 60

Word = TypeVar("Word", bound=str)


def tell(caller: Caller, page: str, word: str) -> GateResponse:
    """To another page of ours, which will say `word`."""
    call = caller.call
    token = call.services.signers.csrf.sign(Csrf(holder=_bound(caller, word)), call.now)
    return caller.go(page, told=token)


def told(caller: Caller, words: Collection[Word]) -> Word | None:
    """The one of `words` that the page before had for this one."""
    call = caller.call
    read = call.services.signers.csrf.read(call.query.get("told", ""), Csrf, call.now, TOLD_SECONDS)
    if read is None:
        return None
    return next((word for word in words if read.holder == _bound(caller, word)), None)


def _bound(caller: Caller, word: str) -> str:
    # Security: no form's holder looks like this, so the token in the address opens no form.
    return f"told {caller.visitor.account.id} {word}"
