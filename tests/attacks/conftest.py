"""What tests of attacks may ask for."""

from tests.edges.fixtures import build, door, lax, rig, towns

__all__ = ["build", "door", "lax", "rig", "towns"]
