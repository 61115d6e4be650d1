"""What the page asks for to which somebody is on the way, by the rules of the portal; it decides about no request."""

from mfa_gate.core.messages import printable
from mfa_gate.core.policy import PathRule
from mfa_gate.web.callers import Caller
from mfa_gate.web.pending import request_for


def rule_ahead(caller: Caller) -> PathRule | None:
    """The rule for the page that was first asked for; None: there is none."""
    if not caller.pending.next:
        return None
    there = request_for(caller.pending.next, caller.call.request.root_path)
    return caller.call.services.checker.rule(there)


def step_up_for(caller: Caller) -> str | None:
    """The path of that page, if its rule asks to confirm once more."""
    rule = rule_ahead(caller)
    if rule is None or rule.kind != "step_up":
        return None
    return printable(request_for(caller.pending.next, caller.call.request.root_path).path, 60)
