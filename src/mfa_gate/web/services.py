"""What the pages and the JSON API are given to work with, put together once by wiring; it must not know how."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from mfa_gate.core.responses import Places
from mfa_gate.flows.checking import Checker
from mfa_gate.signing import Signer

if TYPE_CHECKING:
    from mfa_gate.flows.administration import Administration
    from mfa_gate.flows.assistance import Assistance
    from mfa_gate.flows.authority import Authority
    from mfa_gate.flows.devices import Devices
    from mfa_gate.flows.exporting import Exporting
    from mfa_gate.flows.impact import Impacts
    from mfa_gate.flows.importing import Importing
    from mfa_gate.flows.jobs import Standing
    from mfa_gate.flows.people_export import PeopleExport
    from mfa_gate.flows.policy_history import PolicyHistory
    from mfa_gate.flows.remembering import Remembering
    from mfa_gate.flows.reminders import Reminders
    from mfa_gate.flows.reporting import Reporting
    from mfa_gate.flows.reports import Reports
    from mfa_gate.flows.roster_desk import RosterDesk
    from mfa_gate.flows.self_service import SelfService
    from mfa_gate.web.rendering import Renderer


@dataclass(frozen=True, kw_only=True)
class Signers:
    """The signers of what we give out; each has its own salt, so that no token passes for another."""

    session: Signer
    pending: Signer
    csrf: Signer
    roster: Signer


@dataclass(frozen=True, kw_only=True)
class ClockStanding:
    """By how much the clock of the store's server is ahead of this machine's, and what follows from it."""

    skew_seconds: int = 0
    refuses_codes: bool = False
    """Codes of authenticator apps are answered with 503, until the clocks agree."""


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """Whether this process can do its work, and when the jobs beside it were last done by whichever process did."""

    missing: tuple[str, ...] = ()
    """What keeps it from answering, one sentence each; empty if it is ready."""
    jobs: "tuple[Standing, ...]" = ()
    clock: ClockStanding | None = None
    """None where the store did not say."""
    wrong: tuple[str, ...] = ()
    """What somebody should mend although people are answered, one sentence each."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything that a route may use. Callables are safe to call from many threads."""

    checker: Checker
    self_service: "SelfService"
    remembering: "Remembering"
    authority: "Authority"
    administration: "Administration"
    devices: "Devices"
    assistance: "Assistance"
    exporting: "Exporting"
    reporting: "Reporting"
    reports: "Reports"
    people_export: "PeopleExport"
    policy_history: "PolicyHistory"
    impacts: "Impacts"
    reminders: "Reminders"
    importing: "Importing"
    sign: Callable[[bytes], tuple[str, bytes]]
    """Message → (key id, signature), with the key that signs checkpoints."""
    roster_desk: "RosterDesk"
    renderer: "Callable[[], Renderer]"
    """Makes the renderer; asked once, by the first page that is shown, since it loads jinja2."""
    signers: Signers
    places: Places
    cookie_name: str
    """The session cookie's name; `__Host-` stands in front of it exactly where `secure`."""
    secure: bool
    """`public_url` is https."""
    name: str
    """The portal's name."""
    accent: str
    logo: Path | None
    """The file that `/logo` below the mount shows."""
    sign_out_path: str
    """Where the portal itself signs people out; empty if the settings name no such page."""
    zone: tzinfo
    """In which zone days are meant."""
    clock: Callable[[], float]
    """UTC seconds."""
    random: Callable[[int], bytes]
    """n bytes of cryptographic quality."""
    ready: Callable[[], Readiness]
    observing: bool = False
    """`mode = "observe"`."""
    time_zone: str = "UTC"
    """The zone in which days begin and end, and times are shown."""
    setup_code: bool = True
    """Whether an administrator's first enrollment needs the one-time code."""
