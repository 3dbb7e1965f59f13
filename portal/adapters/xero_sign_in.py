"""Signing in at Xero's identity server: shared by every app whose data stands behind it.

Codes are spent once and refresh tokens rotate, so nothing here is ever sent twice; the caller decides about another go.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from authlib.common.urls import add_params_to_uri, url_encode
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from portal.adapters.base import NeedsReconnect, NotThere, Rejected, Tokens, Unavailable
from portal.adapters.http import SIGN_IN, Abandoned, AnswerLost, NotSent, Reply, Request, TooLarge, Transport
from portal.adapters.http.reply import without_secrets
from portal.domain.records import AccountRecord
from portal.domain.text import BadText, clean_line

XERO = "Xero"
ACCESS_LIFE = 1800  # seconds, when the vendor does not say
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


def challenge_for(verifier: str) -> str:
    """The PKCE challenge (S256) that goes with a verifier."""
    return str(create_s256_code_challenge(verifier))


def redirect_problem(redirect_uri: str) -> str:
    """Why Xero would refuse to send people back to this address, in a sentence; empty when it would not."""
    parts = urlsplit(redirect_uri)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname == "localhost"):
        return ""
    if parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1"):
        return (
            f"Xero does not send people back to {parts.hostname}. Open the portal as "
            f"http://localhost:{parts.port or 80} and set its public address to that."
        )
    return "Xero sends people back to addresses that begin with https:// only. Give the portal such a public address."


class XeroSignIn:
    """Base URLs without a slash at the end."""

    def __init__(
        self, transport: Transport, *, login_url: str, identity_url: str, api_url: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._transport = transport
        self._login_url = login_url
        self._identity_url = identity_url
        self._api_url = api_url
        self._now = now

    def authorize_url(
        self, *, client_id: str, state: str, challenge: str, redirect_uri: str, scopes: tuple[str, ...]
    ) -> str:
        """Where to send the person. Raises `Rejected` when Xero would not send them back to `redirect_uri`."""
        if problem := redirect_problem(redirect_uri):
            raise Rejected(problem)
        asked = [
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", redirect_uri),
            ("scope", " ".join(scopes)),
            ("state", state),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ]
        return str(add_params_to_uri(f"{self._login_url}/identity/connect/authorize", asked))

    def exchange(self, *, client_id: str, client_secret: str, code: str, verifier: str, redirect_uri: str) -> Tokens:
        """Spend the code. Raises `NeedsReconnect` when it was spent before, is too old or belongs elsewhere."""
        return self._tokens(
            client_id, client_secret, "",
            [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect_uri),
             ("code_verifier", verifier)],
        )  # fmt: skip

    def refresh(self, *, client_id: str, client_secret: str, tokens: Tokens) -> Tokens:
        """A new pair. Raises `NeedsReconnect` when the old one is dead, `Unavailable` when nobody can say."""
        form = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh_token)]
        return self._tokens(client_id, client_secret, tokens.refresh_token, form)

    def revoke(self, *, access_token: str, grant_id: str) -> None:
        """End one connection; one that is already gone is as good. Other connections of the consent stay."""
        url = f"{self._api_url}/connections/{quote(grant_id, safe='')}"
        reply = self._send(Request("DELETE", url, {"Authorization": f"Bearer {access_token}"}))
        with reply:
            if reply.status != 404 and not 200 <= reply.status < 300:
                raise self._refusal(reply)

    def accounts(self, *, access_token: str, kinds: tuple[str, ...]) -> list[AccountRecord]:
        """The accounts of these kinds that the person let us into, those ticked just now when Xero can tell."""
        event = claims(access_token).get("authentication_event_id")
        found = self._connections(access_token, str(event)) if event else []
        # A person who signs in again without ticking anything anew keeps what they had ticked before.
        chosen = [one for one in found if one.kind in kinds]
        return chosen or [one for one in self._connections(access_token, "") if one.kind in kinds]

    def _connections(self, access_token: str, event: str) -> list[AccountRecord]:
        headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
        params = {"authEventId": event} if event else None
        with self._send(Request("GET", f"{self._api_url}/connections", headers, params)) as reply:
            if reply.status != 200:
                raise self._refusal(reply)
            listed = reply.json()
            try:
                return [_account(entry) for entry in listed]
            except (KeyError, TypeError, AttributeError, BadText) as error:
                raise Unavailable(
                    "Xero's list of accounts cannot be understood.", status=200, vendor_text=reply.start()
                ) from error

    def _tokens(self, client_id: str, client_secret: str, kept: str, form: list[tuple[str, str]]) -> Tokens:
        """Ask the token endpoint. `kept` is the refresh token to go on with when no new one comes."""
        asked = self._now()
        request = Request(
            "POST", f"{self._identity_url}/connect/token", FORM, None, url_encode(form).encode(),
            auth=(client_id, client_secret),
        )  # fmt: skip
        with self._send(request) as reply:
            if reply.status != 200:
                raise self._grant_refusal(reply)
            answer = _object(reply)
            access = answer.get("access_token")
            if not isinstance(access, str) or not access:
                raise Unavailable("Xero's sign-in gave no token.", status=200, vendor_text=reply.start(300))
        told = claims(access)
        return Tokens(
            access_token=access,
            refresh_token=str(answer.get("refresh_token") or kept),
            expires_at=asked + timedelta(seconds=_seconds(answer.get("expires_in"))),
            scope=str(answer.get("scope") or ""),
            subject=str(told.get("xero_userid") or told.get("sub") or ""),
            grant_event=str(told.get("authentication_event_id") or ""),
        )

    def _send(self, request: Request) -> Reply:
        try:
            return self._transport.send(request, SIGN_IN)
        except (NotSent, AnswerLost, Abandoned) as failure:
            raise Unavailable(f"Xero's sign-in {failure}.") from failure
        except TooLarge as error:
            raise Unavailable("Xero's sign-in sent far more than it should.") from error

    def _grant_refusal(self, reply: Reply) -> NeedsReconnect | Rejected | Unavailable:
        """OAuth's error codes; anything that is not one of them may pass."""
        answer = _object(reply) if reply.status in (400, 401, 403) else {}
        code, text = str(answer.get("error") or ""), str(answer.get("error_description") or "")
        words = without_secrets(f"{code} {text}".strip())
        if code == "invalid_grant":
            return NeedsReconnect("Xero no longer accepts this sign-in.", status=reply.status, vendor_text=words)
        if code in ("invalid_client", "unauthorized_client"):
            return Rejected(
                "Xero does not accept this portal's client id and secret. Check them on the app's panel.",
                status=reply.status, vendor_text=words,
            )  # fmt: skip
        if code:
            return Rejected(f"Xero refused the sign-in: {words}", status=reply.status, vendor_text=words)
        return Unavailable("Xero's sign-in is not working just now.", status=reply.status, vendor_text=reply.start(300))

    def _refusal(self, reply: Reply) -> NeedsReconnect | NotThere | Rejected | Unavailable:
        words = error_words(reply)
        if reply.status in (401, 403):
            return NeedsReconnect("Xero no longer accepts this sign-in.", status=reply.status, vendor_text=words)
        if reply.status == 404:
            return NotThere("Xero does not know this connection.", status=404, vendor_text=words)
        if reply.status == 429 or reply.status >= 500:
            return Unavailable("Xero is not answering properly just now.", status=reply.status, vendor_text=words)
        return Rejected(f"Xero refused: {words or reply.status}", status=reply.status, vendor_text=words)


def error_words(reply: Reply) -> str:
    """What Xero's gateway says in a refusal: JSON with Title and Detail whatever the API behind it speaks."""
    if "json" not in reply.media_type:
        return ""
    answer = _object(reply)
    # The gateway's own form first, then the form of the APIs behind it.
    parts = (answer.get("Title"), answer.get("Detail")) if "Detail" in answer else (answer.get("errorDescription"),)
    return without_secrets(": ".join(str(part) for part in parts if part))


def claims(access_token: str) -> dict[str, Any]:
    """What the access token says about itself; empty when it is no JWT.

    Not verified: it came from the identity server over TLS a moment ago, and only steers which accounts are listed.
    """
    parts = access_token.split(".")
    if len(parts) != 3:
        return {}
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _object(reply: Reply) -> dict[str, Any]:
    try:
        found = json.loads(reply.content()[:100_000].decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _account(entry: dict[str, Any]) -> AccountRecord:
    return AccountRecord(
        remote_id=str(entry["tenantId"]),
        name=clean_line(str(entry.get("tenantName") or "")) or "(no name)",
        kind=str(entry.get("tenantType") or ""),
        grant_id=str(entry["id"]),
    )


def _seconds(said: object) -> float:
    if isinstance(said, int | float) and 0 < said < 86_400 * 365:
        return float(said)
    return ACCESS_LIFE
