"""Opens the sockets on which a demo is reached as `localhost`, by IPv4 and IPv6; it must not know what is served."""

import errno
import socket
from typing import Final

import click

_BACKLOG: Final = 128
_NO_IPV6: Final = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
_TRIES: Final = 20


def listen(port: int) -> tuple[socket.socket, ...]:
    """Sockets that listen on this port of 127.0.0.1 and, where there is IPv6, of ::1; 0 is any free port.

    Raises `ClickException`. From here on nobody else can take the port, so the server never finds it busy.
    """
    for _ in range(_TRIES if port == 0 else 1):
        ipv4 = _bound(socket.AF_INET, "127.0.0.1", port)
        if isinstance(ipv4, OSError):
            raise click.ClickException(_sentence(port, ipv4))
        ipv6 = _bound(socket.AF_INET6, "::1", ipv4.getsockname()[1])
        if not isinstance(ipv6, OSError):
            return ipv4, ipv6
        if ipv6.errno in _NO_IPV6:
            return (ipv4,)
        ipv4.close()
        if ipv6.errno != errno.EADDRINUSE or port:
            raise click.ClickException(_sentence(port, ipv6))
    raise click.ClickException("No port is free on both 127.0.0.1 and ::1. Name one by --port.")


def _bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket | OSError:
    try:
        found = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        return error
    try:
        # So that a demo can be started again while old connections still fade away; never beside a live listener.
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        found.bind((host, port))
        found.listen(_BACKLOG)
    except OSError as error:
        found.close()
        return error
    return found


def _sentence(port: int, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"Port {port} is busy: something else listens there. Stop it, or name another by --port."
        case errno.EACCES:
            return f"Port {port} is not for ordinary users. Name one above 1023 by --port."
        case _:
            return f"Port {port} cannot be used: {error.strerror}. Name another by --port."
