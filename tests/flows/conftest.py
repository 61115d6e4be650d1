"""What tests of the use cases may ask for: a house with a store of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def strict_house(tmp_path: Path) -> Iterator[House]:
    """Where administrators need a setup code for their first enrollment."""
    made = House(tmp_path, setup_code=True)
    yield made
    made.store.close()
