"""The WSGI door: the same verdict as the ASGI door, said in PEP 3333; it decides nothing."""

from mfa_gate.wsgi.middleware import GateMiddleware

__all__ = ["GateMiddleware"]
