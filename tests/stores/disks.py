"""Disks that tests fill: a small file system of its own, or where nothing can be mounted a limit of this process."""

import errno
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest


class Disk(Protocol):
    """A place to keep a store, and how its disk comes to be full."""

    place: Path

    def fill(self) -> None: ...
    def free(self) -> None: ...


class SmallDisk:
    """A small file system of its own."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def fill(self) -> None:
        with (self.place / "ballast").open("ab", buffering=0) as ballast:
            for size in (4096, 1):
                try:
                    while True:
                        ballast.write(b"x" * size)
                except OSError as error:
                    assert error.errno == errno.ENOSPC  # noqa: PT017

    def free(self) -> None:
        (self.place / "ballast").unlink()


class Quota:
    """Where nothing can be mounted: files of this process may grow no further."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._soft, self._hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        files = [self.place / name for name in ("gate.db", "gate.db-wal")]
        sizes = [file.stat().st_size for file in files if file.exists()]
        resource.setrlimit(resource.RLIMIT_FSIZE, (max(sizes), self._hard))

    def free(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._soft, self._hard))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)], check=False, capture_output=True
    )
    if mounted.returncode:
        quota = Quota(place)
        yield quota
        quota.free()
        return
    yield SmallDisk(place)
    subprocess.run(["umount", str(place)], check=True)
