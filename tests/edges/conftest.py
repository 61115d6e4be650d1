"""What tests of the doors may ask for."""

from tests.edges.fixtures import build, door, gunicorn, lax, rig, served, towns, uvicorn

__all__ = ["build", "door", "gunicorn", "lax", "rig", "served", "towns", "uvicorn"]
