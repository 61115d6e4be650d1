"""A process that writes to a store until it is killed, and says what was acknowledged: `writer.py FOLDER SUBJECT`."""

import sys
from pathlib import Path

from mfa_gate.core.accounts import Account
from mfa_gate.core.errors import MfaGateError
from mfa_gate.ports import Change
from tests.stores.contract import NOW, event, person, session
from tests.stores.files import reopen


def main(place: Path, subject: str) -> None:
    store = reopen(place)
    account: Account = store.account(person(subject).id) or person(subject)
    while True:
        change = Change(
            account=account,
            events=(event("verified", account), event("code_rejected", account)),
            open_session=session(account, f"key-{account.version}"),
        )
        try:
            account = store.commit(change, NOW)
        except MfaGateError as error:
            sys.stdout.write(f"refused: {error}\n")
        else:
            sys.stdout.write(f"{account.version}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
