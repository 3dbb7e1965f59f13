"""One request, one reply: to known hosts only, bounded in time and size, and honest about what may have happened."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from portal.adapters.http import Abandoned, AnswerLost, NotSent, Patience, Request, TooLarge, Transport
from tests.adapters.raw_server import RawServer, saying

SHORT = Patience(connect=1, read=0.3, total=0.5, largest=100_000)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
TOKEN = {"Authorization": "Bearer very-secret"}


def ask(server: RawServer, transport: Transport | None = None, **values):
    values = {"patience": SHORT} | values
    return (transport or Transport((server.url,))).send(Request("GET", f"{server.url}/x", TOKEN), **values)


def test_a_reply_arrives_whole() -> None:
    with saying(OK + b"Content-Length: 5\r\n\r\nhello") as server, ask(server) as reply:
        assert (reply.status, reply.media_type, reply.content(), reply.size) == (200, "text/plain", b"hello", 5)
        request = server.requests[0].decode()
    assert "User-Agent: Counterpart\r\n" in request
    assert "Accept-Encoding: gzip\r\n" in request


def test_a_chunked_reply_arrives_whole() -> None:
    with saying(OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n") as server:
        assert ask(server).content() == b"hello"


def test_a_redirect_is_not_followed_and_the_token_goes_nowhere() -> None:
    """Fault row 30."""
    with saying(OK + b"Content-Length: 0\r\n\r\n") as elsewhere:
        moved = f"HTTP/1.1 302 Found\r\nLocation: {elsewhere.url}/steal\r\nContent-Length: 0\r\n\r\n".encode()
        with saying(moved) as server:
            assert ask(server).status == 302
        assert elsewhere.requests == []


def test_a_host_that_is_not_configured_is_never_called() -> None:
    """Fault rows 30 and 101."""
    with saying(OK + b"Content-Length: 0\r\n\r\n") as stranger, saying(OK) as server:
        with pytest.raises(NotSent, match="not configured"):
            ask(stranger, Transport((server.url,)))
        assert stranger.requests == []


def test_an_address_that_is_not_encrypted_is_refused_at_start() -> None:
    """Fault row 30."""
    with pytest.raises(ValueError, match="must begin with https"):
        Transport(("http://api.xero.com",))


def test_a_wrong_certificate_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    """Fault row 30."""
    with saying(OK + b"Content-Length: 0\r\n\r\n", own_certificate(tmp_path)) as server:
        url = f"https://localhost:{server.port}"
        with pytest.raises(NotSent, match="certificate is not valid"):
            Transport((url,)).send(Request("POST", f"{url}/x", TOKEN, body=b"{}"), SHORT)
        assert server.requests == []


def own_certificate(folder: Path) -> ssl.SSLContext:
    """A server whose certificate nobody vouches for."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def test_nobody_listening_means_nothing_was_sent() -> None:
    with saying(OK) as server:
        pass
    with pytest.raises(NotSent, match="cannot be reached"):
        ask(server)


def test_silence_after_the_request_means_the_answer_is_lost() -> None:
    """Fault row 11."""
    with saying(lambda _connection, ended: ended.wait(5)) as server, pytest.raises(AnswerLost, match="in time"):  # type: ignore[arg-type]  # its result is of no use
        ask(server)


def test_a_connection_that_is_cut_means_the_answer_is_lost() -> None:
    """Fault row 21."""
    with saying(b"") as server, pytest.raises(AnswerLost, match="broke off"):
        ask(server)


@pytest.mark.parametrize(
    "body", [b"Content-Length: 50\r\n\r\nonly this", b"Transfer-Encoding: chunked\r\n\r\n20\r\nonly this"]
)
def test_a_body_that_is_cut_never_becomes_a_reply(body: bytes) -> None:
    """Fault row 21."""
    with saying(OK + body) as server, pytest.raises(AnswerLost, match="did not finish"):
        ask(server)


def drip(connection: socket.socket, ended: threading.Event) -> None:
    connection.sendall(OK + b"Content-Length: 100000\r\n\r\n")
    while not ended.wait(0.02):
        connection.sendall(b"x")


def test_a_drip_of_bytes_ends_at_the_deadline() -> None:
    """Fault row 20."""
    began = time.monotonic()
    with saying(drip) as server, pytest.raises(AnswerLost):
        ask(server)
    assert time.monotonic() - began < 2


def test_a_reply_can_be_abandoned_while_it_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.adapters.http.transport.ASK_EVERY", 0.05)
    asked: list[float] = []

    def after_twice() -> bool:
        asked.append(time.monotonic())
        return len(asked) > 2

    with saying(drip) as server, pytest.raises(Abandoned):
        ask(server, should_stop=after_twice)
    assert asked[1] - asked[0] >= 0.05


def pour(connection: socket.socket, ended: threading.Event) -> None:
    connection.sendall(OK + b"Connection: close\r\n\r\n")
    while not ended.is_set():
        connection.sendall(b"x" * 65_536)


def test_an_endless_body_ends_at_the_cap() -> None:
    """Fault row 20."""
    with saying(pour) as server, pytest.raises(TooLarge):
        ask(server)


def test_a_body_that_announces_too_much_is_not_even_begun() -> None:
    """Fault row 20."""
    with saying(OK + b"Content-Length: 2147483648\r\n\r\n") as server, pytest.raises(TooLarge, match="2048 MB"):
        ask(server)


def test_the_caller_can_insist_on_something_before_every_call() -> None:
    def no() -> None:
        raise RuntimeError("not now")

    with saying(OK) as server:
        with pytest.raises(RuntimeError, match="not now"):
            ask(server, Transport((server.url,), before_call=no))
        assert server.requests == []


def test_cookies_of_one_account_are_not_shown_to_the_next() -> None:
    with saying(OK + b"Set-Cookie: who=first\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") as server:
        transport = Transport((server.url,))
        ask(server, transport)
        ask(server, transport)
        assert b"Cookie:" not in server.requests[1]


def test_a_password_in_netrc_does_not_take_the_tokens_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with saying(OK + b"Content-Length: 0\r\n\r\n") as server:
        ask(server)
        assert b"Authorization: Bearer very-secret" in server.requests[0]


def test_a_request_does_not_show_what_it_carries() -> None:
    assert "secret" not in repr(Request("POST", "https://x.example/y?code=secret", TOKEN, body=b"secret"))
