"""OAuth 2.0 sign-in, as far as vendors agree on it: the authorize address, the token endpoint, what its refusals mean.

Codes are spent once and refresh tokens rotate, so nothing here is ever sent twice; the caller decides about another go.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from authlib.common.urls import add_params_to_uri, url_encode
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from portal.adapters.base import AdapterError, NeedsReconnect, Rejected, Tokens, Unavailable
from portal.adapters.http import SIGN_IN, Abandoned, AnswerLost, NotSent, Reply, Request, TooLarge, Transport
from portal.adapters.http.reply import without_secrets

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
JSON = {"Content-Type": "application/json", "Accept": "application/json"}
LONGEST_LIFE = 86_400 * 365  # seconds; what is beyond is no lifetime


class Style(StrEnum):
    """How a token endpoint wants to be asked."""

    BASIC_FORM = "basic form"  # client id and secret by HTTP Basic, the rest as a form
    JSON = "json"  # everything in a JSON body


def challenge_for(verifier: str) -> str:
    """The PKCE challenge (S256) that goes with a verifier."""
    return str(create_s256_code_challenge(verifier))


def origin_of(url: str) -> str:
    """Scheme and host of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def redirect_problem(vendor: str, redirect_uri: str, *, takes_loopback_ip: bool = False) -> str:
    """Why a vendor would refuse to send people back to this address, in a sentence; empty when it would not."""
    parts = urlsplit(redirect_uri)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname == "localhost"):
        return ""
    if parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1"):
        if takes_loopback_ip:
            return ""
        return (
            f"{vendor} does not send people back to {parts.hostname}. Open the portal as "
            f"http://localhost:{parts.port or 80} and set its public address to that."
        )
    return (
        f"{vendor} sends people back to addresses that begin with https:// only. Give the portal such a public address."
    )


class OAuth:
    """One vendor's sign-in. `access_life` is how many seconds a token lasts when the vendor does not say."""

    def __init__(
        self, transport: Transport, *, vendor: str, authorize_url: str, token_url: str, style: Style = Style.BASIC_FORM,
        access_life: float = 3600, now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self.vendor = vendor
        self._transport = transport
        self._authorize_url = authorize_url
        self._token_url = token_url
        self._style = style
        self._access_life = access_life
        self._now = now
        transport.allow(token_url)

    def page(self, *, client_id: str, state: str, redirect_uri: str, scopes: tuple[str, ...], **more: str) -> str:
        """Where to send the person. Raises `Rejected` when the vendor would not send them back to `redirect_uri`."""
        if problem := redirect_problem(self.vendor, redirect_uri):
            raise Rejected(problem)
        asked = [
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", redirect_uri),
            ("scope", " ".join(scopes)),
            ("state", state),
            *more.items(),
        ]
        return str(add_params_to_uri(self._authorize_url, asked))

    def exchange(self, *, client_id: str, client_secret: str, code: str, redirect_uri: str, **more: str) -> Tokens:
        """Spend the code. Raises `NeedsReconnect` when it was spent before, is too old or belongs elsewhere."""
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, **more}
        return self._tokens(client_id, client_secret, "", fields)

    def refresh(self, *, client_id: str, client_secret: str, tokens: Tokens) -> Tokens:
        """A new pair. Raises `NeedsReconnect` when the old one is dead, `Unavailable` when nobody can say."""
        fields = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token}
        return self._tokens(client_id, client_secret, tokens.refresh_token, fields)

    def send(self, request: Request) -> Reply:
        """One call of the sign-in, whatever goes wrong named as the adapters' errors."""
        try:
            return self._transport.send(request, SIGN_IN)
        except (NotSent, AnswerLost, Abandoned) as failure:
            raise Unavailable(f"{self.vendor}'s sign-in {failure}.") from failure
        except TooLarge as error:
            raise Unavailable(f"{self.vendor}'s sign-in sent far more than it should.") from error

    def refusal(self, reply: Reply, words: str) -> AdapterError:
        """What a refusal of a call made with an access token, outside any session, comes to."""
        if reply.status in (401, 403):
            return NeedsReconnect(
                f"{self.vendor} no longer accepts this sign-in.", status=reply.status, vendor_text=words
            )
        if reply.status == 429 or reply.status >= 500:
            return Unavailable(
                f"{self.vendor} is not answering properly just now.", status=reply.status, vendor_text=words
            )
        return Rejected(f"{self.vendor} refused: {words or reply.status}", status=reply.status, vendor_text=words)

    def _tokens(self, client_id: str, client_secret: str, kept: str, fields: Mapping[str, str]) -> Tokens:
        """Ask the token endpoint. `kept` is the refresh token to go on with when no new one comes."""
        asked = self._now()
        with self.send(self._request(client_id, client_secret, fields)) as reply:
            if reply.status != 200:
                raise self._grant_refusal(reply)
            answer = object_of(reply)
            access = answer.get("access_token")
            if not isinstance(access, str) or not access:
                raise Unavailable(
                    f"{self.vendor}'s sign-in gave no token.", status=reply.status, vendor_text=reply.start(300)
                )
        return Tokens(
            access_token=access,
            refresh_token=str(answer.get("refresh_token") or kept),
            expires_at=asked + timedelta(seconds=self._seconds(answer.get("expires_in"))),
            scope=str(answer.get("scope") or ""),
        )

    def _request(self, client_id: str, client_secret: str, fields: Mapping[str, str]) -> Request:
        if self._style is Style.JSON:
            body = {**fields, "client_id": client_id, "client_secret": client_secret}
            return Request("POST", self._token_url, JSON, None, json.dumps(body).encode())
        body_text = url_encode(list(fields.items()))
        return Request("POST", self._token_url, FORM, None, body_text.encode(), auth=(client_id, client_secret))

    def _grant_refusal(self, reply: Reply) -> AdapterError:
        """OAuth's error codes; anything that is not one of them may pass."""
        answer = object_of(reply) if reply.status in (400, 401, 403) else {}
        if isinstance(answer.get("error"), dict):  # some wrap them: {"error": {"code": "INVALID_GRANT", "message": …}}
            inner = answer["error"]
            answer = {"error": str(inner.get("code") or ""), "error_description": inner.get("message")}
        code = str(answer.get("error") or "").lower()
        words = without_secrets(self._words(answer))
        if code == "invalid_grant":
            return NeedsReconnect(
                f"{self.vendor} no longer accepts this sign-in.", status=reply.status, vendor_text=words
            )
        if code in ("invalid_client", "unauthorized_client"):
            return Rejected(
                f"{self.vendor} does not accept this portal's client id and secret. Check them on the app's panel.",
                status=reply.status, vendor_text=words,
            )  # fmt: skip
        if code:
            return Rejected(f"{self.vendor} refused the sign-in: {words}", status=reply.status, vendor_text=words)
        return Unavailable(
            f"{self.vendor}'s sign-in is not working just now.", status=reply.status, vendor_text=reply.start(300)
        )

    @staticmethod
    def _words(answer: Mapping[str, Any]) -> str:
        parts = (answer.get("error"), answer.get("error_description"))
        return " ".join(str(part) for part in parts if isinstance(part, str) and part)

    def _seconds(self, said: object) -> float:
        if isinstance(said, str) and said.isdecimal():
            said = int(said)
        if isinstance(said, int | float) and not isinstance(said, bool) and 0 < said < LONGEST_LIFE:
            return float(said)
        return self._access_life


def object_of(reply: Reply) -> dict[str, Any]:
    """The reply's JSON object; empty when it is something else."""
    try:
        found = json.loads(reply.content()[:100_000].decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
