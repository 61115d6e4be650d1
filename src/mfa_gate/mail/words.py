"""What each letter says, in the reader's language; it must not know how it looks or where it goes.

Security: names come from people and stand in sentences of ours, as one line each. Nothing else that somebody typed
(the name of an app, a reason) is ever in a letter: whoever can write into mail of the organization could phish with it.
"""

from gettext import NullTranslations

import msgspec

from mfa_gate.core.messages import printable


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """One letter. `button`: its words, and the address that it leads to."""

    subject: str
    paragraphs: tuple[str, ...]
    button: tuple[str, str] | None = None
    small: tuple[str, ...] = ()


def greeting(catalog: NullTranslations, name: str) -> str:
    """How a letter begins."""
    translate = catalog.gettext
    return translate("Hello {name},").format(name=printable(name, 80)) if name else translate("Hello,")


def reminder(
    catalog: NullTranslations,
    *,
    portal: str,
    name: str,
    account: str,
    deadline: str | None,
    required: bool,
    url: str,
) -> Words:
    """Asks somebody to set up two-step; `deadline` is a day in words, `required`: the policy asks it of them."""
    translate = catalog.gettext
    why = translate(
        "{portal} asks for a second step when you sign in: a code from your phone beside your password, so "
        "that nobody gets in with the password alone. You have not set it up yet."
    )
    subject, when = (
        translate("Set up two-step for {portal}"),
        translate("It takes about two minutes. Until it is done, you are led there each time you sign in."),
    )
    if deadline:
        subject = translate("Set up two-step for {portal} by {day}")
        when = translate("It takes about two minutes. You can use {portal} without it until {day}.")
    if not required:
        why = translate(
            "{portal} can ask for a second step when you sign in: a code from your phone beside your password, so "
            "that nobody gets in with the password alone. You have not set it up yet."
        )
        when = translate("It takes about two minutes. It is not required of you yet.")
    said = {"portal": portal, "day": deadline or ""}
    return Words(
        subject=subject.format(**said),
        paragraphs=(
            greeting(catalog, name),
            why.format(**said),
            when.format(**said),
        ),
        button=(translate("Set up two-step"), url),
        small=(
            translate(
                "You can also sign in to {portal} as you always do; you are led to the same page."
            ).format(**said),
            translate("This mail is about your account {account}.").format(account=printable(account, 80)),
        ),
    )
