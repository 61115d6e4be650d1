"""Where a person is in the setup wizard and what may come next; knows no secret, no code and no page.

Theory of operation. An enrollment in progress is one state. Whatever happens, a button, a right or wrong code, ten
minutes gone by, is an event. `TABLE` holds every transition that exists; there is no other code that moves a wizard.
An event that the table does not list for the state is `Refused`, a value of another type than a state, so that the
type checker makes the caller look: only `confirm_ok` that was *not* refused lets the caller store the factor.

The diagram in `docs/explanation/wizard.md` is drawn from the same table by `as_mermaid`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

State = Literal["choose", "scan", "codes", "done", "cancelled"]
"""`choose` a way; `scan` the key and confirm a code; see and save the recovery `codes`; `done`; `cancelled`.

The factor counts from `codes` on: it was stored with the event that led there.
"""

Event = Literal["start", "confirm_ok", "confirm_wrong", "expire", "saved", "cancel", "restart"]
"""`start`: the app was chosen. `confirm_ok`, `confirm_wrong`: a code was checked. `expire`: the ten minutes are over.
`saved`: the recovery codes are kept. `cancel`: leave it. `restart`: back to the choice.
"""

FIRST: State = "choose"
ENDS: frozenset[State] = frozenset({"done", "cancelled"})
FRESH_SECRET: frozenset[Event] = frozenset({"start", "expire"})
"""The events that lead to `scan` with a new secret; the old one is forgotten and never confirmed again."""


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing happened: this event does not exist in this state."""

    state: State
    event: Event


TABLE: Mapping[State, Mapping[Event, State]] = MappingProxyType(
    {
        "choose": MappingProxyType({"start": "scan", "cancel": "cancelled"}),
        "scan": MappingProxyType(
            {
                # Security: the only way to `codes`. A wrong code keeps the secret, or a slow reader never gets through.
                "confirm_ok": "codes",
                "confirm_wrong": "scan",
                "expire": "scan",
                "restart": "choose",
                "cancel": "cancelled",
            }
        ),
        # No way back: the factor is stored. Who lets the time pass has two-step, and makes new codes in the settings.
        "codes": MappingProxyType({"saved": "done", "expire": "done"}),
        "done": MappingProxyType({}),
        "cancelled": MappingProxyType({"restart": "choose"}),
    }
)


def next_state(state: State, event: Event) -> State | Refused:
    """The state after the event, or `Refused`; raises nothing, also for a name that is in no table."""
    return TABLE.get(state, {}).get(event) or Refused(state=state, event=event)


def as_mermaid() -> str:
    """The table as a Mermaid state diagram; events that lead to a new secret say so."""
    lines = ["stateDiagram-v2", f"    [*] --> {FIRST}"]
    for state, row in TABLE.items():
        for event, following in row.items():
            effect = " / fresh secret" if event in FRESH_SECRET and following == "scan" else ""
            lines.append(f"    {state} --> {following}: {event}{effect}")
    lines += [f"    {state} --> [*]" for state in TABLE if state in ENDS]
    return "\n".join(lines) + "\n"
