"""A process that sends reminders until it is killed: `python worker.py STORE PORT RUN NOW`."""

import sys
from pathlib import Path

from tests.mail.office import Office, opened, smtp


def main(path: str, port: str, name: str, now: str) -> None:
    store = opened(Path(path))
    office = Office(store, smtp(int(port)))
    office.now = int(now)
    while office.run(name).is_open:
        office.turn()


if __name__ == "__main__":
    main(*sys.argv[1:])
