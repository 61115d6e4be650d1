"""What every test may ask for: how often to repeat a race, and which event loop runs an async test."""

from typing import Literal, cast

import pytest
from hypothesis import settings

Scale = Literal["small", "full"]

# How long an example takes says more of the machine than of the code.
settings.register_profile("mfa_gate", deadline=None)
settings.load_profile("mfa_gate")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--scale`, which says how often races and kills are repeated."""
    parser.addoption(
        "--scale", choices=("small", "full"), default="small", help="how often races and kills are repeated"
    )


@pytest.fixture(scope="session")
def scale(pytestconfig: pytest.Config) -> Scale:
    """`small` on every commit, `full` before a release."""
    return cast("Scale", pytestconfig.getoption("--scale"))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Servers run us on asyncio; nothing in the package is written for another loop."""
    return "asyncio"
