"""A stand-in OpenID Connect issuer for tests: discovery, keys, tokens, on a loopback port.

It checks what a real one checks: the client's secret, the redirect address, the PKCE verifier, and that a code is used
once. `issuer.sends(…)` says who signs in next; `issuer.authorize(url)` is the person pressing "yes" there, and gives
the address the browser is sent back to.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID, CLIENT_SECRET = "counterpart", "a secret of the test issuer"


@cache
def a_key(whose: str) -> RSAKey:
    """One key for each owner, made once: making one takes a second."""
    return RSAKey.generate_key(2048, {"kid": "one"})


class Issuer:
    def __init__(self, address: str) -> None:
        self.address = address
        self.key = self.signing_key = a_key("its own")
        self.claims: dict[str, Any] = {}
        self.overrides: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.is_broken = False

    def sends(self, subject: str, email: str = "", *, verified: bool = True, **overrides: Any) -> None:
        self.claims = {"sub": subject, "email": email, "email_verified": verified}
        self.overrides = overrides

    def authorize(self, url: str) -> str:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert asked["client_id"] == CLIENT_ID
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        client = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        if client.replace("+", " ") not in (
            f"{CLIENT_ID}:{CLIENT_SECRET}",
            f"{CLIENT_ID}:{CLIENT_SECRET}".replace(" ", "%20"),
        ):
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or asked["redirect_uri"] != form.get("redirect_uri"):
            return 400, {"error": "invalid_grant"}
        challenge = (
            base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        )
        if challenge != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.address, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        signed = jwt.encode({"alg": "RS256", "kid": "one"}, claims | self.claims | self.overrides, self.signing_key)
        return 200, {"access_token": "of no use", "token_type": "Bearer", "expires_in": 300, "id_token": signed}


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.issuer = Issuer(f"http://127.0.0.1:{server.server_address[1]}")  # type: ignore[attr-defined]  # for _Handler
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.issuer  # type: ignore[attr-defined]  # set above
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        issuer: Issuer = self.server.issuer  # type: ignore[attr-defined]  # set by running_issuer
        if issuer.is_broken:
            self._answer(503, {})
        elif self.path == "/.well-known/openid-configuration":
            self._answer(200, issuer.metadata())
        elif self.path == "/keys":
            self._answer(200, {"keys": [issuer.key.as_dict(private=False)]})
        else:
            self._answer(404, {})

    def do_POST(self) -> None:
        issuer: Issuer = self.server.issuer  # type: ignore[attr-defined]  # set by running_issuer
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self._answer(*issuer.token(form, self.headers.get("Authorization", "")))

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: what matters is asserted by the test."""
