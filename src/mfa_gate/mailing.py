"""Puts together what writes mail and what carries it; it decides nothing about a letter.

Whatever is slow to import is imported when it is first needed.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from mfa_gate.ports import Store
from mfa_gate.settings import Settings

if TYPE_CHECKING:
    from mfa_gate.flows.deadlines import Deadlines
    from mfa_gate.flows.notifying import Notifying, Recipients
    from mfa_gate.flows.posting import Post
    from mfa_gate.flows.reminding import Reminding
    from mfa_gate.mail.letters import Letters


class Clocks(Protocol):
    """Where time comes from."""

    @property
    def clock(self) -> Callable[[], float]:
        """UTC seconds."""

    @property
    def monotonic(self) -> Callable[[], float]:
        """Seconds that never go back."""


class Chances(Clocks, Protocol):
    """And where chance comes from."""

    @property
    def random(self) -> Callable[[int], bytes]:
        """N unpredictable bytes."""


def reminding(settings: Settings, store: Store, clocks: Clocks) -> "Reminding":
    """The job that sends reminders."""
    from mfa_gate.flows.delivering import Delivering
    from mfa_gate.flows.reminding import Reminding

    delivering = Delivering(
        store,
        store,
        writer=letters(settings),
        domain=settings.mail.domain,
        administers=lambda account: settings.is_admin(account) is not None,
        clock=clocks.clock,
    )
    return Reminding(
        store,
        store,
        store,
        store,
        delivering=delivering,
        post=post(settings),
        clock=clocks.clock,
        monotonic=clocks.monotonic,
    )


def deadlines(settings: Settings, store: Store, sources: Chances) -> "Deadlines":
    """The job that looks for people whose time without two-step ends soon."""
    from mfa_gate.flows.deadlines import Deadlines

    return Deadlines(store, domain=settings.mail.domain, random=sources.random, clock=sources.clock)


def notifying(settings: Settings, store: Store, clocks: Clocks) -> "Notifying":
    """The job that tells people what happened."""
    from mfa_gate.flows.notifying import Notifying

    return Notifying(
        store,
        writer=letters(settings),
        recipients=recipients(settings),
        post=post(settings),
        clock=clocks.clock,
        monotonic=clocks.monotonic,
    )


def recipients(settings: Settings) -> "Recipients":
    """To whom the administrators' notices go."""
    from mfa_gate.flows.notifying import Recipients

    return Recipients(
        admins=settings.named_admins,
        mailbox=settings.mail.admins,
        domain=settings.mail.domain,
        groups=settings.admin_groups,
        is_admin=lambda account: settings.is_admin(account) == "admin",
    )


def post(settings: Settings) -> "Post":
    """What carries mail; where the settings name nothing, everything waits."""
    mail = settings.mail
    if mail.dir is not None:
        from mfa_gate.mail.folder import FolderPost

        return FolderPost(mail.dir)
    if mail.server is not None:
        from mfa_gate.mail.smtp import SmtpPost

        return SmtpPost(mail, mail.server, settings.host)
    from mfa_gate.mail.nowhere import Nowhere

    return Nowhere()


def letters(settings: Settings) -> "Letters":
    """What writes the letters, in the language of the settings."""
    from mfa_gate.core.mailboxes import mail_domain
    from mfa_gate.mail.letters import Letters
    from mfa_gate.mail.messages import Letterhead
    from mfa_gate.web import dates, sentences, theme, translations

    catalogs = translations.load_translations()
    language = translations.choose_language(settings.language, catalogs)
    catalog, zone = catalogs[language], dates.zone_named(settings.time_zone)
    help_url = settings.help_url
    translate = catalog.gettext
    return Letters(
        Letterhead(
            portal=settings.name,
            sender=settings.mail.sender or f"two-step@{mail_domain(settings.host) or 'localhost'}",
            home=f"{settings.public_url}{settings.mount}",
            help_text=settings.help_text,
            help_url=f"{settings.public_url}{help_url}" if help_url.startswith("/") else help_url,
            language=language,
            direction=translations.direction(language),
            accent=settings.accent,
            ink=theme.ink_on(settings.accent),
        ),
        catalog,
        day=lambda at, now: dates.in_words(at, "date", now=now, zone=zone, translate=translate),
        moment=lambda at: dates.whole_moment(at, zone=zone, translate=translate),
        tell=lambda told: sentences.told_in_mail(told, translate),
    )
