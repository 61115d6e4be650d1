"""How one gate is wired: a file and the environment become one frozen value; it must not know the policy."""

from mfa_gate.settings.mail import Mail, MailServer
from mfa_gate.settings.model import Power, Settings
from mfa_gate.settings.problems import Problem, problems
from mfa_gate.settings.sections import Admin, Anchor, Keys, Portal, Store
from mfa_gate.settings.sources import FlaskSession, HeaderUser, RemoteUser, SourceSettings, StarletteSession
from mfa_gate.settings.template import default_toml
from mfa_gate.settings.values import Secret

__all__ = [
    "Admin",
    "Anchor",
    "FlaskSession",
    "HeaderUser",
    "Keys",
    "Mail",
    "MailServer",
    "Portal",
    "Power",
    "Problem",
    "RemoteUser",
    "Secret",
    "Settings",
    "SourceSettings",
    "StarletteSession",
    "Store",
    "default_toml",
    "problems",
]
