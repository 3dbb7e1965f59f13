"""Signing in at Intuit: one consent lets us into one company, which is named in the address people come back to."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from portal.adapters.base import Rejected, Setting, Tokens
from portal.adapters.http import Request, Transport
from portal.adapters.oauth import JSON, OAuth, origin_of
from portal.adapters.quickbooks.replies import NAME, ROOT, VERSION, Answer, named, odd, url_of, words
from portal.domain.records import AccountRecord
from portal.domain.text import BadText, clean_line

TOKEN_PATH = "/oauth2/v1/tokens/bearer"
AUTHORIZE_PATH = "/connect/oauth2"
REVOKE_PATH = "/v2/oauth2/tokens/revoke"
KIND = "COMPANY"
LONGEST_REALM = 30  # digits; nineteen have been seen
SETTINGS = (
    Setting(
        "QUICKBOOKS_API_URL", "https://quickbooks.api.intuit.com",
        "where the API is; https://sandbox-quickbooks.api.intuit.com for Intuit's test companies",
    ),
    Setting("QUICKBOOKS_OAUTH_URL", "https://oauth.platform.intuit.com", "where tokens are asked for"),
    Setting("QUICKBOOKS_AUTHORIZE_URL", "https://appcenter.intuit.com", "where people sign in"),
    Setting("QUICKBOOKS_REVOKE_URL", "https://developer.api.intuit.com", "where tokens are given back"),
    Setting(
        "QUICKBOOKS_TAX_INCLUSIVE_LINES", "net",
        "where prices have the tax in them, whether a line's amount goes out without it (net) or with it (gross)",
    ),
)  # fmt: skip


class IntuitSignIn:
    """`value` gives the settings above, with or without their paths and a slash at the end."""

    def __init__(
        self, transport: Transport, value: Callable[[str], str],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self.api_url = value("QUICKBOOKS_API_URL").rstrip("/").removesuffix(ROOT)
        self._revoke_url = _ending(value("QUICKBOOKS_REVOKE_URL"), REVOKE_PATH)
        authorize_url = _ending(value("QUICKBOOKS_AUTHORIZE_URL"), AUTHORIZE_PATH)
        self.consent_origin = origin_of(authorize_url)
        transport.allow(self.api_url, self._revoke_url)
        self._oauth = OAuth(
            transport, vendor=NAME, authorize_url=authorize_url,
            token_url=_ending(value("QUICKBOOKS_OAUTH_URL"), TOKEN_PATH), now=now,
        )  # fmt: skip

    def authorize_url(self, *, client_id: str, state: str, redirect_uri: str, scopes: tuple[str, ...]) -> str:
        """Where to send the person, without PKCE. Raises `Rejected` for an address Intuit would not send back to."""
        return self._oauth.page(client_id=client_id, state=state, redirect_uri=redirect_uri, scopes=scopes)

    def exchange(self, *, client_id: str, client_secret: str, code: str, redirect_uri: str) -> Tokens:
        return self._oauth.exchange(
            client_id=client_id, client_secret=client_secret, code=code, redirect_uri=redirect_uri
        )

    def refresh(self, *, client_id: str, client_secret: str, tokens: Tokens) -> Tokens:
        return self._oauth.refresh(client_id=client_id, client_secret=client_secret, tokens=tokens)

    def revoke(self, *, client_id: str, client_secret: str, tokens: Tokens, is_last: bool) -> bool:
        """Ends the whole consent, so only when nobody else lives by it. 200 and nothing else is a yes."""
        if not is_last:
            return False
        body = json.dumps({"token": tokens.refresh_token or tokens.access_token}).encode()
        with self._oauth.send(
            Request("POST", self._revoke_url, JSON, None, body, auth=(client_id, client_secret))
        ) as reply:
            if reply.status != 200:
                raise self._oauth.refusal(reply, words(reply))
        return True

    def accounts(self, *, access_token: str, answer: Mapping[str, str]) -> list[AccountRecord]:
        """The company of this consent. Raises `Rejected` when the answer names none."""
        realm = answer.get("realmId", "")
        if not (realm.isascii() and realm.isdigit() and len(realm) <= LONGEST_REALM):
            raise Rejected(f"{NAME} did not say which company it let us into.")
        return [AccountRecord(realm, self._company_name(access_token, realm), KIND)]

    def _company_name(self, access_token: str, realm: str) -> str:
        url = self.api_url + url_of(realm, f"companyinfo/{realm}")
        with self._oauth.send(Request("GET", url, headers(access_token, realm), VERSION)) as reply:
            if reply.status != 200:
                raise named(reply) or self._oauth.refusal(reply, words(reply))
            found = Answer("CompanyInfo")
            found(reply)
            try:
                return company_name(found.found) or "(no name)"
            except BadText as error:
                raise odd(reply, "The company's name cannot be read.") from error


def headers(access_token: str, _realm: str) -> dict[str, str]:
    """Without Accept the vendor answers in XML."""
    return {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}


def company_name(info: object) -> str:
    """Empty when it has none. Raises `BadText`."""
    found = info if isinstance(info, dict) else {}
    return clean_line(str(found.get("CompanyName") or found.get("LegalName") or ""))


def _ending(base: str, path: str) -> str:
    """The address with this path, whether it was given with it or not."""
    return base.rstrip("/").removesuffix(path) + path
