"""Decides which setting an `MFA_GATE_…` variable overrides; it must not know what the setting means.

`MFA_GATE_STORE__URL` overrides `[store] url`, `MFA_GATE_IDENTITY__0__SECRET` the first source's secret: two underscores
lead one level down. Whatever names no setting is refused later, as an unknown key is.
"""

import re
from collections.abc import Mapping
from typing import Final

from mfa_gate.core.errors import SettingsError

PREFIX: Final = "MFA_GATE_"
RESERVED: Final = frozenset(("MFA_GATE_KEYS", "MFA_GATE_SETTINGS"))
"""Variables that are read elsewhere and override no setting."""

# What a Kubernetes cluster puts into every container when a service is called mfa-gate.
_CLUSTER_LINK: Final = re.compile(r"MFA_GATE_([A-Z0-9]+_)*(SERVICE_(HOST|PORT)\w*|PORT(_\d+_(TCP|UDP)\w*)?)")


def overridden(data: Mapping[str, object], environ: Mapping[str, str]) -> dict[str, object]:
    """`data` with a reference to each variable of ours in the place that it overrides."""
    merged = {key: _copied(value) for key, value in data.items()}
    used = set(_references(merged))
    for name in sorted(environ):
        skipped = name in RESERVED or name in used or _CLUSTER_LINK.fullmatch(name)
        if name.startswith(PREFIX) and not skipped:
            _put(merged, name.removeprefix(PREFIX).lower().split("__"), name)
    return merged


def _put(node: object, keys: list[str], name: str) -> None:
    key, *rest = keys
    if isinstance(node, list) and key.isdecimal() and int(key) < len(node):
        if rest:
            _put(node[int(key)], rest, name)
        else:
            node[int(key)] = f"env:{name}"
    elif isinstance(node, dict) and key:
        if rest:
            _put(node.setdefault(key, {}), rest, name)
        else:
            node[key] = f"env:{name}"
    else:
        raise SettingsError(
            f"the environment variable {name} overrides no setting. Take it out, or write "
            f"{PREFIX}KEY, {PREFIX}TABLE__KEY or {PREFIX}IDENTITY__0__KEY."
        )


def _copied(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(item) for item in value]
    return value


def _references(value: object) -> list[str]:
    """Names of the variables to which the file itself refers."""
    if isinstance(value, str):
        return [value[4:]] if value.startswith("env:") else []
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [name for child in children for name in _references(child)]
