"""Puts together who looks how the organization stands, and who reports it; it decides nothing.

Whatever is slow to import is imported when it is first needed.
"""

from typing import TYPE_CHECKING

from mfa_gate.core.errors import KeysError
from mfa_gate.core.grants import is_good
from mfa_gate.core.policy import PathRule
from mfa_gate.core.snapshots import Openings
from mfa_gate.ports import Store
from mfa_gate.settings import Settings

if TYPE_CHECKING:
    from mfa_gate.flows.counting import Counting
    from mfa_gate.flows.reports import Reports
    from mfa_gate.flows.surveying import Surveying
    from mfa_gate.keyed import Keyed


def surveying(settings: Settings, keyed: "Keyed", store: Store) -> "Surveying":
    """What looks how it stands now."""
    from mfa_gate.flows.surveying import Place, Surveying
    from mfa_gate.web.dates import zone_named

    place = Place(
        store=store.store_id,
        zone=zone_named(settings.time_zone),
        zone_name=settings.time_zone,
        open_now=lambda now: _openings(settings, keyed, now),
    )
    return Surveying(store, store, store, store, store, place=place)


def counting(settings: Settings, keyed: "Keyed", store: Store) -> "Counting":
    """The job that keeps it once a day."""
    from mfa_gate.flows.counting import Counting

    survey = surveying(settings, keyed, store)
    return Counting(
        survey,
        store.snapshots,
        store,
        store,
        sign=keyed.sign_checkpoint,
        is_ours=keyed.is_ours,
        mails=settings.mail.reports,
    )


def reports(settings: Settings, keyed: "Keyed", store: Store) -> "Reports":
    """What reports how it stood."""
    from mfa_gate.flows.reports import Reports

    return Reports(
        surveying(settings, keyed, store),
        store.snapshots,
        store,
        keyed.is_ours,
        portal=settings.name,
        public_url=settings.public_url,
    )


def _openings(settings: Settings, keyed: "Keyed", now: int) -> Openings:
    rules = (rule for rule in settings.portal.rules if rule.kind != "step_up")
    return Openings(
        mode="observe" if settings.mode == "observe" else "enforce",
        open_paths=tuple(map(_path, rules)),
        break_glass=_grants(settings, keyed, now),
    )


def _path(rule: PathRule) -> str:
    return " ".join((rule.kind, *([",".join(rule.methods)] if rule.methods else []), rule.path))


def _grants(settings: Settings, keyed: "Keyed", now: int) -> int | None:
    from mfa_gate.break_glass import GrantFile

    path = settings.keys.grants_file
    if path is None:
        return None
    try:
        ours = [signed.read() for signed in GrantFile(path).read() if keyed.is_our_grant(signed)]
    except KeysError:
        return 0  # the doors honor none of a file that cannot be read, either
    return sum(1 for grant in ours if grant is not None and is_good(grant, settings.public_url, now))
