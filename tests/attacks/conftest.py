"""What tests of attacks may ask for."""

from tests.attacks.crew import crew
from tests.edges.fixtures import build, door, gunicorn, lax, rig, served, towns, uvicorn

__all__ = ["build", "crew", "door", "gunicorn", "lax", "rig", "served", "towns", "uvicorn"]
