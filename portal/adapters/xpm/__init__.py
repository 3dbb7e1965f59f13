"""Xero Practice Manager, API 3.1: clients read in one stream, changed one at a time.

The vendor gives no change times and no webhooks; what is known about one client changes only when it is read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from portal.adapters.base import (
    AdapterError,
    Allowance,
    AppInfo,
    Flow,
    Moment,
    NeedsReconnect,
    Rejected,
    Session,
    Setting,
    UnexpectedReply,
    Unknown,
)
from portal.adapters.http import LONG_LIST, Dialect, Transport
from portal.adapters.xero_sign_in import SETTINGS, SignsInAtXero, XeroSignIn
from portal.adapters.xpm import jobs, reading, writing
from portal.adapters.xpm.reading import Form
from portal.adapters.xpm.xml_form import NAME, Plain
from portal.domain.records import (
    ClientRecord,
    JobCategory,
    JobOut,
    JobRecord,
    JobTemplate,
    NamedRecord,
    NewRecord,
    Quarantined,
    RecordChange,
    Reference,
)
from portal.domain.text import BadText, near_key

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
        "offline_access", "openid", "profile", "email", "practicemanager.client", "practicemanager.job",
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
    settings=(
        *SETTINGS,
        Setting("XPM_API_URL", "https://api.xero.com", "where Xero Practice Manager's API is"),
        Setting("XPM_WIRE_FORMAT", "xml", "how it is spoken to: xml, or json where the practice has it"),
    ),
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
        "Jobs are set up there when a proposal is accepted and not changed from here afterwards. A connection that was "
        "made when the portal only read jobs has to be made again first.",
    ),
    new_clients=(Moment.ACCEPTANCE,),
    staff_linking=True,
    never_synced=(
        "Relationships between clients",
        "Client status",
        "Custom fields",
        "Tax numbers and financial data",
        "Quotes, documents, and jobs once they are set up",
    ),
)  # fmt: skip

CATEGORIES, TEMPLATES = "job categories", "job templates"


class Xpm(SignsInAtXero):
    """One per process. `value` gives the settings named in its info."""

    info = INFO

    def __init__(self, transport: Transport, value: Callable[[str], str]) -> None:
        api_url = value("XPM_API_URL").rstrip("/").removesuffix(writing.ROOT)
        transport.allow(api_url)
        self._sign_in = XeroSignIn(transport, value)
        self.consent_origin = self._sign_in.consent_origin
        self._form = Form(value("XPM_WIRE_FORMAT"))
        self.dialect = Dialect(
            vendor=NAME,
            base_url=api_url,
            headers=self._headers,
            words=reading.words,
            lasting=(reading.NOT_GRANTED,),
        )

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

    def find_clients(self, session: Session, name: str) -> list[ClientRecord]:
        """XPM finds names that begin with this one, whatever their capitals; whether archived ones too is not said."""
        params = {"query": name, "detailed": "true"}
        reply = session.get(f"{writing.ROOT}/client.api/search", params, patience=LONG_LIST, check=self._form.check)
        found = []
        for one in reading.clients(self._form, reply):
            if isinstance(one, ClientRecord):
                found.append(one)
            elif near_key(one.name) == near_key(name):  # it may be the very one: better not to create another
                raise UnexpectedReply(f"{NAME} holds a client named {name} that cannot be understood: {one.reason}")
        return found

    def create_clients(self, session: Session, news: Sequence[NewRecord]) -> list[ClientRecord | AdapterError]:
        return [self._create(session, one) for one in news]

    def _create(self, session: Session, one: NewRecord) -> ClientRecord | AdapterError:
        try:
            made = writing.create(session, self._form, one.record)
        except Rejected as refusal:
            return refusal
        try:
            return reading.client(made)
        except (reading.NotUnderstood, BadText) as error:
            raise Unknown(f"{NAME} made a client that cannot be understood: {error}", status=200) from error

    def update_clients(self, session: Session, changes: Sequence[RecordChange]) -> list[ClientRecord | AdapterError]:
        return [self._update(session, one) for one in changes]

    def _update(self, session: Session, one: RecordChange) -> ClientRecord | AdapterError:
        try:
            return self._record(writing.Writer(session, self._form, one.record.remote_id).update(one.change))
        except Rejected as refusal:
            return refusal

    def fetch_reference(self, session: Session) -> Reference:
        """One read each of staff, categories and templates (XPM-7)."""
        staff = reading.staff(self._form, session.get(f"{writing.ROOT}/staff.api/list", check=self._form.check))
        return Reference(
            staff=tuple(staff),
            lists={CATEGORIES: tuple(self._categories(session)), TEMPLATES: tuple(self._templates(session))},
        )

    def fetch_job_choices(self, session: Session) -> tuple[tuple[JobTemplate, ...], tuple[JobCategory, ...]]:
        """XPM tells what templates are called, not which tasks they hold."""
        return (
            tuple(JobTemplate(one.remote_id, one.name) for one in self._templates(session)),
            tuple(JobCategory(one.remote_id, one.name) for one in self._categories(session)),
        )

    def create_job(self, session: Session, job: JobOut) -> JobRecord:
        return jobs.create(session, self._form, job)

    def find_jobs(
        self, session: Session, client_remote_id: str, *, mark: str = "", order_number: str = ""
    ) -> list[JobRecord]:
        found = jobs.of_client(session, self._form, client_remote_id)
        if mark:
            return [one for one in found if one.mark == mark]
        return [one for one in found if not order_number or one.order_number == order_number]

    def finish_job(self, session: Session, found: JobRecord, job: JobOut) -> JobRecord:
        return jobs.finish(session, self._form, found, job)

    def _categories(self, session: Session) -> list[NamedRecord]:
        return self._list(session, "category.api", "Categories", "Category", CATEGORIES)

    def _templates(self, session: Session) -> list[NamedRecord]:
        return self._list(session, "template.api", "Templates", "Template", TEMPLATES)

    def _list(self, session: Session, api: str, many: str, one: str, what: str) -> list[NamedRecord]:
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
