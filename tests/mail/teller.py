"""A process that tells people what happened until it is killed: `python teller.py STORE PORT NOW`."""

import sys
from pathlib import Path

from tests.mail.office import Teller, opened, smtp


def main(path: str, port: str, now: str) -> None:
    store = opened(Path(path))
    teller = Teller(store, smtp(int(port)))
    teller.now = int(now)
    while True:
        teller.turn()


if __name__ == "__main__":
    main(*sys.argv[1:])
