"""Id tokens, signed as the vendor signs them. The key is made anew by every process."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

ISSUER = "https://oauth.platform.intuit.com/op/v1"
KEY_ID = "sandbox-1"
LIFE = 3600


def id_token(now: int, client_id: str, realm: str, sub: Any) -> str:
    """Who consented, for which app (a list) and which company (`realmid`)."""
    head = {"kid": KEY_ID, "typ": "JWT", "alg": "RS256"}
    claims = {
        "sub": sub,
        "aud": [client_id],
        "realmid": realm,
        "auth_time": now,
        "iss": ISSUER,
        "exp": now + LIFE,
        "iat": now,
    }
    signed = ".".join(_b64(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
    return f"{signed}.{_b64(_key().sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"


def public() -> dict[str, str]:
    """As a JSON web key."""
    numbers = _key().public_key().public_numbers()
    return {
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "kid": KEY_ID,
        "e": _b64(numbers.e.to_bytes(3, "big")),
        "n": _b64(numbers.n.to_bytes(256, "big")),
    }


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
