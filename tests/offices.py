"""Administration around a store of the test's own, as wiring would put it together."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from mfa_gate.core.accounts import Account, Identity
from mfa_gate.flows.administration import Administration
from mfa_gate.flows.assistance import Assistance
from mfa_gate.flows.authority import Authority, Role
from mfa_gate.flows.committing import Committer
from mfa_gate.flows.proving import CodeDesk
from mfa_gate.flows.results import MadeSetupCode
from mfa_gate.ports import Policies, Store


@dataclass(frozen=True)
class Offices:
    """Everything that administers, for one gate."""

    authority: Authority
    administration: Administration
    assistance: Assistance

    def setup_code(self, subject: str, now: float, realm: str = "portal") -> str:
        """What `mfa-gate admin-code` prints for an administrator."""
        made = self.administration.make_setup_code("tester", realm, subject, int(now))
        assert isinstance(made, MadeSetupCode)
        return made.code


def offices_of(
    store: Store,
    pepper: bytes,
    role_of: Callable[[Identity | Account], Role | None],
    *,
    committer: Committer | None = None,
    policies: Policies | None = None,
    random: Callable[[int], bytes] = os.urandom,
    policy_changed: Callable[[], None] = lambda: None,
) -> Offices:
    """The offices of a store; `policies` where a test has its own."""
    committer = committer or Committer(store, lambda _: None)
    desk = CodeDesk(pepper=pepper, random=random)
    authority = Authority(store, policies or store, committer, desk, role_of=role_of)
    return Offices(
        authority,
        Administration(authority, policies or store, committer, store, desk, policy_changed=policy_changed),
        Assistance(authority, store, policies or store, committer),
    )
