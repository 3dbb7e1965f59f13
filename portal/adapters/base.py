"""What every adapter offers, and the five ways a vendor can fail us, named for what we do next."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from portal.domain.records import (
    AccountRecord,
    ClientRecord,
    NewRecord,
    Quarantined,
    RecordChange,
    Reference,
)
from portal.domain.text import ANY_NAME, NameRules

if TYPE_CHECKING:
    from portal.adapters.http import Dialect, Patience, Reply


# What must never reach a log, an error or a screen, whoever wrote it there: a token by its looks (a part between its
# dots may be empty), or whatever stands behind the name of a secret.
SECRETS = re.compile(
    r"eyJ[\w-]{10,}(?:\.[\w-]*)*"
    r"|(?<=Bearer )[^\s\"',;<]+|(?<=Basic )[^\s\"',;<]+"
    r"|(?<=_token\":\")[^\"]+|(?<=_token\": \")[^\"]+|(?<=_secret\":\")[^\"]+"
    r"|(?<=_token=)[^&\s\"<]+|(?<=_secret=)[^&\s\"<]+|(?<=code=)[^&\s\"<]+|(?<=verifier=)[^&\s\"<]+"
)


def without_secrets(text: str) -> str:
    """The text with everything that looks like a token, a code or a client secret struck out."""
    return SECRETS.sub("[hidden]", text)


class AdapterError(Exception):
    """A call to a vendor did not do what we asked.

    `message` is a sentence for a person; `vendor_text` the vendor's own words, shortened. Both come out free of
    secrets, whatever the vendor puts into its words (fault row 40).
    `retry_at` is when it makes sense to try again, None where nobody can tell.
    """

    retry_at: datetime | None = None

    def __init__(self, message: str, *, status: int | None = None, vendor_text: str = "") -> None:
        self.message = without_secrets(message)
        super().__init__(self.message)
        self.status = status
        self.vendor_text = without_secrets(vendor_text)[:2000]


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


class NameTaken(Rejected):
    """Nothing was created, because somebody there has this name. `holder_id` is the vendor's hint who, often empty."""

    def __init__(self, message: str, *, holder_id: str = "", **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.holder_id = holder_id


class Moved(Rejected):
    """Nothing was written, because the record was changed there since we read it: read it again, then decide anew."""


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
    AT_LINK = "when linked only"  # taken with an import, fills what is empty here when linked, goes out with a creation
    NEVER = "never"


class Intake(StrEnum):
    """What a sync does with a record nobody here is linked to and no client here is named like."""

    ALL = "all"  # it comes in as a new client
    CHOSEN = "chosen"  # it waits under Import until somebody chooses it


class Moment(StrEnum):
    """When a client made here is created in the app."""

    AT_ONCE = "at_once"
    FIRST_INVOICE = "first_invoice"
    ACCEPTANCE = "acceptance"


@dataclass(frozen=True)
class Setting:
    """Something of an app that the environment may set: base addresses, and forms that are not certain."""

    name: str
    default: str
    about: str


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
    """The vendor's limits for one account, kept before the vendor has to say no. None: there is no such limit."""

    concurrent: int = 4
    per_minute: int = 60
    per_day: int | None = 5000
    kept_for_people: int = 250  # of the day's calls
    per_second: int | None = None


@dataclass(frozen=True)
class AppInfo:
    """How an app is called and what can be done with it: all that screens and the sync need to know of a vendor."""

    slug: str
    name: str
    short_name: str
    vendor: str  # whose sign-in it is; apps of one vendor share the portal's registration and may share a sign-in
    account_word: str
    account_kinds: tuple[str, ...]
    scopes: tuple[str, ...]
    client_fields: Mapping[str, Flow]
    contact_fields: Mapping[str, Flow]
    allowance: Allowance
    settings: tuple[Setting, ...] = ()
    tips: tuple[str, ...] = ()
    limits_said: tuple[str, ...] = ()
    never_synced: tuple[str, ...] = ()
    writes_clients: bool = True  # existing records can be changed
    creates_clients: bool = True
    finds_clients: bool = True  # the vendor can be asked for records of a name
    batch: int = 1  # records that one call can change or create
    name_rules: NameRules = ANY_NAME  # what it would refuse as a client's name
    # The first of each is the default; the others are what an admin may choose instead.
    intakes: tuple[Intake, ...] = (Intake.ALL, Intake.CHOSEN)
    directions: tuple[str, ...] = ("both", "from_app", "to_app")
    levels: tuple[str, ...] = ("everything", "name", "nothing")
    new_clients: tuple[Moment, ...] = (Moment.ACCEPTANCE,)
    tells_change_times: bool = False
    lists_everything: bool = True  # a record missing from a full list is gone
    full_read_every: timedelta = timedelta(days=7)
    sync_every: timedelta | None = None  # None: once a night, at midnight in the firm's zone
    staff_linking: bool = False


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
        headers: Mapping[str, str] | None = None,
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
        headers: Mapping[str, str] | None = None,
        patience: Patience = ...,
        check: Callable[[Reply], None] | None = None,
    ) -> Reply: ...

    def pace(self, kind: str, per_minute: int) -> None:
        """Wait until another call of this kind fits into the minute; for limits beside the account's own."""


class ClientAdapter(Protocol):
    """One app's clients. Every method may raise the errors above and nothing else."""

    info: AppInfo
    dialect: Dialect
    consent_origin: str  # scheme and host of the page a person is sent to

    def authorize_url(
        self, *, client_id: str, state: str, challenge: str, redirect_uri: str, scopes: tuple[str, ...]
    ) -> str:
        """Where to send the person. Raises `Rejected` when the vendor would not send them back to `redirect_uri`."""

    def exchange(
        self, *, client_id: str, client_secret: str, code: str, verifier: str, redirect_uri: str
    ) -> Tokens: ...

    def refresh(self, *, client_id: str, client_secret: str, tokens: Tokens) -> Tokens: ...

    def revoke(self, *, client_id: str, client_secret: str, tokens: Tokens, grant_id: str, is_last: bool) -> bool:
        """Give back this account's permission; other accounts of the same consent keep theirs.

        `is_last` says that no other connection lives by these tokens. False when the vendor offers no way to do it.
        """

    def accounts(self, *, access_token: str, answer: Mapping[str, str]) -> list[AccountRecord]:
        """What the consent reaches. `answer` is what the vendor sent the person back with."""

    def fetch_clients(self, session: Session, since: datetime | None) -> Iterator[ClientRecord | Quarantined]:
        """All records, or those changed since; archived and deleted ones included. Streamed, not collected."""

    def fetch_client(self, session: Session, remote_id: str) -> ClientRecord:
        """The record as it stands. Raises `NotThere`."""

    def find_clients(self, session: Session, name: str) -> list[ClientRecord]:
        """Records named like this, as far as the vendor can search; also those spelled slightly otherwise, and archived
        ones, where it finds them. Asked before a record is created, so its answer has to be fresh."""

    def update_clients(self, session: Session, changes: Sequence[RecordChange]) -> list[ClientRecord | AdapterError]:
        """Write to at most `info.batch` records the named fields and nothing else; in the order asked, each record as
        it stands afterwards, or why it was not written (`Moved`, `NotThere`, other `Rejected`).

        Raises what concerns them all; `Unknown` when the answer was lost.
        """

    def create_clients(self, session: Session, news: Sequence[NewRecord]) -> list[ClientRecord | AdapterError]:
        """Create at most `info.batch` records, each under its own idempotency key where the vendor takes one.

        As `update_clients`; `NameTaken` for a name that somebody there has.
        """

    def fetch_reference(self, session: Session) -> Reference:
        """The short lists and facts screens and plans need: the account's own name, people, choices. Few calls."""
