"""Turns a settings file, the environment and secret files into typed values; it must not know what they mean.

Data and type are walked side by side, so that every complaint names the setting, the value and the cure, and so that
the value of a secret is never shown.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn, TypeVar, cast

import msgspec
from msgspec import inspect

from mfa_gate.core.errors import SettingsError
from mfa_gate.settings.environment import overridden
from mfa_gate.settings.values import Secret, refuse

_MAX_FILE_BYTES: Final = 64 * 1024
_DIGITS: Final = re.compile(r"\s*-?[0-9]{1,15}\s*")
_CHOICES: Final = {"true": True, "false": False}

T = TypeVar("T", bound=msgspec.Struct)
Where = tuple[str | int, ...]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where values come from: the folder of relative paths, the environment, and tables that are not built yet."""

    base: Path
    environ: Mapping[str, str]
    later: Mapping[str, str]


class _Fetched(str):
    """Text that came from the environment or from a file of its own, not from the settings file."""

    __slots__ = ()


def read_toml(path: Path) -> dict[str, object]:
    """The file as a mapping; raises `SettingsError`."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise SettingsError(
            f'there is no settings file "{path}". Write one with `mfa-gate init`, or name another file.'
        ) from None
    except OSError as why:
        raise SettingsError(
            f'settings file "{path}": {why.strerror}. Let the gate\'s user read it.'
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as why:
        raise SettingsError(f'settings file "{path}" is not TOML: {why}. Mend it there.') from None


def read(data: Mapping[str, object], kind: type[T], source: Source) -> T:
    """`data` as a `kind`; raises `SettingsError`."""
    merged = overridden(data, source.environ)
    for key, feature in source.later.items():
        if key in merged:
            raise SettingsError(f"[{key}] is not available in this version ({feature}). Take it out.")
    return cast("T", _Walk(source).value(merged, inspect.type_info(kind), ()))


def label(where: Where) -> str:
    """The setting's name as the file shows it: `mode`, `[store] url`, `[[identity]] 1: secret`."""
    if len(where) < 2:
        return str(where[0]) if where else "settings"
    table, *rest = where
    head = f"[{table}] "
    if isinstance(rest[0], int):
        if len(rest) == 1:
            return f"{table}[{rest[0]}]"
        head = f"[[{table}]] {rest[0] + 1}: "
        rest = rest[1:]
    tail = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)
    return head + tail.removeprefix(".")


class _Walk:
    """One walk over data and type; stateless but for where references lead."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def value(self, data: object, kind: inspect.Type, where: Where) -> object:
        data = self._fetched(data, where)
        match kind:
            case inspect.StructType():
                return self._struct(data, kind, where)
            case inspect.UnionType():
                return self.value(data, _chosen(data, kind, where), where)
            case inspect.VarTupleType():
                return self._items(data, kind, where)
            case inspect.LiteralType():
                return _literal(data, kind, where)
            case inspect.CustomType():
                return self._custom(data, kind.cls, where)
            case _:
                return _plain(data, kind, where)

    def _struct(self, data: object, kind: inspect.StructType, where: Where) -> object:
        if not isinstance(data, Mapping):
            _refuse(where, data, "write a table, with one line for each key.")
        known = {field.name: field for field in kind.fields}
        for key in data:
            if key not in known and key != kind.tag_field:
                _refuse_unknown(
                    (*where, key), data[key], [*known, *([kind.tag_field] if kind.tag_field else [])]
                )
        for field in kind.fields:
            if field.required and field.name not in data:
                raise SettingsError(
                    f"{label((*where, field.name))} is missing. {_HINTS.get(field.name, 'Write it.')}"
                )
        values = {
            name: self.value(data[name], field.type, (*where, name))
            for name, field in known.items()
            if name in data
        }
        return kind.cls(**values)

    def _items(self, data: object, kind: inspect.VarTupleType, where: Where) -> object:
        if isinstance(data, _Fetched):
            return tuple(
                self.value(item, kind.item_type, (*where, n)) for n, item in enumerate(_split(data, where))
            )
        if not isinstance(data, list | tuple):
            secret = kind.item_type == inspect.CustomType(Secret)
            _refuse(where, "(not shown)" if secret else data, "write a list, in square brackets.")
        return tuple(self.value(item, kind.item_type, (*where, n)) for n, item in enumerate(data))

    def _custom(self, data: object, cls: type, where: Where) -> object:
        if isinstance(data, cls):
            return data
        if cls is Secret:
            # Security: a settings file is copied, mailed and committed; the portal's secret must not be in it.
            if not isinstance(data, _Fetched):
                _refuse(
                    where,
                    "(not shown)",
                    'a secret does not stand in this file. Write "env:NAME" or "file:PATH".',
                )
            return Secret(data.encode("utf-8", "surrogateescape"))
        if not isinstance(data, str) or not data or "\0" in data:
            _refuse(where, data, "write a path, in quotes.")
        return self._source.base / data

    def _fetched(self, data: object, where: Where) -> object:
        """What `env:NAME` or `file:PATH` stands for; anything else is itself."""
        if not isinstance(data, str) or isinstance(data, _Fetched):
            return data
        if data.startswith("env:"):
            found = self._source.environ.get(data[4:], "")
            if not found:
                _refuse(where, data, f"the environment has no {data[4:]}, or it is empty. Set it.")
            return _Fetched(found)
        if data.startswith("file:"):
            return _Fetched(self._content(data, where))
        return data

    def _content(self, data: str, where: Where) -> str:
        path = self._source.base / data.removeprefix("file:")
        try:
            with path.open("rb") as file:
                content = file.read(_MAX_FILE_BYTES + 1)
        except (OSError, ValueError) as why:
            _refuse(
                where,
                data,
                f"{getattr(why, 'strerror', why)}. Let it name a file that the gate's user can read.",
            )
        text = content.decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r")
        if not text or len(content) > _MAX_FILE_BYTES:
            _refuse(
                where,
                data,
                f"the file is empty or over {_MAX_FILE_BYTES} bytes. Put the value alone into it.",
            )
        return text


_HINTS: Final = {
    "public_url": "Write the address at which browsers reach the portal, like https://portal.example.org.",
    "identity": "Write at least one [[identity]] table: from it the gate learns who is signed in.",
    "store": 'Write a [store] table with url = "sqlite:///path" or "redis://host:6379/0".',
    "url": 'Write "sqlite:///path" or "redis://host:6379/0".',
    "secret": 'Write "env:NAME" or "file:PATH", naming where the portal\'s own secret is.',
    "field": 'Write the key of the portal\'s session that holds the user, like "user".',
}


def _refuse(where: Where, data: object, cure: str) -> NoReturn:
    refuse(label(where), data, cure)


def _refuse_unknown(where: Where, data: object, known: list[str]) -> NoReturn:
    name, text = str(where[-1]), str(data)
    close = difflib.get_close_matches(name, known, n=3)
    cure = f"Did you mean {' or '.join(close)}?" if close else f"Known here: {', '.join(sorted(known))}."
    cause = f" (from the environment variable {text[4:]})" if text.startswith("env:MFA_GATE_") else ""
    raise SettingsError(f"{label(where)} is not a setting{cause}. {cure}")


def _chosen(data: object, kind: inspect.UnionType, where: Where) -> inspect.Type:
    """The member of a union that the data means: by its tag, else the one that is not None."""
    structs = [member for member in kind.types if isinstance(member, inspect.StructType) and member.tag_field]
    if not structs:
        return next(member for member in kind.types if not isinstance(member, inspect.NoneType))
    if not isinstance(data, Mapping):
        _refuse(where, data, "write a table, with one line for each key.")
    key = structs[0].tag_field or ""
    tags = {member.tag: member for member in structs}
    names = ", ".join(sorted(str(tag) for tag in tags))
    chosen = data.get(key)
    if chosen is None:
        raise SettingsError(f"{label((*where, key))} is missing. Write one of {names}.")
    if not isinstance(chosen, str) or chosen not in tags:
        _refuse((*where, key), chosen, f"not available in this version. Write one of {names}.")
    return tags[chosen]


def _literal(data: object, kind: inspect.LiteralType, where: Where) -> object:
    # "default" is the rule that no rule names: it exists, but nobody writes it.
    values = [value for value in kind.values if value not in ("default", "")]
    if data in values and isinstance(data, str):
        return str(data)
    _refuse(where, data, f"write one of {', '.join(str(value) for value in values)}.")


def _plain(data: object, kind: inspect.Type, where: Where) -> object:
    match kind:
        case inspect.BoolType():
            found = _CHOICES.get(data.strip().lower()) if isinstance(data, _Fetched) else data
            if not isinstance(found, bool):
                _refuse(where, data, "write true or false, without quotes.")
            return found
        case inspect.IntType():
            number = int(data) if isinstance(data, _Fetched) and _DIGITS.fullmatch(data) else data
            if not isinstance(number, int) or isinstance(number, bool):
                _refuse(where, data, "write a whole number, without quotes.")
            return number
        case _:
            if not isinstance(data, str):
                _refuse(where, data, "write a text, in quotes.")
            return str(data)


def _split(data: _Fetched, where: Where) -> list[object]:
    """A list from outside the file: `a, b`, or TOML if it starts with a bracket."""
    if not data.lstrip().startswith("["):
        return [_Fetched(item.strip()) for item in data.split(",") if item.strip()]
    try:
        found = tomllib.loads(f"list = {data}")["list"]
    except tomllib.TOMLDecodeError as why:
        raise SettingsError(f'{label(where)} is not a list: {why}. Write ["a", "b"] or a, b.') from None
    return [_Fetched(item) if isinstance(item, str) else item for item in found]
