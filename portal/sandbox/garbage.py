"""Hostile and broken answers, made on purpose. Each maker yields the bytes of a body."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

MEBIBYTE = 1024 * 1024
OPEN = b"<Response><Status>OK</Status><Clients>"
CLOSE = b"</Clients></Response>"


def client(name: str) -> bytes:
    """One small client element."""
    return f"<Client><UUID>0</UUID><Name>{name}</Name></Client>".encode()


def html() -> bytes:
    """A proxy's error page with status 200."""
    return b"<!DOCTYPE html><html><head><title>Temporarily unavailable</title></head><body><h1>Sorry</h1></body></html>"


def malformed_xml() -> bytes:
    """Tags that do not match."""
    return OPEN + b"<Client><Name>Half & half</Client></Name>" + CLOSE


def wrong_encoding() -> bytes:
    """Says UTF-8 and is not."""
    return b'<?xml version="1.0" encoding="utf-8"?>' + OPEN + client("Café Ørsted").decode().encode("latin-1") + CLOSE


def doctype() -> bytes:
    """A document type without entities."""
    return b"<!DOCTYPE Response [<!ELEMENT Response ANY>]>" + OPEN + CLOSE


def laughs(levels: int, width: int) -> bytes:
    """Entities made of entities: `width` to the power of `levels` times three letters."""
    lines = ['<!ENTITY l0 "lol">']
    lines += [f'<!ENTITY l{n} "{f"&l{n - 1};" * width}">' for n in range(1, levels + 1)]
    return f"<!DOCTYPE Response [{''.join(lines)}]>".encode() + OPEN + client(f"&l{levels};") + CLOSE


def quadratic() -> bytes:
    """One long entity used many times: 100,000 letters, 5,000 times over."""
    return f'<!DOCTYPE Response [<!ENTITY a "{"a" * 100_000}">]>'.encode() + OPEN + client("&a;" * 5000) + CLOSE


def external_entity(trap: str) -> bytes:
    """Entities from a file of this machine and from an address that notes who fetches it."""
    doc = f'<!DOCTYPE Response [<!ENTITY f SYSTEM "file:///etc/hostname"><!ENTITY u SYSTEM "{trap}">]>'
    return doc.encode() + OPEN + client("&f;&u;") + CLOSE


def deep_tags(depth: int) -> bytes:
    """Elements inside elements."""
    return b"<Response><Status>OK</Status>" + b"<a>" * depth + b"</a>" * depth + b"</Response>"


def deep_json(depth: int) -> bytes:
    """Lists inside lists."""
    return b'{"status":"OK","clients":' + b"[" * depth + b"]" * depth + b"}"


def gzip_bomb(mebibytes: int) -> bytes:
    """A gzip body of about a kilobyte a mebibyte."""
    block = b" " * MEBIBYTE
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = squeeze.compress(block) + squeeze.flush(zlib.Z_FULL_FLUSH)
    again = squeeze.compress(block) + squeeze.flush(zlib.Z_FULL_FLUSH)
    end, crc = squeeze.flush(), 0
    for _ in range(mebibytes):
        crc = zlib.crc32(block, crc)
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    size = mebibytes * MEBIBYTE & 0xFFFFFFFF
    return head + first + again * (mebibytes - 1) + end + struct.pack("<II", crc, size)


def endless() -> Iterator[bytes]:
    """A list that never ends."""
    yield OPEN
    block = client("Never ending story Limited") * 500
    while True:
        yield block


def huge(mebibytes: int) -> Iterator[bytes]:
    """So many mebibytes of well-formed list, to the byte."""
    one = client("Rather large Limited")
    room = mebibytes * MEBIBYTE - len(OPEN) - len(CLOSE)
    block = one * (MEBIBYTE // len(one))
    yield OPEN
    while room >= len(block):
        room -= len(block)
        yield block
    yield b" " * room + CLOSE


XML = "text/xml; charset=utf-8"
JSON = "application/json; charset=utf-8"

# kind -> (content type, body). The kinds that bend a real answer, or need the socket, are in intercept.py.
FIXED: dict[str, tuple[str, Callable[[dict[str, Any]], bytes]]] = {
    "html": ("text/html; charset=utf-8", lambda a: html()),
    "empty": (XML, lambda a: b""),
    "malformed_xml": (XML, lambda a: malformed_xml()),
    "wrong_encoding": (XML, lambda a: wrong_encoding()),
    "doctype": (XML, lambda a: doctype()),
    "billion_laughs_small": (XML, lambda a: laughs(6, 10)),
    "billion_laughs_large": (XML, lambda a: laughs(10, 10)),
    "quadratic": (XML, lambda a: quadratic()),
    "external_entity": (XML, lambda a: external_entity(str(a.get("url") or a["trap"]))),
    "deep_tags": (XML, lambda a: deep_tags(int(a.get("depth", 200_000)))),
    "malformed_json": (JSON, lambda a: b'{"status":"OK","clients":[{"uuid":"1","name":"Half'),
    "nan_json": (JSON, lambda a: b'{"status":"OK","clients":[{"uuid":"1","provisionalTaxRatio":NaN,"x":1e400}]}'),
    "duplicate_keys_json": (
        JSON,
        lambda a: b'{"status":"OK","clients":[{"uuid":"1","name":"One","uuid":"2","name":"Two"}]}',
    ),
    "deep_json": (JSON, lambda a: deep_json(int(a.get("depth", 200_000)))),
    "lone_surrogate_json": (JSON, lambda a: b'{"status":"OK","clients":[{"uuid":"1","name":"half \\ud83d face"}]}'),
}
BENT = ("truncated", "cut", "wrong_length", "bom", "slow_bytes")
STREAMED = ("endless", "huge", "gzip_bomb")
KINDS = (*FIXED, *BENT, *STREAMED)
