"""A process that is killed in the middle of a reset: at whichever call of the database, it is done or not begun."""

import json
import subprocess
import sys
from pathlib import Path

from tests.flows.house import NOW, House

TOP = Path(__file__).parents[2]
UNTOUCHED = {"apps": 1, "codes": 10, "sessions": 1, "resets": 0, "broken": None}
DONE = {"apps": 0, "codes": 0, "sessions": 0, "resets": 1, "broken": None}


def test_e20_j07_killed_in_the_middle_of_a_reset_it_is_done_or_not_begun(
    house: House, tmp_path: Path
) -> None:
    house.enroll("alice")
    house.store.close()
    said = subprocess.run(
        [sys.executable, "-m", "tests.flows.resetter", str(tmp_path), "alice", str(NOW + 30)],
        cwd=TOP,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    found = [json.loads(line) for line in said.splitlines()]
    killed = [each.pop("killed") for each in found]
    assert killed[0], "before it began"
    assert len(found) > 5, "and at many places"
    assert found[:-1] == [UNTOUCHED] * (len(found) - 1)
    assert found[-1] == DONE
