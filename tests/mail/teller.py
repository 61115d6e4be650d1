"""A process that tells people what happened until it is killed: `python teller.py STORE PORT NOW`."""

import os
import sys
from pathlib import Path

from mfa_gate.stores.sealing import Sealer
from mfa_gate.stores.sqlite import SqliteStore
from tests.mail.office import Teller, smtp


def main(path: str, port: str, now: str) -> None:
    sealer = Sealer({"k1": b"k" * 32}, "k1", os.urandom)
    store = SqliteStore.open(Path(path), sealer=sealer, audit_key=b"a" * 32)
    teller = Teller(store, smtp(int(port)))
    teller.now = int(now)
    while True:
        teller.turn()


if __name__ == "__main__":
    main(*sys.argv[1:])
