"""Says in the log what endangers the store, so that whoever runs a gate hears of it without asking `mfa-gate check`."""

import logging

from mfa_gate.core.messages import printable
from mfa_gate.ports import Health

log = logging.getLogger("mfa_gate")

_LEVELS = {"error": logging.ERROR, "warning": logging.WARNING}


def say_what_endangers(health: Health, now: float) -> None:
    """A line for each thing, with its cure."""
    for concern in health.health(now):
        log.log(_LEVELS[concern.severity], "%s: %s", concern.about, printable(concern.text, 1_000))
