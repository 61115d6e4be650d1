"""Tells audit events as sentences; it decides nothing and shows what it does not know under the event's own name."""

from collections.abc import Callable, Mapping

from markupsafe import Markup
from msgspec import Struct

from mfa_gate.core.events import SYSTEM
from mfa_gate.core.messages import printable
from mfa_gate.core.notices import Told
from mfa_gate.web.dates import N_
from mfa_gate.web.views import HistoryLine


class Telling(Struct, frozen=True):
    """How one kind of event is told: its name in a filter, and the sentence; `by_other` if somebody else did it."""

    label: str
    sentence: str
    by_other: str | None = None


TELLINGS: Mapping[str, Telling] = {
    "store_created": Telling(N_("Store created"), N_("The store was created.")),
    "policy_changed": Telling(N_("Policy changed"), N_("{actor} changed the policy.")),
    "account_seen": Telling(N_("First visit"), N_("{person} was seen for the first time.")),
    "profile_changed": Telling(N_("Profile changed"), N_("Name, e-mail or groups of {person} changed.")),
    "spelling_refused": Telling(
        N_("Other spelling refused"), N_("Another spelling of the account name {person} was refused.")
    ),
    "admin_code_made": Telling(N_("Setup code made"), N_("{actor} made a setup code for {person}.")),
    "admin_code_spent": Telling(N_("Setup code used"), N_("{person} used a setup code.")),
    "setup_put_off": Telling(
        N_("Set-up put off"), N_("{person} was asked to set up two-step and chose to do so later.")
    ),
    "enrollment_started": Telling(N_("Setup begun"), N_("{person} began to set up two-step.")),
    "factor_added": Telling(N_("Two-step set up"), N_("{person} added an authenticator app.")),
    "factor_replaced": Telling(N_("App replaced"), N_("{person} replaced their authenticator app.")),
    "factor_removed": Telling(
        N_("App removed"),
        N_("{person} removed an authenticator app."),
        N_("{actor} removed an authenticator app of {person}."),
    ),
    "factor_disabled": Telling(
        N_("App disabled"), N_("The authenticator app of {person} was disabled after too many wrong codes.")
    ),
    "verified": Telling(N_("Code confirmed"), N_("{person} confirmed with a code.")),
    "verified_elsewhere": Telling(
        N_("From elsewhere"),
        N_("{person} confirmed with a code from a network or browser that was new."),
    ),
    "code_rejected": Telling(N_("Wrong code"), N_("A wrong code was entered for {person}.")),
    "account_paused": Telling(N_("Paused"), N_("{person} was paused after too many wrong codes.")),
    "tried_while_paused": Telling(
        N_("Tried while paused"), N_("More codes were tried for {person} during the pause.")
    ),
    "guessing_noticed": Telling(
        N_("Guessing noticed"), N_("Somebody may be guessing the codes of {person}.")
    ),
    "account_locked": Telling(
        N_("Locked"), N_("{person} was locked after too many wrong codes in a row; a reset opens it.")
    ),
    "browser_remembered": Telling(
        N_("Browser remembered"), N_("{person} had a browser remembered, which asks for no code at sign-in.")
    ),
    "browser_recognized": Telling(
        N_("Without a code"), N_("{person} came without a code, in a browser that is remembered.")
    ),
    "browser_copied": Telling(
        N_("Copy noticed"),
        N_(
            "An older state of a remembered browser of {person} was shown: it may have been copied, and is forgotten."
        ),
    ),
    "browser_forgotten": Telling(
        N_("Browser forgotten"),
        N_("{person} had a remembered browser forgotten."),
        N_("{actor} had a remembered browser of {person} forgotten."),
    ),
    "recovery_code_used": Telling(N_("Recovery code used"), N_("{person} used a recovery code.")),
    "recovery_codes_made": Telling(N_("Recovery codes made"), N_("Recovery codes were made for {person}.")),
    "device_registered": Telling(
        N_("Client registered"), N_("{person} registered a mobile or desktop client with a code.")
    ),
    "device_removed": Telling(
        N_("Client removed"),
        N_("{person} removed a mobile or desktop client."),
        N_("{actor} removed a mobile or desktop client of {person}."),
    ),
    "device_refused": Telling(
        N_("Foreign client refused"),
        N_(
            "A client that is registered for somebody else came with the sign-in of {person}, and was refused."
        ),
    ),
    "turned_off": Telling(N_("Turned off"), N_("{person} turned off two-step.")),
    "reset": Telling(N_("Reset"), N_("{actor} reset two-step for {person}.")),
    "exemption_given": Telling(N_("Exempted"), N_("{actor} exempted {person} from two-step for a while.")),
    "exemption_ending": Telling(
        N_("Exemption ends soon"), N_("The exemption of {person} from two-step ends soon.")
    ),
    "exemption_ended": Telling(
        N_("Exemption ended"),
        N_("{person} set up two-step, which ended their exemption."),
        N_("{actor} ended the exemption of {person}."),
    ),
    "signed_out": Telling(N_("Signed out"), N_("{person} signed out.")),
    "signed_out_everywhere": Telling(
        N_("Signed out everywhere"),
        N_("{person} ended all their sessions."),
        N_("{actor} ended all sessions of {person}."),
    ),
    "session_ended": Telling(
        N_("Session ended"), N_("{person} ended a session."), N_("{actor} ended a session of {person}.")
    ),
    "act_refused": Telling(N_("Act refused"), N_("{actor} tried something that is not allowed.")),
    "break_glass_granted": Telling(
        N_("Emergency access granted"), N_("{actor} let {person} pass without the second step for a while.")
    ),
    "break_glass_used": Telling(
        N_("Emergency access used"), N_("{person} passed without the second step, by an emergency grant.")
    ),
    "break_glass_revoked": Telling(
        N_("Emergency access revoked"), N_("{actor} took back the emergency grant of {person}.")
    ),
    "keys_rotated": Telling(N_("Keys exchanged"), N_("{actor} exchanged keys of the gate.")),
    "key_retired": Telling(N_("Key retired"), N_("{actor} retired a key of the gate.")),
    "store_restored": Telling(
        N_("Store restored"), N_("{actor} put the store back from an older copy; everybody was signed out.")
    ),
    "reminders_begun": Telling(N_("Reminders begun"), N_("{actor} sent reminders to set up two-step.")),
    "reminders_finished": Telling(N_("Reminders finished"), N_("Reminders to set up two-step went out.")),
    "reminder_sent": Telling(N_("Reminder sent"), N_("{actor} reminded {person} to set up two-step.")),
    "reminder_failed": Telling(
        N_("Reminder failed"), N_("A reminder to {person} may not have been delivered.")
    ),
    "notice_failed": Telling(
        N_("Notice not delivered"), N_("A mail about what happened could not be delivered.")
    ),
    "roster_imported": Telling(N_("Roster imported"), N_("{actor} imported a roster.")),
    "roster_settled": Telling(N_("Roster settled"), N_("The roster has reached every account.")),
    "account_listed": Telling(N_("Listed"), N_("A roster named {person} for the first time.")),
    "listing_changed": Telling(
        N_("Listing changed"), N_("The roster says something else of {person} than before.")
    ),
    "address_changed": Telling(
        N_("Address changed"), N_("{person} has another e-mail address now; the one before was told.")
    ),
    "deactivated": Telling(N_("Deactivated"), N_("The roster says that {person} is not active.")),
    "reactivated": Telling(N_("Reactivated"), N_("The roster says that {person} is active again.")),
    "list_exported": Telling(
        N_("List exported"), N_("{actor} exported a list of whom the requirement would stop.")
    ),
    "people_exported": Telling(N_("People exported"), N_("{actor} exported a list of people.")),
    "trail_archived": Telling(N_("Trail archived"), N_("The older part of the audit trail was archived.")),
    "trail_shortened": Telling(
        N_("Archived events left"),
        N_("Events that are archived left the store; their file was read back before."),
    ),
    "trail_exported": Telling(N_("Trail exported"), N_("{actor} exported the audit trail.")),
    "coverage_counted": Telling(N_("Coverage counted"), N_("It was counted how many people have two-step.")),
    "tampering_noticed": Telling(
        N_("Tampering noticed"), N_("Something in the store was changed, and not by the gate.")
    ),
}

_POLICY_TURNED: Mapping[str, Telling] = {
    "on": Telling(N_("Policy changed"), N_("{actor} turned on Require Two-Step Authentication.")),
    "off": Telling(N_("Policy changed"), N_("{actor} turned off Require Two-Step Authentication.")),
}
_EXEMPTION_CHANGED = Telling(N_("Exempted"), N_("{actor} changed the exemption of {person}."))
_SAID_ELSEWHERE = frozenset({"reason", "factor", "number", "require_two_step", "before", "run"})
_COUNTED: Mapping[str, str] = {
    "left": N_("{count} left"),
    "in_a_row": N_("{count} in a row"),
    "version": N_("version {count}"),
    "sent": N_("{count} sent"),
    "failed": N_("{count} failed"),
    "unknown": N_("{count} unknown"),
    "no_address": N_("{count} without an address"),
    "skipped": N_("{count} left out"),
}


def label(kind: str, translate: Callable[[str], str]) -> str:
    """Short name of a kind of event, for filters and badges."""
    telling = TELLINGS.get(kind)
    return translate(telling.label) if telling else kind


def tell(line: HistoryLine, translate: Callable[[str], str]) -> Markup:
    """The event as one sentence; names in it are escaped and set apart."""
    actor = _named(line.actor) if line.actor else Markup("{}").format(translate(N_("The gate")))
    person = _named(line.person, line.person_href) if line.person else actor
    telling = _telling(line)
    if telling is None:
        return Markup("{}: {}").format(line.kind, person)
    other = telling.by_other if line.actor and line.person and line.actor != line.person else None
    # Security: only the sentence, which is ours, is trusted; what people typed is escaped by Markup.format.
    return Markup(translate(other or telling.sentence)).format(actor=actor, person=person)  # noqa: S704


def told_in_mail(told: Told, translate: Callable[[str], str]) -> tuple[str, str]:
    """An event's short name and its sentence, as text; names in it are one line each."""
    line = HistoryLine(
        at=told.at,
        kind=told.kind,
        actor=None if told.actor == SYSTEM else printable(told.actor.shown, 80),
        person=printable(told.subject, 80) or None,
        facts=told.details,
    )
    return label(told.kind, translate), tell(line, translate).striptags()


def further_facts(
    line: HistoryLine, translate: Callable[[str], str], when: Callable[[int], str]
) -> tuple[str, ...]:
    """What else the event says, each in a few words; the reason stands by itself. `when` writes a moment in words."""
    words = []
    for name, value in line.facts.items():
        if name in _COUNTED:
            words.append(translate(_COUNTED[name]).format(count=value))
        elif name == "until" and value.isdecimal():
            words.append(translate(N_("until {when}")).format(when=when(int(value))))
        elif name == "name":
            words.append(value)
        elif name not in _SAID_ELSEWHERE:
            words.append(f"{name}: {value}")
    return tuple(words)


def _telling(line: HistoryLine) -> Telling | None:
    if line.kind == "exemption_given" and "before" in line.facts:
        return _EXEMPTION_CHANGED
    if line.kind == "policy_changed":
        return _POLICY_TURNED.get(line.facts.get("require_two_step", ""), TELLINGS[line.kind])
    return TELLINGS.get(line.kind)


def _named(name: str, href: str | None = None) -> Markup:
    if href:
        return Markup('<a class="name" href="{}"><bdi>{}</bdi></a>').format(href, name)
    return Markup('<bdi class="name">{}</bdi>').format(name)
