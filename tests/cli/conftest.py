"""What tests of the command line may ask for: a shell in an empty folder, and one where a gate has been made."""

from pathlib import Path

import pytest

from tests.cli.shell import Shell
from tests.stores.redis_servers import own_server, servers

__all__ = ["own_server", "servers"]


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Nothing is there yet, and nothing of the gate stands in the environment."""
    for name in ("MFA_GATE_SETTINGS", "MFA_GATE_KEYS", "PORTAL_SECRET", "SUDO_UID"):
        monkeypatch.delenv(name, raising=False)
    return Shell(tmp_path / "gate")


@pytest.fixture
def shell(bare: Shell) -> Shell:
    """`mfa-gate init` was run."""
    bare("init")
    return bare
