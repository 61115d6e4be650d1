"""Decides what at a Redis server endangers the gate: what it forgets, who can listen, how late it thinks it is."""

from collections.abc import Iterator
from typing import Any

from mfa_gate.core.clocks import alarming, in_words
from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.ports import Concern
from mfa_gate.settings.store_urls import RedisAddress
from mfa_gate.stores.redis_connection import Server


def concerns(server: Server, now: float) -> tuple[Concern, ...]:
    """What endangers the gate, each with its cure. Raises `StoreUnavailable` if it does not answer at all."""
    return (*reach(server.address), *_clock(server, now), *_keeping(server))


def time_of(server: Server) -> float:
    """UTC seconds by the server's own clock. Raises `StoreUnavailable`."""
    seconds, microseconds = server.ask("TIME")
    return float(seconds) + float(microseconds) / 1_000_000


def reach(address: RedisAddress) -> Iterator[Concern]:
    """What is wrong with the way to the server."""
    if address.is_loopback:
        return
    if address.password is None:
        yield _error(
            f"{address} is reached without a password, and not on this machine alone: whoever reaches it can destroy "
            "the store. Give the server a user, and write redis://user:password@host."
        )
    if not address.tls:
        yield _error(
            f"{address} is reached without TLS, and not on this machine alone: whoever is on the way can read names "
            "and change what is read. Write rediss://."
        )


def _clock(server: Server, now: float) -> Iterator[Concern]:
    skew = time_of(server) - now
    if alarming(skew):
        yield Concern(severity="error", about="clock", text=in_words(skew))


def _keeping(server: Server) -> Iterator[Concern]:
    try:
        told = _info(server.ask("INFO"))
    except StoreUnavailable:
        yield _warning(
            "its user may not ask INFO, so that nothing is known of persistence. Let it run +info."
        )
        return
    policy = told.get("maxmemory_policy", "")
    if policy != "noeviction":
        yield _error(
            f'maxmemory-policy is "{policy}": the server throws records away when its memory is full. '
            "Set maxmemory-policy noeviction."
        )
    if told.get("aof_enabled") != "1":
        yield _error(
            "there is no append-only file: what was acknowledged is gone after a power cut. Set appendonly yes, with "
            "appendfsync everysec or always."
        )
    elif _appendfsync(server) == "no":
        yield _error(
            'appendfsync is "no": half a minute of what was acknowledged is gone after a power cut. Set appendfsync '
            "everysec or always."
        )
    if told.get("aof_last_write_status", "ok") != "ok":
        yield _error("the append-only file cannot be written. Look at the server's log.")


def _appendfsync(server: Server) -> str:
    """When the server writes its file to the disk; empty if the gate's user may not ask, as it need not."""
    try:
        return _texts(server.ask("CONFIG", "GET", "appendfsync")).get("appendfsync", "")
    except StoreUnavailable:
        return ""


def _texts(answer: Any) -> dict[str, str]:  # noqa: ANN401 - redis gives a mapping, whatever the protocol
    return {name.decode(): value.decode() for name, value in dict(answer).items()}


def _info(answer: Any) -> dict[str, str]:  # noqa: ANN401 - redis gives a mapping, whatever the protocol
    return {str(name): str(value) for name, value in dict(answer).items()}


def _error(text: str) -> Concern:
    return Concern(severity="error", about="store", text=text)


def _warning(text: str) -> Concern:
    return Concern(severity="warning", about="store", text=text)
