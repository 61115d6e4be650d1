"""A wire between a store and its server that counts what goes over it, and can answer in the server's place."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress


class Wire:
    """Listens on a port of its own; `close` ends it.

    `answer(request)` gives bytes to answer with, or None; `rewrite(request)` what the server gets to read.
    """

    def __init__(self, port: int) -> None:
        self.trips = 0
        """Pieces that clients have sent; a client that waits for each answer sends one for each round trip."""
        self.answer: Callable[[bytes], bytes | None] = lambda _: None
        self.rewrite: Callable[[bytes], bytes] = lambda request: request
        self._swallowed = b""
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: set[socket.socket] = {self._listener}
        self._clients: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    def swallow(self, word: bytes) -> None:
        """Whatever the server says with this word in it does not arrive."""
        self._swallowed = word

    def say(self, words: bytes) -> None:
        """Say something that nobody asked for on every connection that is open now."""
        for each in self._clients:
            with suppress(OSError):
                each.sendall(words)

    def cut(self) -> None:
        """Cut every connection that is open now."""
        for each in list(self._sockets - {self._listener}):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                try:
                    far = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    near.close()
                    continue
                self._sockets |= {near, far}
                self._clients.append(near)
                threading.Thread(target=self._forward, args=(near, far), daemon=True).start()
                threading.Thread(target=self._back, args=(far, near), daemon=True).start()

    def _forward(self, near: socket.socket, far: socket.socket) -> None:
        self._carry(near, far, near)

    def _back(self, far: socket.socket, near: socket.socket) -> None:
        self._carry(far, near, None)

    def _carry(self, source: socket.socket, target: socket.socket, client: socket.socket | None) -> None:
        with suppress(OSError):
            while piece := source.recv(1 << 16):
                answer = None
                if client is not None:
                    self.trips += 1
                    answer, piece = self.answer(piece), self.rewrite(piece)
                elif self._swallowed and self._swallowed in piece:
                    continue
                if answer is None:
                    target.sendall(piece)
                elif client is not None:
                    client.sendall(answer)
        for each in (source, target):
            self._sockets.discard(each)
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
