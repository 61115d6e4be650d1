"""Decides what is wrong with settings that are well formed, for `mfa-gate check`; it must not read store or keys."""

from typing import Final, Literal

import msgspec

from mfa_gate.core.policy import PathRule
from mfa_gate.settings.model import Settings
from mfa_gate.settings.sources import HeaderUser, RemoteUser, SourceSettings
from mfa_gate.settings.values import host_of, is_loopback

Edge = Literal["asgi", "wsgi"]
_OPENING: Final = ("sign_in", "sign_out", "public")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong. An `error` fails `mfa-gate check`; a `warning` is what somebody should know."""

    severity: Literal["error", "warning"]
    setting: str
    text: str


def problems(settings: Settings, *, edge: Edge | None = None) -> tuple[Problem, ...]:
    """Everything found, errors first. `edge` is the middleware that will carry the gate, where that is known."""
    found = [
        *_source_problems(settings, edge),
        *_rule_problems(settings),
        *_reach_problems(settings),
        *_people_problems(settings),
        *_mail_problems(settings),
    ]
    return tuple(sorted(found, key=lambda problem: problem.severity))


def has_stable_session(source: SourceSettings) -> bool:
    """True if the source names the portal sign-in itself, so that a new one is noticed."""
    return bool(getattr(source, "session_id_field", ""))


def _source_problems(settings: Settings, edge: Edge | None) -> list[Problem]:
    found = []
    for source in settings.identity:
        at = f"[[identity]] {source.source}"
        if isinstance(source, HeaderUser) and not settings.trusted_proxies:
            found.append(
                _error(
                    at, "it can never fire: a header counts only from a trusted proxy. Fill trusted_proxies."
                )
            )
        if isinstance(source, RemoteUser) and edge == "asgi":
            found.append(
                _error(
                    at,
                    "it can never fire: ASGI has no REMOTE_USER. Use the WSGI middleware, or another source.",
                )
            )
        if not has_stable_session(source) and not _sign_in_ends(settings.portal.rules):
            found.append(
                _error(
                    "[portal] rules",
                    f"no sign-in of {source.source} ever ends: it names no session, and there is neither a sign_out "
                    "rule nor a sign_in rule. Add them, with the portal's own paths.",
                )
            )
    return found


def _sign_in_ends(rules: tuple[PathRule, ...]) -> bool:
    return any(rule.kind in ("sign_in", "sign_out") for rule in rules)


def _rule_problems(settings: Settings) -> list[Problem]:
    found = []
    for number, rule in enumerate(settings.portal.rules):
        at = f"[portal] rules[{number}]"
        if rule.path == "/" and rule.kind in _OPENING:
            found.append(
                _warning(at, f'a {rule.kind} rule for "/" covers every path: it opens the whole portal.')
            )
        if f"{rule.path.rstrip('/')}/".startswith(f"{settings.mount}/"):
            found.append(_warning(at, f'"{rule.path}" is under the mount, which the gate answers itself.'))
        shadow = next(
            (n for n, earlier in enumerate(settings.portal.rules[:number]) if _covers(earlier, rule)), None
        )
        if shadow is not None:
            found.append(
                _warning(at, f'rules[{shadow}] comes first and covers "{rule.path}": this rule never fires.')
            )
    return found


def _covers(earlier: PathRule, later: PathRule) -> bool:
    methods = not earlier.methods or (later.methods and set(later.methods) <= set(earlier.methods))
    prefix = earlier.path.endswith("/") and later.path.startswith(earlier.path)
    return bool(methods) and (prefix or earlier.path == later.path)


def _reach_problems(settings: Settings) -> list[Problem]:
    found = []
    if settings.mode == "observe":
        found.append(_warning("mode", '"observe": nothing is enforced.'))
    if not settings.is_https and not is_loopback(host_of(settings.public_url)):
        found.append(
            _warning(
                "public_url",
                f'"{settings.public_url}": without https browsers send the gate\'s cookie in the clear, and passkeys '
                "do not work. Write https:// if browsers reach it so.",
            )
        )
    folder = None if settings.store.redis else settings.store.path.parent
    if settings.anchor.path is None:
        found.append(_warning("[anchor] path", "there is no anchor: rollback is not detected."))
    elif settings.anchor.path.parent == folder:
        found.append(
            _warning(
                "[anchor] path", "it is in the store's own folder: who puts back the one puts back both."
            )
        )
    if settings.keys.file is not None and settings.keys.file.parent == folder:
        found.append(_warning("[keys] file", "it is in the store's own folder: a thief of the one has both."))
    if settings.logo is not None and not settings.logo.is_file():
        found.append(_error("logo", f'there is no file "{settings.logo}".'))
    return found


def _people_problems(settings: Settings) -> list[Problem]:
    found = []
    if not settings.admin.admins:
        found.append(_warning("[admin] admins", "nobody administers this gate. Name at least one account."))
    if not settings.admin.setup_code:
        found.append(
            _warning(
                "[admin] setup_code",
                "false: whoever knows the password of who administers can enroll in their place. For a demo only.",
            )
        )
    if not settings.portal.sign_in_url:
        found.append(
            _warning("[portal] sign_in_url", "it is empty: strangers are told to sign in, but not where.")
        )
    return found


def _mail_problems(settings: Settings) -> list[Problem]:
    if not settings.mail.leaves:
        text = "no mail is sent: nobody is reminded, or told what was done to their two-step. Write smtp and sender."
        return [_warning("[mail] smtp", text)]
    found = []
    if settings.mail.dir is not None and not is_loopback(settings.host):
        found.append(
            _warning("[mail] dir", "every mail stays in this folder, and nobody gets it. For a demo only.")
        )
    return found


def _error(setting: str, text: str) -> Problem:
    return Problem(severity="error", setting=setting, text=text)


def _warning(setting: str, text: str) -> Problem:
    return Problem(severity="warning", setting=setting, text=text)
