"""Reads `name=value` of `policy set` as changes of the policy, and says what is wrong with one that cannot be read."""

import json
import re
from typing import Final

import click
import msgspec

from mfa_gate.core.policy import DAY, HOUR
from mfa_gate.core.policy_changes import PolicyChanges

_SWITCH: Final = {"true": True, "on": True, "false": False, "off": False}
_UNITS: Final = {"": 1, "s": 1, "min": 60, "h": HOUR, "d": DAY}
_SPAN: Final = re.compile(r"(\d{1,9})(s|min|h|d|)", re.ASCII)
_LISTS: Final = ("required_groups", "left_out_groups", "allowed_factors", "group_factors", "closed_clients")
_SWITCHES: Final = ("require_two_step", "remind_while_off", "grace_anew")
NAMES: Final = tuple(field.name for field in msgspec.structs.fields(PolicyChanges))


def read_changes(assignments: tuple[str, ...]) -> PolicyChanges:
    """What several `name=value` ask for together. Raises `click.UsageError`."""
    read: dict[str, object] = {}
    for assignment in assignments:
        name, equals, text = (part.strip() for part in assignment.partition("="))
        if name not in NAMES or not equals:
            raise click.UsageError(
                f'"{assignment}" is nothing that can be set. Write NAME=VALUE; NAME is one of {", ".join(NAMES)}.'
            )
        if name in read:
            raise click.UsageError(f"{name} is given twice.")
        read[name] = _value(name, text)
    try:
        return msgspec.convert(read, PolicyChanges)
    except msgspec.ValidationError as error:
        raise click.UsageError(f"{error}.") from error


def _value(name: str, text: str) -> object:
    if name in _SWITCHES:
        if text.lower() not in _SWITCH:
            raise click.UsageError(f'{name} = "{text}": write true or false.')
        return _SWITCH[text.lower()]
    if name in _LISTS:
        return _several(name, text)
    if name == "grace_from":
        return text
    span = _SPAN.fullmatch(text)
    if span is None:
        raise click.UsageError(f'{name} = "{text}": write seconds, or a span as 30min, 12h or 14d.')
    return int(span[1]) * _UNITS[span[2]]


def _several(name: str, text: str) -> object:
    """A JSON list, or names with commas between them."""
    if not text.startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"{name}: the JSON cannot be read ({error}).") from error
