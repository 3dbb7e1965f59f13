"""One request out, one whole reply back: bounded in time and size, to known hosts only, never following a redirect.

Nothing here retries. What failed is named by what it means for a write: nothing was sent, or the answer was lost.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from portal.adapters.http.reply import PIECE, CutShort, Reply, TooLarge, collect

log = logging.getLogger(__name__)
USER_AGENT = "Counterpart"
POOL = 8
LOOPBACK = ("localhost", "127.0.0.1", "::1")
MEBIBYTE = 1024 * 1024
ASK_EVERY = 0.5  # seconds between questions whether to stop, while a body arrives


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds, and how much to take, in bytes. `total` may be passed by one `read` at most."""

    connect: float = 5
    read: float = 30
    total: float = 60
    largest: int = 16 * MEBIBYTE


QUICK = Patience()
SIGN_IN = Patience(read=15, total=20, largest=MEBIBYTE)
BATCH_WRITE = Patience(read=120, total=150)  # what a vendor may take over many records, and an answer worth waiting for
LONG_LIST = Patience(read=300, total=1200, largest=1024 * MEBIBYTE)


class Failure(Exception):
    """A call that brought no reply. The text is the end of a sentence that begins with the vendor's name."""


class NotSent(Failure):
    """Nothing reached the vendor."""


class AnswerLost(Failure):
    """The vendor may have acted, but its answer did not arrive whole."""


class Abandoned(Failure):
    """We were asked to stop while the reply was coming in."""


@dataclass(frozen=True)
class Request:
    """`body` and `headers` are not shown: they hold secrets and clients' details."""

    method: str
    url: str
    headers: Mapping[str, str]
    params: Mapping[str, str] | None = None
    body: bytes | None = None
    auth: tuple[str, str] | None = None

    def __repr__(self) -> str:
        return f"Request({self.method} {urlsplit(self.url).path})"


class Transport:
    """Shared by all threads of a process. Only the hosts that were allowed are ever called."""

    def __init__(self, bases: Iterable[str] = (), *, before_call: Callable[[], None] | None = None) -> None:
        self._origins = {_origin(base) for base in bases}
        self._before_call = before_call
        self._http = requests.Session()
        self._http.headers.clear()
        self._http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        adapter = HTTPAdapter(pool_connections=POOL, pool_maxsize=POOL, max_retries=0)
        self._http.mount("https://", adapter)
        self._http.mount("http://", adapter)

    def allow(self, *bases: str) -> None:
        """Let these base URLs be called. Raises ValueError for one that is not encrypted, or no address at all."""
        self._origins |= {_origin(base) for base in bases}

    def send(
        self, request: Request, patience: Patience = QUICK, should_stop: Callable[[], bool] | None = None
    ) -> Reply:
        """Raises `NotSent`, `AnswerLost`, `Abandoned`; `TooLarge` when the body passes the cap."""
        if _origin(request.url) not in self._origins:
            raise NotSent("was to be called at an address that is not configured")
        if self._before_call:
            self._before_call()
        began = time.monotonic()
        response = self._begin(request, patience)
        answered = time.monotonic()
        try:
            pieces = _pieces(response.raw, began + patience.total, should_stop)
            encoding = response.headers.get("content-encoding", "").strip().lower()
            declared = response.headers.get("content-length", "")
            if declared.isdigit() and int(declared) > patience.largest:
                raise TooLarge(f"announced {int(declared) // MEBIBYTE} MB")
            body, size = collect(pieces, encoding, patience.largest)
        except (urllib3.exceptions.HTTPError, OSError, CutShort) as error:
            raise AnswerLost("did not finish its answer") from error
        finally:
            response.close()
        log.debug(
            "%s %s: %s, %s bytes, %.0f ms", request.method, urlsplit(request.url).path, response.status_code, size,
            (time.monotonic() - began) * 1000,
        )  # fmt: skip
        return Reply(response.status_code, response.headers, body, size, time.monotonic() - answered)

    def _begin(self, request: Request, patience: Patience) -> requests.Response:
        """Send and wait for the headers."""
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **request.headers}
        try:
            return self._http.request(
                request.method,
                request.url,
                params=request.params,
                data=request.body,
                headers=headers,
                auth=request.auth or _as_it_is,
                timeout=(patience.connect, patience.read),
                allow_redirects=False,
                stream=True,
            )
        except requests.ConnectTimeout as error:
            raise NotSent("cannot be reached") from error
        except requests.Timeout as error:
            raise AnswerLost("did not answer in time") from error
        except requests.exceptions.SSLError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise NotSent("could not prove who it is: its certificate is not valid. Nothing was sent") from error
            raise AnswerLost("broke off the secure connection") from error
        except requests.ConnectionError as error:
            if _was_never_connected(error):
                raise NotSent("cannot be reached") from error
            raise AnswerLost("broke off the connection") from error


def _pieces(raw: Any, deadline: float, should_stop: Callable[[], bool] | None) -> Iterator[bytes]:
    """The body as it arrives. `read1` gives what is there, so that a drip of bytes cannot hold us past the deadline."""
    asked = time.monotonic()
    while True:
        piece = raw.read1(PIECE, decode_content=False)
        if not piece:
            return
        now = time.monotonic()
        if now > deadline:
            raise CutShort("the time for this call is over")
        if should_stop and now - asked > ASK_EVERY:
            asked = now
            if should_stop():
                raise Abandoned("was still answering when we were asked to stop")
        yield piece


def _origin(url: str) -> tuple[str, str, int]:
    """Scheme, host, port. Raises ValueError for plain http to another machine: tokens would travel in the clear."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if parts.scheme == "http" and host not in LOOPBACK:
        raise ValueError(f"{parts.scheme}://{host} is not encrypted; a vendor's address must begin with https://")
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(f"{url[:100]!r} is not the address of a vendor")
    return parts.scheme, host, parts.port or (443 if parts.scheme == "https" else 80)


def _was_never_connected(error: requests.ConnectionError) -> bool:
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return isinstance(
        reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.NameResolutionError
        | urllib3.exceptions.ProxyError,
    )  # fmt: skip


def _as_it_is(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keeps requests from putting a password of ~/.netrc in the place of our token."""
    return prepared
