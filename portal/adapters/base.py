"""What every adapter offers, and the five ways a vendor can fail us, named for what we do next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from portal.domain.records import (
    AccountRecord,
    ClientChange,
    ClientRecord,
    NamedRecord,
    Quarantined,
    StaffRecord,
)

if TYPE_CHECKING:
    from portal.adapters.http import Dialect, Patience, Reply


class AdapterError(Exception):
    """A call to a vendor did not do what we asked.

    `message` is a sentence for a person; `vendor_text` the vendor's own words, shortened and free of secrets.
    `retry_at` is when it makes sense to try again, None where nobody can tell.
    """

    retry_at: datetime | None = None

    def __init__(self, message: str, *, status: int | None = None, vendor_text: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.vendor_text = vendor_text[:2000]


class NeedsReconnect(AdapterError):
    """Access ended or was never enough: only a person can mend it, by connecting again."""


class RateLimited(AdapterError):
    """The allowance is used up. `retry_at` is when calls may go on."""

    def __init__(self, message: str, *, retry_at: datetime, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.retry_at = retry_at


class Unavailable(AdapterError):
    """The vendor cannot be reached or is failing; the same call may work later."""

    def __init__(self, message: str, *, retry_at: datetime | None = None, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.retry_at = retry_at


class Rejected(AdapterError):
    """The vendor understood and refused: our request is wrong, and repeating it changes nothing."""


class NotThere(Rejected):
    """The record asked for does not exist (any more)."""


class UnexpectedReply(AdapterError):
    """The reply cannot be understood; its start is kept in `vendor_text`."""


class Unknown(AdapterError):
    """A write went out and its answer was lost: it may or may not have happened. Look before doing it again."""


class Stopped(AdapterError):
    """We were asked to stop; nothing was under way at the vendor when we did."""


class Flow(StrEnum):
    """Which way a field's value may travel between an app and the portal."""

    TWO_WAY = "two-way"
    PULL = "pull"
    PULL_ONCE = "first import only"
    PUSH = "push"
    NEVER = "never"


@dataclass(frozen=True)
class Tokens:
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime
    scope: str = ""
    subject: str = ""
    grant_event: str = ""


@dataclass(frozen=True)
class Allowance:
    """The vendor's limits for one account, which we keep before the vendor has to say no."""

    concurrent: int = 4
    per_minute: int = 60
    per_day: int = 5000
    kept_for_people: int = 250


@dataclass(frozen=True)
class AppInfo:
    """How an app is called and what can be done with it: all that screens need to know of a vendor."""

    slug: str
    name: str
    short_name: str
    vendor: str
    account_word: str
    account_kinds: tuple[str, ...]
    scopes: tuple[str, ...]
    client_fields: Mapping[str, Flow]
    contact_fields: Mapping[str, Flow]
    allowance: Allowance
    tips: tuple[str, ...] = ()
    limits_said: tuple[str, ...] = ()
    writes_clients: bool = True
    tells_change_times: bool = False
    full_read_every: timedelta = timedelta(days=7)
    staff_linking: bool = False
    never_synced: tuple[str, ...] = ()


class Session(Protocol):
    """A way to call one account of a vendor: signed in, paced, counted. See `portal.adapters.http`."""

    account_id: str
    calls_made: int
    not_granted: set[str]  # what the vendor would not let us read ("job categories"); the rest went on

    def by_vendor_clock(self, moment: datetime) -> datetime:
        """A moment of our clock as the vendor's clock shows it; unchanged until the vendor has answered once."""

    def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        patience: Patience = ...,
        check: Callable[[Reply], None] | None = None,
    ) -> Reply: ...

    def write(
        self,
        method: str,
        path: str,
        body: bytes | None,
        content_type: str,
        *,
        params: Mapping[str, str] | None = None,
        check: Callable[[Reply], None] | None = None,
    ) -> Reply: ...


class ClientAdapter(Protocol):
    """One app's clients. Every method may raise the errors above and nothing else."""

    info: AppInfo
    dialect: Dialect

    def authorize_url(self, *, client_id: str, state: str, challenge: str, redirect_uri: str) -> str: ...

    def exchange(
        self, *, client_id: str, client_secret: str, code: str, verifier: str, redirect_uri: str
    ) -> Tokens: ...

    def refresh(self, *, client_id: str, client_secret: str, tokens: Tokens) -> Tokens: ...

    def revoke(self, *, access_token: str, grant_id: str) -> None:
        """Give back this account's permission; other accounts of the same consent keep theirs."""

    def accounts(self, *, access_token: str) -> list[AccountRecord]: ...

    def fetch_clients(self, session: Session, since: datetime | None) -> Iterator[ClientRecord | Quarantined]:
        """All records, or those changed since; archived and deleted ones included. Streamed, not collected."""

    def fetch_client(self, session: Session, remote_id: str) -> ClientRecord: ...

    def update_client(self, session: Session, remote_id: str, change: ClientChange) -> ClientRecord:
        """Write the named fields and nothing else, and give back the record as it stands afterwards.

        Raises `Unknown` when the answer was lost; reading the record again settles what happened.
        """

    def fetch_staff(self, session: Session) -> list[StaffRecord]: ...

    def fetch_categories(self, session: Session) -> list[NamedRecord]: ...

    def fetch_templates(self, session: Session) -> list[NamedRecord]: ...
