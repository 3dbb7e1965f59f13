"""Digits, Connect API v1: the parties of a business's ledger, read only; new ones, invoices and payments through the
portal's own source.

Digits gives no change times and cannot be searched: what it holds is known when all of it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from urllib.parse import quote

from portal.adapters.base import (
    AdapterError,
    Allowance,
    AppInfo,
    Flow,
    Intake,
    Moment,
    NotThere,
    Rejected,
    Session,
    Setting,
    Tokens,
    Unavailable,
    UnexpectedReply,
    Unknown,
)
from portal.adapters.digits import calls, wire
from portal.adapters.digits.chart import is_about_declaring
from portal.adapters.digits.ledger import LEDGER, Books
from portal.adapters.digits.wire import NAME
from portal.adapters.http import Dialect, Request, Transport
from portal.adapters.oauth import OAuth, Style, origin_of
from portal.adapters.values import NotUnderstood
from portal.domain.records import AccountRecord, ClientRecord, NewRecord, Quarantined, RecordChange, Reference
from portal.domain.text import BadText

LIVE_CHECK = " This needs a check against a live account."
INFO = AppInfo(
    slug="digits",
    name=NAME,
    short_name=NAME,
    vendor="digits",
    account_word="business",
    account_kinds=("BUSINESS",),
    scopes=("source:sync", "ledger:read"),
    client_fields=MappingProxyType({"name": Flow.TWO_WAY}),
    contact_fields=MappingProxyType({"name": Flow.AT_LINK, "email": Flow.TWO_WAY}),
    allowance=Allowance(concurrent=4, per_minute=60, per_day=None, kept_for_people=0),
    settings=(
        Setting("DIGITS_API_URL", "https://connect.digits.com", "where Digits' Connect API is, its sign-in included"),
        *wire.SETTINGS,
    ),
    tips=(
        "Connect the firm's own books: the clients you bill are customers there.",
        "To end the permission for good, uninstall the app in Digits after disconnecting here.",
    ),
    limits_said=(
        "Digits' books can only be read. A name or an email you change here is not changed there; a client reaches "
        "Digits with its first invoice.",
        "Digits lists everybody the books know, suppliers and staff beside customers, but nobody without a "
        "transaction. So a client that is missing there is not taken to be gone.",
        "Digits merges parties of the same name into one.",
        "Digits does not say when something changed and cannot be searched. Every sync reads all parties, a hundred to "
        "a call; ten thousand take about two minutes.",
        "Of a client Digits holds the name and an email, no address and no phone number; the email is seen only if "
        "Digits shows it." + LIVE_CHECK,
        "Whether somebody is a customer or a supplier is told only if Digits says so." + LIVE_CHECK,
        "A new client is written under the portal's own numbering, in the form that Digits documents; a setting has "
        "the other form that was seen." + LIVE_CHECK,
        "Digits documents no way to give a permission back: disconnecting here forgets it." + LIVE_CHECK,
        "If Digits gives a business no identifier, the portal knows it by its name when you reconnect." + LIVE_CHECK,
    ),
    never_synced=("Addresses and phone numbers", "Tax numbers and bank details", "Other people's transactions"),
    writes_clients=False,
    finds_clients=False,
    batch=wire.MOST,
    intakes=(Intake.CHOSEN, Intake.ALL),
    directions=("from_app",),
    levels=("everything", "nothing"),
    new_clients=(Moment.FIRST_INVOICE,),
    lists_everything=False,
)  # fmt: skip

ACCESS_LIFE = 3600  # seconds, when the vendor does not say
MOST_PAGES = 10_000
CANNOT_CHANGE = f"{NAME}' books can only be read; change it there."
CANNOT_SEARCH = f"{NAME} cannot be searched by name."


class Digits(Books):
    """One per process. `value` gives the settings named in its info."""

    info = INFO

    def __init__(self, transport: Transport, value: Callable[[str], str]) -> None:
        super().__init__(wire.readings(value))
        self._api_url = value("DIGITS_API_URL").rstrip("/").removesuffix(wire.ROOT)
        transport.allow(self._api_url)
        self.consent_origin = origin_of(self._api_url)
        self._oauth = OAuth(
            transport, vendor=NAME, authorize_url=self._api_url + wire.AUTHORIZE,
            token_url=self._api_url + wire.TOKEN, style=Style.JSON, access_life=ACCESS_LIFE,
        )  # fmt: skip
        self.dialect = Dialect(
            vendor=NAME, base_url=self._api_url, headers=_headers, words=wire.words, rest=wire.rest
        )  # fmt: skip

    def authorize_url(
        self, *, client_id: str, state: str, challenge: str, redirect_uri: str, scopes: tuple[str, ...]
    ) -> str:
        """The challenge stays here: whether Digits knows PKCE on this server is not documented."""
        return self._oauth.page(client_id=client_id, state=state, redirect_uri=redirect_uri, scopes=scopes)

    def exchange(self, *, client_id: str, client_secret: str, code: str, verifier: str, redirect_uri: str) -> Tokens:
        return self._oauth.exchange(
            client_id=client_id, client_secret=client_secret, code=code, redirect_uri=redirect_uri
        )

    def refresh(self, *, client_id: str, client_secret: str, tokens: Tokens) -> Tokens:
        return self._oauth.refresh(client_id=client_id, client_secret=client_secret, tokens=tokens)

    def revoke(self, *, client_id: str, client_secret: str, tokens: Tokens, grant_id: str, is_last: bool) -> bool:
        """There is no documented way: the app is uninstalled in Digits."""
        return False

    def accounts(self, *, access_token: str, answer: Mapping[str, str]) -> list[AccountRecord]:
        """A token reaches the one business that was chosen at Digits."""
        request = Request("GET", self._api_url + wire.COMPANY, dict(_headers(access_token, "")))
        with self._oauth.send(request) as reply:
            if reply.status != 200:
                raise self._oauth.refusal(reply, wire.words(reply))
            try:
                company = wire.one_of(reply.json(), "company")
                name = wire.identifier(company, wire.COMPANY_NAMES)
                remote_id = wire.identifier(company, wire.COMPANY_IDENTIFIERS) or name
            except (UnexpectedReply, NotUnderstood, BadText) as error:
                raise Unavailable(
                    f"What {NAME} says of the business cannot be understood.", status=200, vendor_text=reply.start()
                ) from error
        if not remote_id:
            return []
        return [AccountRecord(remote_id, name or "(no name)", INFO.account_kinds[0])]

    def fetch_clients(self, session: Session, since: datetime | None) -> Iterator[ClientRecord | Quarantined]:
        """Always all of them. It may raise after some were given: only an iteration that ends was a whole look."""
        seen: set[str] = set()
        asked = {"limit": str(wire.MOST)}
        for _page in range(MOST_PAGES):
            page = wire.Page("parties")
            session.get(wire.PARTIES, asked, check=page).close()
            fresh = [one for one in map(wire.client_or_quarantine, page.entries) if _is_new(one, seen)]
            if not fresh and (page.entries or page.has_more):
                raise UnexpectedReply(f"{NAME}'s list of parties repeats itself or breaks off.")
            yield from fresh
            if not page.has_more:
                return
            asked = {**asked, "cursor": page.cursor}
        raise UnexpectedReply(f"{NAME}'s list of parties has no end.")

    def fetch_client(self, session: Session, remote_id: str) -> ClientRecord:
        """By its own address, as far as there is one; else out of the list, which takes as many calls as that has."""
        try:
            found = wire.Body()
            session.get(wire.PARTY + quote(remote_id, safe=""), check=found).close()
        except NotThere:
            return self._from_list(session, remote_id)
        record = wire.client_or_quarantine(wire.one_of(found.value, "party"))
        if isinstance(record, ClientRecord) and record.remote_id != remote_id:
            raise NotThere(f"{NAME} has merged this party into {record.name}.", status=200)
        return _understood(record)

    def _from_list(self, session: Session, remote_id: str) -> ClientRecord:
        for one in self.fetch_clients(session, None):
            if one.remote_id == remote_id:
                return _understood(one)
        raise NotThere(f"{NAME} does not list this party.", status=200)

    def find_clients(self, session: Session, name: str) -> list[ClientRecord]:
        raise Rejected(CANNOT_SEARCH)

    def update_clients(self, session: Session, changes: Sequence[RecordChange]) -> list[ClientRecord | AdapterError]:
        return [Rejected(CANNOT_CHANGE) for _one in changes]

    def create_clients(self, session: Session, news: Sequence[NewRecord]) -> list[ClientRecord | AdapterError]:
        """Written into the portal's own source, under their keys: a second try changes nothing.

        They come up in the ledger, and in `fetch_clients`, with their first transaction.
        """
        known = self._sources.known(session)
        body = wire.new_parties(news, self._forms.party_form)
        is_old = self._sources.ready(session) is known
        try:
            answer = calls.write(session, wire.SOURCE_PARTIES, body)
        except Rejected as refused:
            if not is_old or not is_about_declaring(refused):
                raise
            self._sources.forget(session)  # Digits may have lost what we declared a while ago
            self._sources.ready(session)
            answer = calls.write(session, wire.SOURCE_PARTIES, body)
        told = calls.rows(answer, "parties")
        return [_created(one, told) for one in news]

    def _party_name(self, session: Session, remote_id: str) -> str:
        return self.fetch_client(session, remote_id).name

    def fetch_reference(self, session: Session) -> Reference:
        found = wire.Body()
        session.get(wire.COMPANY, check=found).close()
        try:
            name = wire.identifier(wire.one_of(found.value, "company"), wire.COMPANY_NAMES)
        except (NotUnderstood, BadText) as error:
            raise UnexpectedReply(
                f"{NAME} described the business in a way that cannot be understood: {error}"
            ) from error
        return Reference(facts={"Business name": name} if name else {})


def _created(one: NewRecord, told: list[dict[str, object]]) -> ClientRecord | AdapterError:
    fitting = [raw for raw in told if wire.is_answer_to(raw, one)]
    try:
        made = wire.written(fitting[0], one) if len(fitting) == 1 else None
    except (NotUnderstood, BadText):
        made = None
    return made or Unknown(f"{NAME}'s answer does not say which party {one.record.name} is.", status=200)


def _understood(one: ClientRecord | Quarantined) -> ClientRecord:
    if isinstance(one, Quarantined):
        raise UnexpectedReply(f"{NAME} gave a party that cannot be understood: {one.reason}", status=200)
    return one


def _is_new(one: ClientRecord | Quarantined, seen: set[str]) -> bool:
    """A party that moved within the list while it was read comes again; one without identifier has to be seen."""
    if not one.remote_id:
        return True
    if one.remote_id in seen:
        return False
    seen.add(one.remote_id)
    return True


def _headers(access_token: str, account_id: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}


__all__ = ["INFO", "LEDGER", "Digits"]
