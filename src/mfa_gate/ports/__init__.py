"""What the flows need from a store, cut by who uses it; every verb is atomic, so no backend can get a race wrong.

Every method may raise `StoreUnavailable`. Times are UTC seconds; `now` is always an argument.
"""

from mfa_gate.ports.people import (
    Accounts,
    Attribution,
    Change,
    Directory,
    Draft,
    Facts,
    FactsReader,
    Groups,
    Page,
    Plan,
    Roster,
    Row,
    Sessions,
)
from mfa_gate.ports.store import Concern, Health, Policies, Resealed, Seals, Store
from mfa_gate.ports.trail import (
    Anchors,
    Archive,
    Grants,
    Misfit,
    Recorded,
    Retention,
    Segment,
    Snapshots,
    Stream,
    Trail,
)
from mfa_gate.ports.work import Feed, Lease, Leases, Mending, Notices, Outbox, Traffic

__all__ = [
    "Accounts",
    "Anchors",
    "Archive",
    "Attribution",
    "Change",
    "Concern",
    "Directory",
    "Draft",
    "Facts",
    "FactsReader",
    "Feed",
    "Grants",
    "Groups",
    "Health",
    "Lease",
    "Leases",
    "Mending",
    "Misfit",
    "Notices",
    "Outbox",
    "Page",
    "Plan",
    "Policies",
    "Recorded",
    "Resealed",
    "Retention",
    "Roster",
    "Row",
    "Seals",
    "Segment",
    "Sessions",
    "Snapshots",
    "Store",
    "Stream",
    "Traffic",
    "Trail",
]
