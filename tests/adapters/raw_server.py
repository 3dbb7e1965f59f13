"""A server that says exactly the bytes a test wants, on a real socket."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Talk = Callable[[socket.socket, threading.Event], None]


@dataclass
class RawServer:
    port: int
    requests: list[bytes] = field(default_factory=list)
    tls_failures: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def saying(talk: Talk | bytes, tls: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    """`talk` gets each connection once its request's headers are in, and an event that says when to end."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()
    server = RawServer(listener.getsockname()[1])
    answer: Talk = talk if callable(talk) else lambda connection, _ended: connection.sendall(talk)

    def serve() -> None:
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    def one(connection: socket.socket) -> None:
        with suppress(OSError):
            if tls:
                try:
                    connection = tls.wrap_socket(connection, server_side=True)
                except ssl.SSLError:
                    server.tls_failures += 1
                    return
            head = b""
            while b"\r\n\r\n" not in head:
                piece = connection.recv(65_536)
                if not piece:
                    return
                head += piece
            server.requests.append(head)
            answer(connection, ended)
        connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(2)
