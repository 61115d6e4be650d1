"""What tests of the doors may ask for."""

import pytest

from tests.edges.fixtures import (
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

__all__ = ["backend", "build", "door", "gunicorn", "lax", "rig", "served", "servers", "towns", "uvicorn"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test through both doors."""
    spread(metafunc, (("asgi", "sqlite"), ("wsgi", "sqlite")))
