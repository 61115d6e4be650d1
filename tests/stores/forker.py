"""A process that opens a store and forks: `forker.py FOLDER share|killed`."""

import os
import sys
import threading
from pathlib import Path

from mfa_gate.stores.sqlite_connection import Connections
from tests.stores.contract import person, put
from tests.stores.files import file_of, reopen


def share(place: Path, children: int = 4, commits: int = 10) -> None:
    """The parent's store is used on both sides of the fork; its connections are not."""
    store = reopen(place)
    parent = put(store, person("parent"))
    pids = []
    for number in range(children):
        pid = os.fork()
        if pid == 0:
            account = person(f"child{number}")
            for _ in range(commits):
                account = put(store, account)
            if number % 2:
                store.close()
                os._exit(0)
            sys.exit(0)  # as a worker of gunicorn does: everything is torn down in the child, too
        pids.append(pid)
    for _ in range(commits):
        parent = put(store, parent)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    for _ in range(commits):
        parent = put(store, parent)
    store.close()
    sys.stdout.write(f"{codes}\n")


def killed(place: Path) -> None:
    """A child is forked while another thread writes; then the parent says so, and waits to be killed."""
    connections = Connections(file_of(place), lambda _: None)
    writing, forked = threading.Event(), threading.Event()

    def write() -> None:
        with connections.writing():
            writing.set()
            forked.wait()

    threading.Thread(target=write, daemon=True).start()
    writing.wait()
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(writer)
        sys.stdout.write("forked\n")
        sys.stdout.flush()
        os.read(reader, 1)  # returns when the parent has died; the child lives on until its input ends
        sys.stdin.read()
        os._exit(0)
    os.close(reader)
    threading.Event().wait()


if __name__ == "__main__":
    {"share": share, "killed": killed}[sys.argv[2]](Path(sys.argv[1]))
