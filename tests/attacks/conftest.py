"""What tests of attacks may ask for."""

from tests.attacks.crew import crew
from tests.edges.fixtures import build, door, lax, rig, towns

__all__ = ["build", "crew", "door", "lax", "rig", "towns"]
