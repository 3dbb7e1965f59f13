"""Xero Practice Manager, API 3.1: clients read in one stream, changed one at a time.

The vendor gives no change times and no webhooks; what is known about one client changes only when it is read again.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from types import MappingProxyType

from portal.adapters.base import (
    Allowance,
    AppInfo,
    Flow,
    NeedsReconnect,
    Session,
    Tokens,
    UnexpectedReply,
)
from portal.adapters.http import LONG_LIST, Dialect
from portal.adapters.xero_sign_in import XeroSignIn
from portal.adapters.xpm import reading, writing
from portal.adapters.xpm.reading import Form
from portal.adapters.xpm.xml_form import NAME, Plain
from portal.domain.records import AccountRecord, ClientChange, ClientRecord, NamedRecord, Quarantined, StaffRecord
from portal.domain.text import BadText

INFO = AppInfo(
    slug="xpm",
    name=NAME,
    short_name="XPM",
    vendor="xero",
    account_word="practice",
    account_kinds=("PRACTICEMANAGER",),
    # New apps are given scopes family by family. Job categories and templates may need the old `practicemanager.read`
    # as well, which Xero no longer lists and might refuse together with everything else; so it is not asked for, and
    # those two lists are left out when the vendor says no.
    scopes=(
        "offline_access", "openid", "profile", "email", "practicemanager.client", "practicemanager.job.read",
        "practicemanager.staff.read",
    ),
    client_fields=MappingProxyType({
        "name": Flow.TWO_WAY,
        "address": Flow.TWO_WAY,
        "postal_address": Flow.TWO_WAY,
        "phone": Flow.TWO_WAY,
        "fax": Flow.TWO_WAY,
        "partner": Flow.TWO_WAY,
        "manager": Flow.TWO_WAY,
        "groups": Flow.PULL,
        "website": Flow.PULL,
        "tax_registered": Flow.PULL,
        "structure": Flow.PULL_ONCE,
    }),
    contact_fields=MappingProxyType({
        "name": Flow.TWO_WAY,
        "email": Flow.TWO_WAY,
        "phone": Flow.TWO_WAY,
        "mobile": Flow.TWO_WAY,
        "salutation": Flow.TWO_WAY,
        "addressee": Flow.PULL_ONCE,
    }),
    allowance=Allowance(concurrent=4, per_minute=60, per_day=5000, kept_for_people=250),
    tips=(
        "In Xero Practice Manager, open Settings, then Xero, and let clients and suppliers update their details in "
        "Xero every time. Then a name you change here reaches Xero as well.",
    ),
    limits_said=(
        "Xero Practice Manager does not say when a client was changed. When both sides changed one field, the portal "
        "goes by when it first saw the change there.",
        "It does not call when something changes: changes arrive with the nightly sync or when you press Sync.",
        "A client archived there cannot be brought back from here; do that in Xero Practice Manager.",
        "Archiving or merging on one side changes nothing on the other.",
    ),
    writes_clients=True,
    tells_change_times=False,
    staff_linking=True,
    never_synced=(
        "Relationships between clients",
        "Client status",
        "Custom fields",
        "Tax numbers and financial data",
        "Jobs, quotes and documents",
    ),
)  # fmt: skip

CATEGORIES, TEMPLATES = "job categories", "job templates"


class Xpm:
    """One per process. `api_url` is without a slash at the end; `wire_format` is 'xml' or 'json'."""

    info = INFO

    def __init__(self, sign_in: XeroSignIn, *, api_url: str, wire_format: str = "xml") -> None:
        self._sign_in = sign_in
        self._form = Form(wire_format)
        self.dialect = Dialect(
            vendor=NAME,
            base_url=api_url,
            headers=self._headers,
            words=reading.words,
            lasting=("AuthorizationUnsuccessful",),
        )

    def authorize_url(self, *, client_id: str, state: str, challenge: str, redirect_uri: str) -> str:
        return self._sign_in.authorize_url(
            client_id=client_id, state=state, challenge=challenge, redirect_uri=redirect_uri, scopes=INFO.scopes
        )

    def exchange(self, *, client_id: str, client_secret: str, code: str, verifier: str, redirect_uri: str) -> Tokens:
        return self._sign_in.exchange(
            client_id=client_id, client_secret=client_secret, code=code, verifier=verifier, redirect_uri=redirect_uri
        )

    def refresh(self, *, client_id: str, client_secret: str, tokens: Tokens) -> Tokens:
        return self._sign_in.refresh(client_id=client_id, client_secret=client_secret, tokens=tokens)

    def revoke(self, *, access_token: str, grant_id: str) -> None:
        self._sign_in.revoke(access_token=access_token, grant_id=grant_id)

    def accounts(self, *, access_token: str) -> list[AccountRecord]:
        return self._sign_in.accounts(access_token=access_token, kinds=INFO.account_kinds)

    def fetch_clients(self, session: Session, since: datetime | None) -> Iterator[ClientRecord | Quarantined]:
        """One call brings them all, with contacts and groups. It may raise after some records were given:
        only an iteration that ends by itself was a whole look.
        """
        params = {"detailed": "true"}
        if since is not None:
            params["modifiedsince"] = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        reply = session.get(f"{writing.ROOT}/client.api/list", params, patience=LONG_LIST, check=self._form.check)
        yield from reading.clients(self._form, reply)

    def fetch_client(self, session: Session, remote_id: str) -> ClientRecord:
        return self._record(writing.Writer(session, self._form, remote_id).read())

    def update_client(self, session: Session, remote_id: str, change: ClientChange) -> ClientRecord:
        return self._record(writing.Writer(session, self._form, remote_id).update(change))

    def fetch_staff(self, session: Session) -> list[StaffRecord]:
        return reading.staff(self._form, session.get(f"{writing.ROOT}/staff.api/list", check=self._form.check))

    def fetch_categories(self, session: Session) -> list[NamedRecord]:
        return self._reference(session, "category.api", "Categories", "Category", CATEGORIES)

    def fetch_templates(self, session: Session) -> list[NamedRecord]:
        return self._reference(session, "template.api", "Templates", "Template", TEMPLATES)

    def _reference(self, session: Session, api: str, many: str, one: str, what: str) -> list[NamedRecord]:
        """A list the vendor may keep from us while the rest works: then empty, and noted in `session.not_granted`."""
        try:
            reply = session.get(f"{writing.ROOT}/{api}/list", check=self._form.check)
        except NeedsReconnect as refusal:
            if refusal.status not in (401, 403):
                raise
            session.not_granted.add(what)
            return []
        return reading.named(self._form, reply, many, one)

    def _headers(self, access_token: str, account_id: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {access_token}", "xero-tenant-id": account_id, **self._form.headers}

    def _record(self, raw: Plain) -> ClientRecord:
        try:
            return reading.client(raw)
        except (reading.NotUnderstood, BadText) as error:
            raise UnexpectedReply(f"{NAME} gave a client that cannot be understood: {error}", status=200) from error


__all__ = ["INFO", "Xpm"]
