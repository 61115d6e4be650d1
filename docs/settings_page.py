"""Writes `reference/settings.md` out of the settings' own types and what is said beside their fields.

It must not know a setting by name, but for the path rules, which want an example.
"""

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Final

import msgspec
from msgspec import inspect as types

from mfa_gate.settings import Secret, Settings

HEAD: Final = """\
# Settings

<!-- Written by scripts/docs out of the code; what you change here is lost. -->

One gate is wired by one file, `mfa-gate.toml`. `mfa-gate init` writes it with comments, `mfa-gate check` says what is
wrong with it, and a key that does not exist is an error. What the organization requires does not stand here: that is
the policy, which is kept in the store and changed on the pages under Admin or by `mfa-gate policy set`.

A value may also be `"env:NAME"`, which is a variable of the environment, or `"file:PATH"`, which is the content of a
file; a secret must be one of the two. A variable can also override a key, whatever the file says: `MFA_GATE_MODE` is
`mode`, `MFA_GATE_STORE__URL` is `url` in `[store]`, `MFA_GATE_IDENTITY__0__SECRET` is `secret` of the first source.
Relative paths start at the folder of the file.
"""

RULES: Final = """\
A rule has `kind`, `path` and perhaps `methods`. A path that ends in `/` covers everything below it, any other is that
one path. The first rule that fits decides, and what no rule names needs a user who has passed two-step.

| kind | what it does |
|---|---|
| `sign_in` | open, but only to whoever is not signed in yet; a form sent there ends the gate's session |
| `sign_out` | open to everybody, and ends the gate's session |
| `public` | open to everybody; whoever is not verified goes on without the portal's credentials |
| `step_up` | needs a verification by authenticator app at most `max_age` seconds old |

```toml
rules = [
    { kind = "sign_in", path = "/login" },
    { kind = "sign_out", path = "/logout", methods = ["POST"] },
    { kind = "public", path = "/static/" },
    { kind = "step_up", path = "/admin/", max_age = 300 },
]
```

A rule that opens something compares byte for byte. A `step_up` rule also covers other spellings of its path, which the
portal might take for the same page.
"""


def page() -> str:
    """The whole page."""
    info = _struct(Settings)
    tables = [field for field in info.fields if _structs(field.type)]
    parts = [HEAD, "## At the top of the file\n", _fields(info, {field.name for field in tables})]
    for field in tables:
        sources = _structs(field.type)
        for source in sources:
            title = f"`[{field.name}]`"
            if isinstance(field.type, types.VarTupleType):
                title = f"`[[{field.name}]]`" + (f' with `source = "{source.tag}"`' if source.tag else "")
            parts += [
                f"## {title}\n",
                f"{inspect.cleandoc(source.cls.__doc__ or '')}\n",
                _fields(source, set()),
            ]
            if any(each.name == "rules" for each in source.fields):
                parts += ["### Path rules\n", RULES]
    return "\n".join(parts)


def _struct(cls: type[msgspec.Struct]) -> types.StructType:
    info = types.type_info(cls)
    if not isinstance(info, types.StructType):
        raise TypeError(f"{cls} is no record")
    return info


def _structs(kind: types.Type) -> list[types.StructType]:
    """The tables that a setting holds: one, or for a list of sources one of each kind."""
    match kind:
        case types.StructType():
            return [kind]
        case types.VarTupleType(item_type=types.StructType() as member):
            return [member]
        case types.VarTupleType(item_type=types.UnionType(types=members)):
            return [each for each in members if isinstance(each, types.StructType)]
        case _:
            return []


def _fields(info: types.StructType, without: set[str]) -> str:
    said = dict(_said(info.cls))
    shown = [field for field in info.fields if field.name not in without]
    for field in shown:
        if field.name not in said:
            raise LookupError(f"{info.cls.__name__}.{field.name}: say below it what it means")
    return "".join(
        f"- `{field.name}` ({_kind(field.type)}{_default(field)}): {said[field.name]}\n" for field in shown
    )


def _said(cls: type) -> Iterator[tuple[str, str]]:
    """Name and description of each field: the text that stands right below it."""
    (definition,) = ast.parse(dedent(inspect.getsource(cls))).body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    for field, below in pairwise(body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                yield name, inspect.cleandoc(said).replace("\n", " ")
            case _:
                pass


def _kind(kind: types.Type) -> str:
    match kind:
        case types.BoolType():
            return "true or false"
        case types.IntType():
            return "number"
        case types.LiteralType(values=values):
            return " or ".join(f"`{value}`" for value in values if value)
        case types.CustomType(cls=cls):
            return {Secret: "secret", Path: "path"}[cls]
        case types.VarTupleType(item_type=item):
            return f"list of {_kind(item)}s"
        case types.StructType():
            return "rule"
        case types.UnionType(types=members):
            return _kind(next(each for each in members if not isinstance(each, types.NoneType)))
        case _:
            return "text"


def _default(field: types.Field) -> str:
    if field.required:
        return ", needed"
    match field.default:
        case None | "" | ():
            return ""
        case bool() as value:
            return f", default `{str(value).lower()}`"
        case value:
            return f", default `{value}`"
