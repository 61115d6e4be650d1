"""What tests of attacks may ask for, and on which stores each row of the catalogue is tried."""

import re
import zlib

import pytest

from tests.attacks.crew import crew
from tests.edges.asking import DoorName
from tests.edges.fixtures import (
    Pair,
    backend,
    build,
    door,
    gunicorn,
    lax,
    rig,
    served,
    servers,
    spread,
    towns,
    uvicorn,
)

__all__ = [
    "backend",
    "build",
    "crew",
    "door",
    "gunicorn",
    "lax",
    "rig",
    "served",
    "servers",
    "towns",
    "uvicorn",
]

KEPT = {
    *("D01", "D02", "D07", "D10", "D13", "D14", "D15", "D18", "D21"),
    *("B14", "B16"),
    *("E01", "E04", "E08", "E10", "E12", "E13", "E14", "E16", "E18", "E19", "E20", "E21"),
    *("F01", "F03", "F07", "F09", "F11", "F12", "F15", "F16", "F20"),
    *("I09", "J01", "J02", "J03", "J13", "J16"),
    *("W03", "W08", "W14", "W18", "W19", "W23"),
}
"""Rows that what the store does decides, too; tried on a server as well. The other rows never get as far."""
RACES = {
    "D02_parallel_submission",
    "E08_a_confirmation_is_taken_once",
    "E14_recovery_codes_are_taken_once",
    "F09_at_one_moment",
}
"""The store alone decides these; tried on every kind of server."""
FILE: tuple[Pair, ...] = (("asgi", "sqlite"), ("wsgi", "sqlite"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test on SQLite through both doors; on a server through one, some this one and some that one."""
    name = metafunc.function.__name__.removeprefix("test_")
    one: DoorName = "asgi" if zlib.crc32(name.encode()) % 2 else "wsgi"
    if metafunc.definition.get_closest_marker("sqlite"):
        spread(metafunc, FILE)
    elif name in RACES:
        spread(metafunc, (*FILE, ("asgi", "redis-7"), ("wsgi", "redis-8"), ("asgi", "valkey-9")))
    elif set(re.findall(r"[A-Z]\d\d", name)) & KEPT:
        spread(metafunc, (*FILE, (one, "redis-7")))
    else:
        spread(metafunc, FILE)
