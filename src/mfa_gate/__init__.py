"""An organization-wide two-step gate that any web portal gets without changing a line of its code."""

from mfa_gate.gate import Gate
from mfa_gate.settings import Settings

__all__ = ["Gate", "Settings"]
