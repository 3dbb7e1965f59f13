"""A reply is whole, small enough and free of secrets, or it is none."""

from __future__ import annotations

import gzip
import io
import json
import zlib

import pytest

from portal.adapters.base import UnexpectedReply
from portal.adapters.http import Reply, TooLarge, without_secrets
from portal.adapters.http.reply import CutShort, collect

MEBIBYTE = 1024 * 1024


def reply(body: bytes, content_type: str = "application/json") -> Reply:
    return Reply(200, {"content-type": content_type}, io.BytesIO(body), len(body))


def in_pieces(body: bytes, size: int = 1000):
    yield from (body[at : at + size] for at in range(0, len(body), size))


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_packed_bodies_are_unpacked(pack) -> None:
    body = b"<Response>" + b"Harbour Cafe " * 10_000 + b"</Response>"
    file, size = collect(in_pieces(pack(body)), "gzip", MEBIBYTE)
    file.seek(0)
    assert file.read() == body
    assert size == len(body)


def test_a_packed_body_that_ends_early_is_cut_short() -> None:
    """Fault row 21."""
    packed = gzip.compress(bytes(range(256)) * 100)
    with pytest.raises(CutShort):
        collect(in_pieces(packed[:-20]), "gzip", MEBIBYTE)


def test_rubbish_that_claims_to_be_packed_is_cut_short() -> None:
    with pytest.raises(CutShort):
        collect(iter([b"this is not gzip"]), "gzip", MEBIBYTE)


def test_a_packing_nobody_asked_for_is_refused() -> None:
    with pytest.raises(CutShort, match="br"):
        collect(iter([b"x"]), "br", MEBIBYTE)


def test_a_bomb_is_noticed_after_a_few_megabytes() -> None:
    """Fault row 20."""
    packed = gzip.compress(bytes(40 * MEBIBYTE))
    taken = 0

    def counted():
        nonlocal taken
        for piece in in_pieces(packed, 4096):
            taken += len(piece)
            yield piece

    with pytest.raises(TooLarge, match="attack"):
        collect(counted(), "gzip", 1024 * MEBIBYTE)
    assert taken < len(packed) / 4


def test_a_body_past_the_cap_is_refused() -> None:
    """Fault row 20."""
    with pytest.raises(TooLarge, match="1 MB"):
        collect(in_pieces(bytes(2 * MEBIBYTE), 65_536), "", MEBIBYTE)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": NaN}',
        b'{"a": 1e400}',
        b'{"a": 1, "a": 2}',
        b"[" * 200_000,
        b"[" + b"1" * 5000 + b"]",
        b'{"a": ',
        b"\xff",
    ],
)
def test_json_that_cannot_be_trusted_is_refused(body: bytes) -> None:
    """Fault row 22."""
    with pytest.raises(UnexpectedReply):
        reply(body).json()


def test_json_with_a_byte_order_mark_is_read() -> None:
    """Fault row 22."""
    assert reply(b'\xef\xbb\xbf{"a": [1.5, "\xc4\x81"]}').json() == {"a": [1.5, "ā"]}


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer SECRET", '{"access_token":"SECRET"}', '{"refresh_token": "SECRET", "x": 1}',
        "grant_type=authorization_code&code=SECRET&redirect_uri=x", "client_secret=SECRET", "refresh_token=SECRET",
        "code_verifier=SECRET", '{"client_secret":"SECRET"}', "Basic SECRET",
    ],
)  # fmt: skip
def test_secrets_are_struck_out_whoever_wrote_them(text: str) -> None:
    """Fault row 40."""
    assert "SECRET" not in without_secrets(text)
    assert "[hidden]" in without_secrets(text)


def test_a_token_is_recognised_by_its_looks() -> None:
    signed = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
    closed = "eyJhbGciOiJkaXIiLCJlbmMiOiJ4In0..aXY.Y2lwaGVydGV4dA.dGFn"  # without a key: a part is empty
    for token in (signed, closed):
        assert without_secrets(f"unexpected {token} here") == "unexpected [hidden] here"


def test_the_start_of_a_reply_can_be_stored_anywhere() -> None:
    assert json.dumps(reply(b"\x00\xff<html>").start())
    assert "\x00" not in reply(b"\x00\xff<html>").start()
