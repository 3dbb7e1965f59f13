"""One answer of a vendor, whole: its body is in memory while small and in a temporary file beyond that.

Invariant: a `Reply` only exists once its last byte has arrived; a cut or oversized body never becomes one.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import IO, Any

from portal.adapters.base import UnexpectedReply, without_secrets

IN_MEMORY = 1024 * 1024
PIECE = 64 * 1024
BOMB_FROM, BOMB_RATIO = 8 * 1024 * 1024, 200  # real client lists shrink 10 to 40 times; a bomb about 1,000 times


class TooLarge(Exception):
    """The body passed the size we are ready to take, or unpacks like a bomb. The text says which."""


class CutShort(Exception):
    """The body ended before it was complete."""


@dataclass
class Reply:
    """Close it, or use it as a context manager, when its body has been read."""

    status: int
    headers: Mapping[str, str]  # case-insensitive
    body: IO[bytes]
    size: int  # bytes, unpacked
    download_seconds: float = 0.0  # from the headers to the last byte

    @property
    def media_type(self) -> str:
        """'text/xml', 'application/json', …; empty when the vendor did not say."""
        return self.headers.get("content-type", "").split(";", 1)[0].strip().lower()

    def rewound(self) -> IO[bytes]:
        """The body as a file, from its beginning."""
        self.body.seek(0)
        return self.body

    def content(self) -> bytes:
        """All of it; only for replies that are known to be small."""
        return self.rewound().read()

    def start(self, length: int = 2000) -> str:
        """The beginning as text, fit for logs and people: no secrets, no unprintable bytes."""
        return without_secrets(self.rewound().read(length).decode("utf-8", "replace").replace("\x00", "\ufffd"))

    def end(self, length: int = 64) -> bytes:
        """The last bytes."""
        self.body.seek(max(0, self.size - length))
        return self.body.read(length)

    def json(self, *, exact: bool = False) -> Any:
        """The body as JSON. Raises `UnexpectedReply` for anything doubtful: NaN, infinities, a key given twice.

        `exact`: numbers with a fraction come as `Decimal`, which money needs.
        """
        fraction: Callable[[str], float | Decimal] = _decimal if exact else finite
        try:
            text = self.content().decode("utf-8-sig")
            return json.loads(text, parse_constant=_no_constant, parse_float=fraction, object_pairs_hook=no_twins)
        except (ValueError, RecursionError) as error:
            raise UnexpectedReply(
                "The reply is not the JSON that was expected.", status=self.status, vendor_text=self.start()
            ) from error

    def close(self) -> None:
        self.body.close()

    def __enter__(self) -> Reply:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.close()


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def finite(text: str) -> float:
    """A JSON number with a fraction or exponent; one too large for a float would silently become infinite."""
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:20]} is too large a number")
    return value


def _decimal(text: str) -> Decimal:
    """As it stands, but for what no float could hold either: nobody's money has a hundred digits."""
    finite(text)
    return Decimal(text)


def no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys differ; of two equal ones nobody knows which was meant."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("the same key is given twice")
    return found


def collect(pieces: Iterator[bytes], encoding: str, largest: int) -> tuple[IO[bytes], int]:
    """Write the body's pieces, unpacked, to a file; the file and its size.

    Raises `TooLarge` as soon as the cap in bytes is passed, `CutShort` when a packed body is incomplete.
    """
    body: IO[bytes] = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - the Reply closes it
    size = 0
    try:
        for piece in _unpacked(pieces, encoding):
            size += len(piece)
            if size > largest:
                raise TooLarge(f"more than {largest // (1024 * 1024)} MB")
            body.write(piece)
    except BaseException:  # raised on: the file is gone whatever ended the reading
        body.close()
        raise
    return body, size


def _unpacked(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    if encoding in ("", "identity"):
        return pieces
    if encoding in ("gzip", "x-gzip", "deflate"):
        return _inflated(pieces)
    raise CutShort(f"packed as {encoding[:20]!r}, which was not asked for")


def _inflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack a little at a time, so that a bomb is noticed long before it fills memory or disk."""
    engine = zlib.decompressobj(wbits=47)  # 32 + 15: gzip or zlib, told from the header
    packed = unpacked = 0
    unpack: Callable[[bytes, int], bytes] = engine.decompress
    try:
        for piece in pieces:
            packed += len(piece)
            waiting = piece
            while waiting and not engine.eof:
                out = unpack(waiting, PIECE)
                unpacked += len(out)
                if unpacked > BOMB_FROM and unpacked > packed * BOMB_RATIO:
                    raise TooLarge("packed so tightly that it looks like an attack")
                yield out
                waiting = engine.unconsumed_tail
        yield engine.flush()
    except zlib.error as error:
        raise CutShort("packed data that cannot be unpacked") from error
    if not engine.eof:
        raise CutShort("packed data that ends too early")
