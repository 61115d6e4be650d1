"""Work in threads of our own, from one event loop and from two."""

import asyncio
import hashlib
import threading

from mfa_gate.web.threads import Threads


def work() -> None:
    """A millisecond's work, while other threads go on."""
    hashlib.pbkdf2_hmac("sha256", b"", b"", 3_000)


def work_in(threads: Threads, number: int) -> int:
    """Much more work than there are threads, in a loop of its own."""

    async def all_of_it() -> int:
        done = await asyncio.gather(*(threads.run(work) for _ in range(number)))
        return len(done)

    return asyncio.run(all_of_it())


def test_two_event_loops_do_not_wait_for_each_other() -> None:
    threads, done = Threads(2), list[int]()
    loops = [
        threading.Thread(target=lambda: done.append(work_in(threads, 300)), daemon=True) for _ in range(4)
    ]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join(20)
    assert done == [300] * 4


def test_as_many_threads_as_were_asked_for_and_no_more() -> None:
    threads, at_once, most = Threads(3), 0, 0
    lock, three = threading.Lock(), threading.Barrier(3, timeout=20)

    def counted() -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        three.wait()
        with lock:
            at_once -= 1
        three.wait()

    async def all_of_it() -> None:
        await asyncio.gather(*(threads.run(counted) for _ in range(30)))

    asyncio.run(all_of_it())
    assert most == 3
