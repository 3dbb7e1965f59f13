"""Stands before every vendor call: writes it down, and makes it go wrong when a fault says so."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from email.utils import formatdate
from typing import Any

from portal.sandbox import garbage
from portal.sandbox.calls import Call
from portal.sandbox.context import Sandbox
from portal.sandbox.faults import HINTS

Environ = dict[str, Any]
Start = Callable[..., Any]
Headers = list[tuple[str, str]]
HOUR = 3600.0


class Cut(ConnectionAbortedError):
    """The connection was closed on purpose; the server takes it for a client that left."""


class Intercept:
    """WSGI middleware around the Flask app."""

    def __init__(self, app: Callable[[Environ, Start], Iterable[bytes]], box: Sandbox) -> None:
        self._app = app
        self._box = box

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        vendor = self._box.vendor_of(path)
        if vendor is None:
            return self._app(environ, start)
        call = self._box.calls.begin(
            time=self._box.clock.seconds(),
            vendor=vendor,
            tenant=self._tenant(vendor, environ),
            method=environ["REQUEST_METHOD"],
            path=path,
            query=environ.get("QUERY_STRING", ""),
            idempotency_key=environ.get("HTTP_IDEMPOTENCY_KEY"),
        )
        environ["sandbox.call"] = call
        action, delay = self._box.faults.take(call)
        if action:
            kind = action["kind"]
            call.fault = f"garbage:{action.get('garbage')}" if kind == "garbage" else kind
        elif delay:
            call.fault = "latency"
        return self._noted(call, self._answer(environ, start, call, action, delay), time.perf_counter())

    def _tenant(self, vendor: str, environ: Environ) -> str | None:
        tenant_of = self._box.vendor(vendor).tenant_of
        return tenant_of(self._box, environ) if tenant_of else environ.get("HTTP_XERO_TENANT_ID")

    def _noted(self, call: Call, body: Iterable[bytes], began: float) -> Iterator[bytes]:
        """Count bytes and time; close the inner body before the last bytes are on the wire."""
        try:
            for block in body:
                call.bytes += len(block)
                yield block
        except BaseException:  # raised on; a reader that went away shows as a call without an answer
            if call.status is None:
                call.status = 0
            raise
        finally:
            _close(body)
            call.duration_ms = round((time.perf_counter() - began) * 1000, 2)

    def _answer(
        self, environ: Environ, start: Start, call: Call, action: dict[str, Any] | None, delay: float
    ) -> Iterator[bytes]:
        kind = action["kind"] if action else None
        start = _noting(start, call)
        if action is None or kind in HINTS:
            environ["sandbox.hint"] = action
            yield from self._plain(environ, start, call, delay)
        elif kind == "garbage":
            yield from self._garbage(environ, start, action, delay)
        elif kind in ("drop", "hang"):
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            _silence(environ, float(action.get("seconds", HOUR)) if kind == "hang" else 0)
        elif kind in ("accept_then_drop", "accept_then_hang"):
            self._whole(environ)
            _silence(environ, float(action.get("seconds", HOUR)) if kind == "accept_then_hang" else delay)
        elif kind == "rewrite":
            yield from self._rewritten(environ, start, action, delay)
        elif kind == "rate_limited" and (too_many := self._box.vendor(call.vendor).too_many):
            time.sleep(delay)
            yield from _send(start, "429 Too Many Requests", *too_many(self._box, action))
        else:
            if kind == "accept_then_status":
                self._whole(environ)
            time.sleep(delay)
            yield from _instead(start, action)

    def _plain(self, environ: Environ, start: Start, call: Call, delay: float) -> Iterator[bytes]:
        body = self._app(environ, start)
        try:
            if delay and call.status != 429:
                time.sleep(delay)
            yield from body
        finally:
            _close(body)

    def _whole(self, environ: Environ) -> tuple[str, Headers, bytes]:
        """Let the vendor do its work and keep the answer back."""
        kept: list[Any] = ["500", []]

        def keep(status: str, headers: Headers, exc_info: object = None) -> Callable[[bytes], object]:
            kept[:] = [status, headers]
            return lambda data: None

        body = self._app(environ, keep)
        try:
            content = b"".join(body)
        finally:
            _close(body)
        return kept[0], kept[1], content

    def _rewritten(self, environ: Environ, start: Start, action: dict[str, Any], delay: float) -> Iterator[bytes]:
        status, headers, body = self._whole(_uncompressed(environ))
        for old, new in action.get("replace", []):
            body = body.replace(str(old).encode(), str(new).encode())
        time.sleep(delay)
        yield from _send(start, status, headers, body)

    def _garbage(self, environ: Environ, start: Start, action: dict[str, Any], delay: float) -> Iterator[bytes]:
        kind = action.get("garbage", "malformed_xml")
        time.sleep(delay)
        if kind in garbage.FIXED:
            content_type, make = garbage.FIXED[kind]
            trap = f"http://{environ.get('HTTP_HOST', '127.0.0.1')}/control/trap"
            yield from _send(start, "200 OK", [("Content-Type", content_type)], make({**action, "trap": trap}))
        elif kind in garbage.STREAMED:
            yield from _streamed(start, kind, action)
        else:
            yield from self._bent(environ, start, kind, action)

    def _bent(self, environ: Environ, start: Start, kind: str, action: dict[str, Any]) -> Iterator[bytes]:
        """A true answer, spoilt on its way."""
        status, headers, body = self._whole(_uncompressed(environ))
        half = body[: len(body) // 2]
        if kind == "bom":
            yield from _send(start, status, headers, b"\xef\xbb\xbf" + body)
        elif kind == "truncated":
            yield from _send(start, status, headers, half)
        elif kind == "slow_bytes":
            yield from _slowly(start, status, headers, body, float(action.get("interval", 1)))
        else:
            start(status, _without_length(headers))
            promised = len(body) + 1000 if kind == "wrong_length" else len(body)
            lines = [f"HTTP/1.1 {status}", *(f"{k}: {v}" for k, v in _without_length(headers))]
            lines += [f"Content-Length: {promised}", "Connection: close", "", ""]
            _raw(environ, "\r\n".join(lines).encode("latin-1") + (body if kind == "wrong_length" else half))
        return


def _noting(start: Start, call: Call) -> Start:
    def noted(status: str, headers: Headers, exc_info: Any = None) -> Any:
        call.status = int(status.split(" ", 1)[0])
        return start(status, headers, exc_info) if exc_info else start(status, headers)

    return noted


def _instead(start: Start, action: dict[str, Any]) -> Iterator[bytes]:
    """An answer that has nothing to do with the request."""
    kind, headers = action["kind"], [(str(k), str(v)) for k, v in (action.get("headers") or {}).items()]
    body = str(action.get("body", "")).encode()
    if kind == "redirect":
        yield from _send(start, "302 Found", [*headers, ("Location", str(action["url"]))], b"")
    elif kind == "rate_limited":
        yield from _send(start, "429 Too Many Requests", headers + _limit_headers(action), b"")
    else:
        default = 500 if kind == "accept_then_status" else 503
        yield from _send(start, f"{int(action.get('status', default))} Sandbox", headers, body)


def _limit_headers(action: dict[str, Any]) -> Headers:
    wanted = str(action.get("retry_after", "absent"))
    headers = [("X-Rate-Limit-Problem", str(action.get("problem", "minute"))), ("X-MinLimit-Remaining", "0")]
    if wanted == "date":
        headers.append(("Retry-After", formatdate(time.time() + float(action.get("seconds", 5)), usegmt=True)))
    elif wanted == "garbage":
        headers.append(("Retry-After", "soon, we hope"))
    elif wanted != "absent":
        headers.append(("Retry-After", wanted))
    return headers


def _send(start: Start, status: str, headers: Headers, body: bytes) -> Iterator[bytes]:
    start(status, [*_without_length(headers), ("Content-Length", str(len(body)))])
    yield body


def _streamed(start: Start, kind: str, action: dict[str, Any]) -> Iterator[bytes]:
    headers = [("Content-Type", garbage.XML)]
    if kind == "gzip_bomb":
        bomb = garbage.gzip_bomb(int(action.get("size_mb", 1024)))
        yield from _send(start, "200 OK", [*headers, ("Content-Encoding", "gzip")], bomb)
    elif kind == "huge":
        size = int(action.get("size_mb", 2048))
        start("200 OK", [*headers, ("Content-Length", str(size * garbage.MEBIBYTE))])
        yield from garbage.huge(size)
    else:
        start("200 OK", headers)
        yield from garbage.endless()


def _slowly(start: Start, status: str, headers: Headers, body: bytes, interval: float) -> Iterator[bytes]:
    start(status, [*_without_length(headers), ("Content-Length", str(len(body)))])
    for at in range(len(body)):
        yield body[at : at + 1]
        time.sleep(interval)


def _silence(environ: Environ, seconds: float) -> None:
    """Say nothing for so long, or until the other side gives up; then cut the connection."""
    connection: socket.socket = environ["werkzeug.socket"]
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        readable, _, _ = select.select([connection], [], [], min(left, 0.2))
        if readable and not connection.recv(1, socket.MSG_PEEK):
            break
        if readable:
            time.sleep(0.05)
    _raw(environ, b"")


def _raw(environ: Environ, data: bytes) -> None:
    """Put these bytes on the wire and close it. Always raises Cut."""
    connection: socket.socket = environ["werkzeug.socket"]
    try:
        if data:
            connection.sendall(data)
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # whoever called has gone already
        pass
    raise Cut


def _uncompressed(environ: Environ) -> Environ:
    return {key: value for key, value in environ.items() if key != "HTTP_ACCEPT_ENCODING"}


def _without_length(headers: Headers) -> Headers:
    return [(key, value) for key, value in headers if key.lower() not in ("content-length", "transfer-encoding")]


def _close(body: object) -> None:
    close = getattr(body, "close", None)
    if close:
        close()
