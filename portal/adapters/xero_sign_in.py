"""Signing in at Xero's identity server: shared by every app whose data stands behind it.

Codes are spent once and refresh tokens rotate, so nothing here is ever sent twice; the caller decides about another go.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from portal.adapters.base import AdapterError, AppInfo, NotThere, Setting, Tokens, Unavailable
from portal.adapters.http import Reply, Request, Transport
from portal.adapters.http.reply import without_secrets
from portal.adapters.oauth import OAuth, object_of, origin_of
from portal.domain.records import AccountRecord
from portal.domain.text import BadText, clean_line

XERO = "Xero"
ACCOUNTING = "/api.xro/2.0"  # the accounting API's root; the address may be given with it or without
ACCESS_LIFE = 1800  # seconds, when the vendor does not say
SETTINGS = (
    Setting("XERO_API_URL", "https://api.xero.com", "where Xero's accounting API and its list of connections are"),
    Setting("XERO_IDENTITY_URL", "https://identity.xero.com", "where tokens are asked for"),
    Setting("XERO_LOGIN_URL", "https://login.xero.com", "where people sign in"),
)


class XeroSignIn:
    """`value` gives the settings below; base addresses may end with a slash or not."""

    def __init__(
        self, transport: Transport, value: Callable[[str], str],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        login, identity = value("XERO_LOGIN_URL").rstrip("/"), value("XERO_IDENTITY_URL").rstrip("/")
        self.api_url = value("XERO_API_URL").rstrip("/").removesuffix(ACCOUNTING)
        transport.allow(self.api_url)
        self.consent_origin = origin_of(login)
        self._oauth = OAuth(
            transport, vendor=XERO, authorize_url=f"{login}/identity/connect/authorize",
            token_url=f"{identity}/connect/token", access_life=ACCESS_LIFE, now=now,
        )  # fmt: skip

    def authorize_url(
        self, *, client_id: str, state: str, challenge: str, redirect_uri: str, scopes: tuple[str, ...]
    ) -> str:
        """Where to send the person. Raises `Rejected` when Xero would not send them back to `redirect_uri`."""
        return self._oauth.page(
            client_id=client_id, state=state, redirect_uri=redirect_uri, scopes=scopes, code_challenge=challenge,
            code_challenge_method="S256",
        )  # fmt: skip

    def exchange(self, *, client_id: str, client_secret: str, code: str, verifier: str, redirect_uri: str) -> Tokens:
        """Spend the code. Raises `NeedsReconnect` when it was spent before, is too old or belongs elsewhere."""
        return _told(
            self._oauth.exchange(
                client_id=client_id, client_secret=client_secret, code=code, redirect_uri=redirect_uri,
                code_verifier=verifier,
            )
        )  # fmt: skip

    def refresh(self, *, client_id: str, client_secret: str, tokens: Tokens) -> Tokens:
        """A new pair. Raises `NeedsReconnect` when the old one is dead, `Unavailable` when nobody can say."""
        return _told(self._oauth.refresh(client_id=client_id, client_secret=client_secret, tokens=tokens))

    def revoke(self, *, access_token: str, grant_id: str) -> None:
        """End one connection; one that is already gone is as good. Other connections of the consent stay."""
        url = f"{self.api_url}/connections/{quote(grant_id, safe='')}"
        with self._oauth.send(Request("DELETE", url, {"Authorization": f"Bearer {access_token}"})) as reply:
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
        with self._oauth.send(Request("GET", f"{self.api_url}/connections", headers, params)) as reply:
            if reply.status != 200:
                raise self._refusal(reply)
            listed = reply.json()
            try:
                return [_account(entry) for entry in listed]
            except (KeyError, TypeError, AttributeError, BadText) as error:
                raise Unavailable(
                    "Xero's list of accounts cannot be understood.", status=200, vendor_text=reply.start()
                ) from error

    def _refusal(self, reply: Reply) -> AdapterError:
        words = error_words(reply)
        if reply.status == 404:
            return NotThere("Xero does not know this connection.", status=404, vendor_text=words)
        return self._oauth.refusal(reply, words)


class SignsInAtXero:
    """What an adapter has of signing in, the same for every app whose data stands behind Xero's identity server."""

    info: AppInfo
    _sign_in: XeroSignIn

    def authorize_url(
        self, *, client_id: str, state: str, challenge: str, redirect_uri: str, scopes: tuple[str, ...]
    ) -> str:
        return self._sign_in.authorize_url(
            client_id=client_id, state=state, challenge=challenge, redirect_uri=redirect_uri, scopes=scopes
        )

    def exchange(self, *, client_id: str, client_secret: str, code: str, verifier: str, redirect_uri: str) -> Tokens:
        return self._sign_in.exchange(
            client_id=client_id, client_secret=client_secret, code=code, verifier=verifier, redirect_uri=redirect_uri
        )

    def refresh(self, *, client_id: str, client_secret: str, tokens: Tokens) -> Tokens:
        return self._sign_in.refresh(client_id=client_id, client_secret=client_secret, tokens=tokens)

    def revoke(self, *, client_id: str, client_secret: str, tokens: Tokens, grant_id: str, is_last: bool) -> bool:
        self._sign_in.revoke(access_token=tokens.access_token, grant_id=grant_id)
        return True

    def accounts(self, *, access_token: str, answer: Mapping[str, str]) -> list[AccountRecord]:
        return self._sign_in.accounts(access_token=access_token, kinds=self.info.account_kinds)


def _told(tokens: Tokens) -> Tokens:
    """With what the access token says about who consented, and when."""
    told = claims(tokens.access_token)
    return replace(
        tokens, subject=str(told.get("xero_userid") or told.get("sub") or ""),
        grant_event=str(told.get("authentication_event_id") or ""),
    )  # fmt: skip


def error_words(reply: Reply) -> str:
    """What Xero's gateway says in a refusal: JSON with Title and Detail whatever the API behind it speaks."""
    if "json" not in reply.media_type:
        return ""
    answer = object_of(reply)
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


def _account(entry: dict[str, Any]) -> AccountRecord:
    return AccountRecord(
        remote_id=str(entry["tenantId"]),
        name=clean_line(str(entry.get("tenantName") or "")) or "(no name)",
        kind=str(entry.get("tenantType") or ""),
        grant_id=str(entry["id"]),
    )
