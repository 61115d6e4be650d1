"""The ASGI door: reads a request, asks for the verdict, and passes on or answers; it decides nothing."""

from mfa_gate.asgi.middleware import GateMiddleware

__all__ = ["GateMiddleware"]
