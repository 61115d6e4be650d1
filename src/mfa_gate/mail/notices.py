"""What the notices say: to whoever owns an account, and to those who administer; it must not know when they are due.

Security: as in `words`, nothing that somebody typed stands in them but names, one line each; where something was done
from is an address or nothing, and a browser one that we know or none.
"""

from collections.abc import Callable, Mapping
from gettext import NullTranslations
from ipaddress import ip_address
from typing import Final
from urllib.parse import quote

import msgspec

from mfa_gate.core.accounts import Account, fold_subject
from mfa_gate.core.events import EventKind
from mfa_gate.core.messages import printable
from mfa_gate.core.notices import Notice, Told
from mfa_gate.mail.words import Words, greeting

_GUESSING: Final[tuple[EventKind, ...]] = (
    "guessing_noticed",
    "account_paused",
    "account_locked",
    "factor_disabled",
)
Moment = Callable[[int], str]
Tell = Callable[[Told], tuple[str, str]]
"""A short name of what happened, and a sentence about it."""


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How the letters of one gate say things: the reader's language, moments in words, events as sentences."""

    catalog: NullTranslations
    moment: Moment
    tell: Tell
    portal: str
    home: str
    """The gate's own pages: the only base for links."""


def to_owner(manner: Manner, notice: Notice, account: Account) -> Words:
    """Tells somebody what happened to their account, from where, and what to do if it was not them."""
    translate = manner.catalog.gettext
    last, count = notice.events[-1], len(notice.events) + notice.more
    label, sentence = manner.tell(last)
    said = {
        "portal": manner.portal,
        "account": printable(account.subject, 80),
        "when": manner.moment(last.at),
        "first": manner.moment(notice.events[0].at),
        "count": str(count),
        "left": last.details.get("left", "?"),
        "until": _moment(manner, last.details.get("until", "")),
        "browser": last.details.get("browser", ""),
        "address": _address(last.actor.address),
        "label": label,
        "sentence": sentence,
    }
    times = translate("That happened {count} times within an hour, first on {first}.") if count > 1 else ""
    subject, what = _happened(translate, last.kind)
    lines = (what, times, *_by_whom(translate, last, account, said))
    return Words(
        subject=subject.format(**said),
        paragraphs=(
            greeting(manner.catalog, account.name),
            *(line.format(**said) for line in lines if line),
        ),
        button=(translate("Set up two-step"), f"{manner.home}/setup")
        if last.kind == "exemption_ending"
        else (translate("Look at your account"), f"{manner.home}/account"),
        small=(translate("This mail is about your account {account}.").format(**said),),
    )


def to_admins(manner: Manner, notice: Notice, account: Account | None) -> Words:
    """Tells an administrator, or all of them together, what happened to whom."""
    if notice.kind == "coverage_counted":
        return _of_coverage(manner, notice, account)
    translate = manner.catalog.gettext
    count = len(notice.events) + notice.more
    label, _ = manner.tell(notice.events[0])
    subject = f"{manner.portal}: {label}" + (f" ({count})" if count > 1 else "")
    more = translate("… and {count} more of the same kind.").format(count=notice.more)
    return Words(
        subject=subject,
        paragraphs=(
            greeting(manner.catalog, "" if account is None else account.name),
            *(f"{manner.moment(each.at)}: {manner.tell(each)[1]}" for each in notice.events),
            *((more,) if notice.more else ()),
            translate(
                "If you do not know why, look at it now: who did it, from where, and with what reason."
            ),
        ),
        button=(translate("Look at the audit trail"), f"{manner.home}/admin/audit?kind={notice.kind}"),
        small=(translate("You get this mail because you administer {portal}.").format(portal=manner.portal),),
    )


def _of_coverage(manner: Manner, notice: Notice, account: Account | None) -> Words:
    """The numbers and a link: who is exempt and why, as the report names them, is for the page alone."""
    translate, details = manner.catalog.gettext, notice.events[-1].details
    said = {"portal": manner.portal} | {name: details.get(name, "?") for name in ("day", "covered", "people")}
    return Words(
        subject=translate("{portal}: {covered} of {people} people have two-step").format(**said),
        paragraphs=(
            greeting(manner.catalog, "" if account is None else account.name),
            translate("On {day} {covered} of {people} people at {portal} had set up two-step.").format(
                **said
            ),
            translate(
                "The report says more: by group and over time, who is exempt, what was done, every way past it."
            ),
        ),
        button=(translate("Look at the report"), f"{manner.home}/admin/report?day={quote(said['day'])}"),
        small=(translate("You get this mail because you administer {portal}.").format(portal=manner.portal),),
    )


def _happened(translate: Callable[[str], str], kind: EventKind) -> tuple[str, str]:
    """Subject and sentence, with places for what `to_owner` fills in."""
    match kind:
        case "factor_added":
            return translate("Two-step was set up for your account at {portal}"), translate(
                "An authenticator app was added to your account on {when}. From now on {portal} asks for its codes."
            )
        case "factor_replaced":
            return translate("A new authenticator app was added to your account at {portal}"), translate(
                "Your authenticator app was replaced by another one on {when}. Codes of the old one do not count."
            )
        case "factor_removed":
            return translate("An authenticator app was removed from your account at {portal}"), translate(
                "An authenticator app was removed from your account on {when}. Its codes are no longer valid."
            )
        case "recovery_code_used":
            return translate("A recovery code was used for your account at {portal}"), translate(
                "Somebody signed in with one of your recovery codes on {when}. Codes that are left: {left}."
            )
        case "recovery_codes_made":
            return translate("New recovery codes were made for your account at {portal}"), translate(
                "New recovery codes were made for your account on {when}. The earlier ones are no longer valid."
            )
        case "turned_off":
            return translate("Two-step was turned off for your account at {portal}"), translate(
                "Two-step was turned off for your account on {when}. Now your password alone opens it."
            )
        case "reset":
            return translate("Two-step was reset for your account at {portal}"), translate(
                "Two-step was reset for your account on {when}. Your authenticator app, your recovery codes and all "
                "sessions have ended. You can set it up again the next time you sign in."
            )
        case "exemption_given":
            return translate("You are exempted from two-step at {portal}"), translate(
                "Since {when} you can use {portal} without setting up two-step, until {until}. Pages that ask you to "
                "confirm it's you still need it."
            )
        case "exemption_ending":
            return translate("Set up two-step for {portal}: your exemption ends soon"), translate(
                "You can use {portal} without two-step until {until}. Set it up before: it takes about two minutes."
            )
        case "exemption_ended":
            return translate("Your exemption from two-step at {portal} has ended"), translate(
                "Your exemption from two-step was ended on {when}. If it is required of you, you are led to the setup "
                "the next time you sign in."
            )
        case "signed_out_everywhere" | "session_ended":
            return translate("Your account at {portal} was signed out"), translate(
                "Sessions of your account were ended on {when}. To go on there, sign in again."
            )
        case _:
            return _used_or_tried(translate, kind)


def _used_or_tried(translate: Callable[[str], str], kind: EventKind) -> tuple[str, str]:
    match kind:
        case "verified_elsewhere":
            return translate("Your account at {portal} was used from somewhere new"), translate(
                "On {when} a code of yours was confirmed from a network or browser from which it never was before."
            )
        case "guessing_noticed":
            return translate("Wrong codes were entered for your account at {portal}"), translate(
                "Several wrong codes in a row were entered for your account until {when}."
            )
        case "account_paused":
            return translate("Your account at {portal} is paused after wrong codes"), translate(
                "So many wrong codes were entered for your account until {when} that no code is taken for 15 minutes."
            )
        case "account_locked":
            return translate("Your account at {portal} is locked after too many wrong codes"), translate(
                "So many wrong codes in a row were entered for your account until {when} that codes are only taken in "
                "browsers that are signed in already. An administrator can reset your two-step."
            )
        case "factor_disabled":
            return translate("Your authenticator app for {portal} is disabled"), translate(
                "So many wrong codes in a row were entered for your account until {when} that none is taken any more. "
                "An administrator can reset your two-step."
            )
        case "break_glass_granted":
            return translate("Emergency access to your account at {portal} was granted"), translate(
                "Since {when} your account passes without the second step, until {until}."
            )
        case "break_glass_used":
            return translate("Emergency access to your account at {portal} was used"), translate(
                "Your account was used without the second step on {when}, by an emergency grant."
            )
        case "break_glass_revoked":
            return translate("Emergency access to your account at {portal} has ended"), translate(
                "The emergency grant for your account was taken back on {when}."
            )
        case "address_changed":
            return translate("Mail about your account at {portal} goes to another address"), translate(
                "Since {when} another e-mail address stands for your account. This is the last mail to this one; the "
                "new one proves nothing for a day."
            )
        case _:
            return _of_browsers(translate, kind)


def _of_browsers(translate: Callable[[str], str], kind: EventKind) -> tuple[str, str]:
    match kind:
        case "browser_remembered":
            return translate("A browser is remembered for your account at {portal}"), translate(
                "Since {when} a browser asks for no code when you sign in to {portal} in it, until {until} at the "
                "latest. You can have it forgotten in Account Settings."
            )
        case "browser_recognized":
            return translate(
                "A remembered browser of yours was used from somewhere new, at {portal}"
            ), translate(
                "On {when} a browser that is remembered for your account came from a network from which you never "
                "came, or as another browser than before. It was not asked for a code."
            )
        case "browser_copied":
            return translate("A remembered browser of yours may have been copied, at {portal}"), translate(
                "On {when} somebody used what only an older copy of a browser remembered for your account can hold. "
                "It asks for a code again, and sessions opened in it have ended."
            )
        case "browser_forgotten":
            return translate("A browser is no longer remembered for your account at {portal}"), translate(
                "On {when} a browser remembered for your account was forgotten. It asks for a code again."
            )
        case _:
            return "{portal}: {label}", "{when}: {sentence}"


def _by_whom(
    translate: Callable[[str], str], told: Told, account: Account, said: Mapping[str, str]
) -> tuple[str, ...]:
    """Who did it or from where, as far as that is for the owner to know, and what to do."""
    where = ""
    if said["address"]:
        where = translate("It came from the address {address}.")
    if said["address"] and said["browser"]:
        where = translate("It came from {browser}, address {address}.")
    if told.kind in _GUESSING:
        return where, translate(
            "If that was you, there is nothing to do but to wait. If not, somebody knows your password: change it at "
            "{portal} now."
        )
    actor = told.actor
    own = actor.realm == account.realm and fold_subject(actor.subject) == fold_subject(account.subject)
    if own and actor.surface != "shell":
        return where, translate(
            "If that was you, there is nothing to do. If not, somebody can sign in as you: change your password at "
            "{portal} now, and tell whoever runs it."
        )
    by = {"shell": translate("It was done on the server itself."), "gate": ""}
    return by.get(actor.surface, translate("Somebody who administers {portal} did that.")), translate(
        "If you do not know why, ask whoever runs {portal}."
    )


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return ""


def _moment(manner: Manner, until: str) -> str:
    return manner.moment(int(until)) if until.isascii() and until.isdecimal() else "?"
