"""Decides what `[audit]` holds: where events go beside the store; it must not know how they get there."""

from pathlib import Path
from typing import Final

import msgspec

from mfa_gate.settings.sections import check_syslog, check_webhook
from mfa_gate.settings.values import Secret, require

SHORTEST_SECRET: Final = 16
SIX_YEARS_DAYS: Final = 2_192
SHORTEST_KEEP_DAYS: Final = 30
SYSLOG: Final = "audit syslog"
WEBHOOK: Final = "audit webhook"


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """Where every event of the audit trail goes, beside the store."""

    syslog: str = ""
    """A syslog server that gets each event (RFC 5424): `tls://host:6514`, `tcp://host:601`, `udp://host:514`, or
    `unix:///dev/log`."""
    syslog_ca: Path | None = None
    """What its certificate must be signed by; without it, by an authority that the system trusts."""
    webhook: str = ""
    """An address to which events are posted as JSON, signed: `https://…`."""
    webhook_ca: Path | None = None
    """What its certificate must be signed by; without it, by an authority that the system trusts."""
    webhook_secret: Secret | None = None
    """With what they are signed (HMAC-SHA256, as standardwebhooks.com has it)."""

    archive: Path | None = None
    """A folder to which the trail is archived, as files that `mfa-gate audit verify` reads; not on the store's disk."""
    archive_after_days: int = SIX_YEARS_DAYS
    """How old events are when they are copied to it."""
    keep_days: int = SIX_YEARS_DAYS
    """How old events are when they leave the store, once they are archived: as many days as 45 CFR 164.316(b)(2)(i)
    wants records to be kept. Without an archive they never leave."""

    def __post_init__(self) -> None:
        check_syslog("[audit] syslog", self.syslog, local=True)
        check_webhook("[audit] webhook", self.webhook)
        cure = "only tls:// looks at a certificate. Take it out."
        is_tls = self.syslog.startswith("tls:")
        require(self.syslog_ca is None or is_tls, "[audit] syslog_ca", self.syslog_ca, cure)
        cure = "only https:// looks at a certificate. Take it out."
        is_https = self.webhook.startswith("https:")
        require(self.webhook_ca is None or is_https, "[audit] webhook_ca", self.webhook_ca, cure)
        days = self.archive_after_days
        require(days >= 1, "[audit] archive_after_days", days, "write how many days, for example 365.")
        cure = (
            f"write how many days, {SHORTEST_KEEP_DAYS} or more; pages and reports show what the store has."
        )
        require(self.keep_days >= SHORTEST_KEEP_DAYS, "[audit] keep_days", self.keep_days, cure)
        secret = self.webhook_secret
        signed = not self.webhook or (secret is not None and len(secret.reveal()) >= SHORTEST_SECRET)
        why = f"what is posted is signed. Write at least {SHORTEST_SECRET} characters, as env:NAME or file:PATH."
        require(signed, "[audit] webhook_secret", secret, why)

    @property
    def sinks(self) -> tuple[tuple[str, str], ...]:
        """The names of the jobs that bring events elsewhere, and where; empty: nowhere."""
        return (SYSLOG, self.syslog), (WEBHOOK, self.webhook)
