"""A process that opens a store on Redis, listens to it, and forks: `redis_forker.py URL`."""

import os
import sys

from tests.stores.contract import NOW, heard, person, put
from tests.stores.redis_servers import reopen


def main(url: str, children: int = 4, commits: int = 10) -> None:
    """The parent's store is used on both sides of the fork; its connections are not."""
    store = reopen(url)
    feed = store.feed()
    feed.poll(0)
    parent = put(store, person("parent"))
    pids = []
    for number in range(children):
        pid = os.fork()
        if pid == 0:
            account = person(f"child{number}")
            for _ in range(commits):
                account = put(store, account)
                store.facts(parent.id, None, NOW)
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
    named = heard(feed, children + 1)
    store.close()
    sys.stdout.write(f"{codes} {len(named)}\n")


if __name__ == "__main__":
    main(sys.argv[1])
