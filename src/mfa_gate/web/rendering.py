"""Turns a view into a page: the only module that knows templates; it knows no request, no route and no account."""

from collections.abc import Callable, Mapping
from gettext import NullTranslations
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from mfa_gate.web import (
    admin_roster_views,
    admin_views,
    assets,
    dates,
    policy_views,
    report_views,
    sentences,
    theme,
    translations,
    views,
)

View = (
    views.SetupChoose
    | views.SetupScan
    | views.SetupCodes
    | views.SetupDone
    | views.Onward
    | views.Verify
    | views.RecoveryCodeUsed
    | views.AccountSettings
    | views.Confirm
    | views.Message
    | views.SignInRequired
    | admin_views.AdminOverview
    | admin_views.AdminPeopleExport
    | admin_views.AdminUsers
    | admin_roster_views.AdminRoster
    | admin_roster_views.AdminRosterOffer
    | admin_views.AdminUser
    | admin_views.AdminAct
    | policy_views.AdminPolicies
    | policy_views.AdminPolicyHistory
    | policy_views.AdminImpactExport
    | admin_views.AdminAudit
    | admin_views.AdminExport
    | admin_views.AdminReminders
    | admin_views.AdminReminderRun
    | report_views.AdminReport
)
"""Everything that can be rendered."""

TEMPLATES: Mapping[type[View], str] = {
    views.SetupChoose: "setup/choose.html",
    views.SetupScan: "setup/scan.html",
    views.SetupCodes: "setup/codes.html",
    views.SetupDone: "setup/done.html",
    views.Onward: "onward.html",
    views.Verify: "verify.html",
    views.RecoveryCodeUsed: "recovery_code_used.html",
    views.AccountSettings: "account.html",
    views.Confirm: "confirm.html",
    views.Message: "message.html",
    views.SignInRequired: "sign_in_required.html",
    admin_views.AdminOverview: "admin/overview.html",
    admin_views.AdminUsers: "admin/users.html",
    admin_roster_views.AdminRoster: "admin/roster.html",
    admin_roster_views.AdminRosterOffer: "admin/roster_offer.html",
    admin_views.AdminUser: "admin/user.html",
    admin_views.AdminAct: "admin/act.html",
    policy_views.AdminPolicies: "admin/policies.html",
    policy_views.AdminPolicyHistory: "admin/policy_history.html",
    policy_views.AdminImpactExport: "admin/impact_export.html",
    admin_views.AdminAudit: "admin/audit.html",
    admin_views.AdminExport: "admin/export.html",
    admin_views.AdminPeopleExport: "admin/people_export.html",
    admin_views.AdminReminders: "admin/reminders.html",
    admin_views.AdminReminderRun: "admin/reminder_run.html",
    report_views.AdminReport: "admin/report.html",
}


class Renderer:
    """Renders the pages of one gate; safe to use from many threads."""

    def __init__(self, chrome: views.Chrome, catalogs: Mapping[str, NullTranslations] | None = None) -> None:
        """Take the catalogs that come with the package, unless others are given."""
        self._chrome = chrome
        catalogs = translations.load_translations() if catalogs is None else catalogs
        self._environments = {
            language: _environment(chrome, catalog) for language, catalog in catalogs.items()
        }

    @property
    def languages(self) -> tuple[str, ...]:
        """What `PageContext.language` may be; anything else is shown in English."""
        return tuple(sorted(self._environments))

    def render(self, view: View, *, page: views.PageContext) -> str:
        """The whole HTML document for `view`."""
        return self._render(TEMPLATES[type(view)], view, page)

    def alone(self, view: report_views.ReportFile, *, page: views.PageContext) -> str:
        """An HTML document that stands by itself, in a file: no page of ours, and nothing of ours beside it."""
        return self._render("report_file.html", view, page)

    def _render(self, name: str, view: View | report_views.ReportFile, page: views.PageContext) -> str:
        language = page.language if page.language in self._environments else translations.SOURCE_LANGUAGE
        template = self._environments[language].get_template(name)
        return template.render(
            view=view, page=page, language=language, direction=translations.direction(language)
        )


def _environment(chrome: views.Chrome, catalog: NullTranslations) -> Environment:
    # Security: everything is escaped; the only trusted markup is what this package makes itself (Markup).
    environment = Environment(
        loader=PackageLoader("mfa_gate.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    # The i18n extension adds this method to the environment when it is loaded.
    install: Callable[..., None] = environment.install_gettext_translations  # type: ignore[attr-defined]
    install(catalog, newstyle=True)
    environment.globals.update(
        chrome=chrome, static=assets.static_url, theme_version=chrome.accent.lstrip("#").lower()
    )
    environment.filters.update(_time_filters(chrome, catalog))
    environment.filters.update(
        number=lambda value: _number(value, catalog),
        percent=lambda part, whole: _percent(part, whole, catalog),
        sentence=lambda line: sentences.tell(line, catalog.gettext),
        event_label=lambda kind: sentences.label(kind, catalog.gettext),
        initial=lambda name: name.strip()[:1].upper() or "·",
    )
    theme.parse_color(chrome.accent)
    return environment


def _time_filters(chrome: views.Chrome, catalog: NullTranslations) -> dict[str, Callable[..., Any]]:
    zone = dates.zone_named(chrome.time_zone)

    def filter_for(style: dates.DateStyle) -> Callable[..., Markup]:
        @pass_context
        def written(context: Context, at: int) -> Markup:
            now: int = context["page"].now
            words = dates.in_words(at, style, now=now, zone=zone, translate=catalog.gettext)
            return dates.time_element(at, style, words)

        return written

    @pass_context
    def further_facts(context: Context, line: views.HistoryLine) -> tuple[str, ...]:
        now: int = context["page"].now

        def when(at: int) -> str:
            return dates.in_words(at, "moment", now=now, zone=zone, translate=catalog.gettext)

        return sentences.further_facts(line, catalog.gettext, when)

    def said(at: int) -> str:
        return dates.whole_moment(at, zone=zone, translate=catalog.gettext)

    def day(text: str) -> str:
        return dates.whole_day(text, zone=zone, translate=catalog.gettext)

    return {
        "further_facts": further_facts,
        "said": said,
        "day": day,
        **{style: filter_for(style) for style in ("date", "clock", "moment")},
    }


def _number(value: int, catalog: NullTranslations) -> str:
    return f"{value:,}".replace(",", catalog.pgettext("thousands separator", ","))


def _percent(part: int, whole: int, catalog: NullTranslations) -> str:
    # Rounded down: 100 % stands there only when nobody is missing.
    tenths = 1000 * part // whole if whole else 0
    point = catalog.pgettext("decimal separator", ".")
    shown = f"{tenths // 10}{point}{tenths % 10}" if tenths % 10 else f"{tenths // 10}"
    return catalog.pgettext("percentage", "{number}%").format(number=shown)
