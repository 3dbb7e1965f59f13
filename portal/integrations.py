"""The one module that hooks the adapters together: the list of apps, signing in to them, calling their accounts.

Adding an app is one adapter and one line in `configure`. No vendor is called while the caller's database session is in
a transaction: commit first.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

from flask import has_app_context
from sqlalchemy import delete, func, select

from portal import call_budget, token_keeper
from portal.adapters.base import AdapterError, AppInfo, ClientAdapter, NeedsReconnect, Tokens
from portal.adapters.digits import Digits
from portal.adapters.http import CallsToday, Transport, VendorSession, Wait
from portal.adapters.jobs import Jobs
from portal.adapters.ledger import Ledger, LedgerInfo
from portal.adapters.oauth import challenge_for
from portal.adapters.quickbooks import QuickBooks
from portal.adapters.xero import Xero
from portal.adapters.xpm import Xpm
from portal.config import MailServer, Settings, VendorApp
from portal.db import apart, db
from portal.domain import mail
from portal.domain.apps import Connection, ConsentAttempt, TokenSet, VendorCredentials, ways
from portal.domain.people import User
from portal.domain.records import AccountRecord

log = logging.getLogger(__name__)
CONSENT_LIFE = timedelta(minutes=10)
OFFERED = (Xpm, Xero, QuickBooks, Digits)
APPS: dict[str, ClientAdapter] = {}
_wired: Wiring | None = None


@dataclass(frozen=True)
class Wiring:
    settings: Settings
    transport: Transport
    consent_origins: tuple[str, ...]


@dataclass(frozen=True)
class Consent:
    """What came of a sign-in at a vendor. `reconnects_id` is the connection it was meant to mend, None: a new one."""

    app: str
    token_set: TokenSet
    accounts: list[AccountRecord]
    reconnects_id: int | None


@dataclass(frozen=True)
class Attempt:
    """What was noted when a sign-in began."""

    app: str
    verifier: str = field(repr=False)
    reconnects_id: int | None
    started_at: datetime


class ConsentProblem(Exception):
    """A sign-in at a vendor came to nothing and nothing was stored. The text is for the person."""


def configure(settings: Settings) -> None:
    """Build every adapter. Raises ValueError, naming what is wrong, for an address or format that cannot be used."""
    global _wired
    transport = Transport(before_call=_no_open_transaction)
    adapters: list[ClientAdapter] = [offered(transport, _values(settings, offered.info)) for offered in OFFERED]
    _wired = Wiring(settings, transport, tuple(dict.fromkeys(adapter.consent_origin for adapter in adapters)))
    mail.send_as(settings.mail.sender if settings.mail.is_on else "")
    APPS.clear()
    APPS.update({adapter.info.slug: adapter for adapter in adapters})
    for adapter in adapters:
        ways.register(_ways(adapter))


def _ways(adapter: ClientAdapter) -> ways.Ways:
    """What the domain has to know of an app."""
    info = adapter.info
    return ways.Ways(
        slug=info.slug, name=info.name, short_name=info.short_name, client_fields=info.client_fields,
        contact_fields=info.contact_fields, intakes=info.intakes, directions=info.directions, levels=info.levels,
        new_clients=info.new_clients, writes=info.writes_clients, creates=info.creates_clients,
        finds=info.finds_clients, batch=info.batch, name_rules=info.name_rules,
        lists_everything=info.lists_everything, sync_every=info.sync_every, ledger=_ledger_ways(adapter),
    )  # fmt: skip


def _ledger_ways(adapter: ClientAdapter) -> ways.LedgerWays | None:
    told: LedgerInfo | None = getattr(adapter, "ledger", None)
    if told is None:
        return None
    return ways.LedgerWays(
        lists=tuple(one.value for one in told.lists), target=told.line_goes_to.value, target_word=told.target_word,
        rounding=told.rounding.value, number_length=told.number_length, lines_at_most=told.lines_at_most,
        takes_drafts=told.takes_drafts, takes_payments=told.takes_payments, pay_into_needed=told.pay_into_needed,
        tells_payments=told.tells_payments, poll_every=told.poll_every, cautions=told.cautions,
    )  # fmt: skip


def _values(settings: Settings, info: AppInfo) -> Callable[[str], str]:
    """Gives an adapter its own settings. Raises KeyError for one it has not declared."""
    declared = {one.name: settings.of_app(one.name, one.default) for one in info.settings}
    return declared.__getitem__


def all_apps() -> list[AppInfo]:
    return [adapter.info for adapter in APPS.values()]


def app_info(slug: str) -> AppInfo:
    """Raises KeyError for an app there is not."""
    return APPS[slug].info


def adapter_for(connection: Connection) -> ClientAdapter:
    return APPS[connection.app]


def ledger_for(connection: Connection) -> Ledger:
    """The adapter of an app that holds invoices. Raises KeyError for any other."""
    return ledger_of(connection.app)


def ledger_of(slug: str) -> Ledger:
    """The same by the app's slug."""
    adapter = APPS[slug]
    if not hasattr(adapter, "ledger"):
        raise KeyError(f"{adapter.info.name} holds no invoices")
    return cast(Ledger, adapter)


def jobs_for(connection: Connection) -> Jobs:
    """The adapter of an app that takes jobs. Raises KeyError for any other."""
    adapter = APPS[connection.app]
    if not hasattr(adapter, "create_job"):
        raise KeyError(f"{adapter.info.name} takes no jobs")
    return cast(Jobs, adapter)


def takes_jobs(slug: str) -> bool:
    """Whether this app takes jobs."""
    return hasattr(APPS.get(slug), "create_job")


def webhook_key(vendor: str) -> str:
    """What this vendor signs its webhooks with: from the environment, else as an admin typed it; empty: unknown."""
    given = _wiring().settings.of_app(f"{vendor.upper()}_WEBHOOK_KEY", "")
    if given:
        return given
    row = db.session.get(VendorCredentials, vendor)
    return (row.webhook_key or "") if row else ""


def consent_origins() -> tuple[str, ...]:
    """The vendors' sites a form of ours may lead on to; the content security policy must name them."""
    return _wiring().consent_origins


def credentials(vendor: str) -> VendorApp:
    """How this portal is registered with a vendor: from the environment, else as an admin typed it; may be empty."""
    given = _wiring().settings.registration(vendor)
    if given.client_id:
        return given
    with apart(db.engine, only_read=True) as session:
        row = session.get(VendorCredentials, vendor)
        return VendorApp(row.client_id, row.client_secret) if row else VendorApp()


def redirect_uri() -> str:
    """Where vendors send people back to; the same for every app, because it has to be registered with each."""
    return f"{public_url()}/apps/callback"


def public_url() -> str:
    """Where people reach this portal, for what vendors show of it."""
    return _wiring().settings.public_url


def mail_server() -> MailServer:
    """Where outgoing mail is handed in."""
    return _wiring().settings.mail


def start_consent(app: str, user: User, now: datetime, reconnects: Connection | None = None) -> str:
    """Note the attempt in the caller's transaction, and give the vendor's page to send this person to.

    Raises `ConsentProblem` when the portal has no credentials or the vendor would not send people back here.
    """
    adapter = APPS[app]
    registered = credentials(adapter.info.vendor)
    if not registered.client_id:
        raise ConsentProblem(
            f"This portal has no client id for {adapter.info.name} yet. An admin can enter it on the app's panel."
        )
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    try:
        url = adapter.authorize_url(
            client_id=registered.client_id, state=state, challenge=challenge_for(verifier),
            redirect_uri=redirect_uri(), scopes=_scopes(adapter.info),
        )  # fmt: skip
    except AdapterError as error:
        raise ConsentProblem(error.message) from error
    db.session.execute(delete(ConsentAttempt).where(ConsentAttempt.started_at < now - timedelta(days=1)))
    db.session.add(
        ConsentAttempt(
            state_hash=_hashed(state),
            app=app,
            user_id=user.id,
            verifier=verifier,
            reconnects_id=reconnects.id if reconnects else None,
            started_at=now,
        )
    )
    return url


def _scopes(info: AppInfo) -> tuple[str, ...]:
    """What to ask for: this app's scopes, and those of the vendor's other apps in use here.

    One person's consents at one vendor share one token set, so a new one must not be narrower than the last.
    """
    in_use = set(db.session.scalars(select(Connection.app).where(Connection.token_set_id.is_not(None)).distinct()))
    wanted = list(info.scopes)
    for other in all_apps():
        if other.vendor == info.vendor and other.slug in in_use:
            wanted += other.scopes
    return tuple(dict.fromkeys(wanted))


def finish_consent(answer: Mapping[str, str], user: User, now: datetime) -> Consent:
    """Take what the vendor sent this person back with (fault row 41). Raises `ConsentProblem`; then nothing is stored.

    Commits what the caller has done so far, because no transaction may be open while the vendor is asked.
    """
    user_id = user.id
    db.session.commit()
    attempt = _spend_attempt(answer.get("state", ""), user_id, now)
    error, code = answer.get("error", ""), answer.get("code", "")
    adapter = APPS[attempt.app]
    name = adapter.info.name
    if error == "access_denied":
        raise ConsentProblem(f"The sign-in at {name} was cancelled there, so nothing was connected.")
    if error or not code:
        raise ConsentProblem(
            f"{name} ended the sign-in without letting us in. Nothing was connected; please try again."
        )
    registered = credentials(adapter.info.vendor)
    try:
        tokens = adapter.exchange(
            client_id=registered.client_id,
            client_secret=registered.client_secret,
            code=code,
            verifier=attempt.verifier,
            redirect_uri=redirect_uri(),
        )
        accounts = adapter.accounts(access_token=tokens.access_token, answer=answer)
    except AdapterError as failure:
        raise ConsentProblem(f"{failure.message} Nothing was connected; please start again.") from failure
    if not tokens.refresh_token:
        raise ConsentProblem(
            f"{name} let us in for a short while only, without the permission to stay connected. Nothing was connected."
        )
    if not accounts:
        raise ConsentProblem(
            f"{name} let you in, but to no {adapter.info.account_word}. Sign in as somebody who may give apps full "
            f"access, and tick the {adapter.info.account_word} you mean."
        )
    token_set_id = token_keeper.keep_new(
        db.engine, vendor=adapter.info.vendor, client_id=registered.client_id, tokens=tokens, now=now
    )
    return Consent(attempt.app, db.session.get_one(TokenSet, token_set_id), accounts, attempt.reconnects_id)


def open_session(
    connection: Connection,
    *,
    urgent: bool = False,
    should_stop: Callable[[], bool] | None = None,
    on_wait: Callable[[Wait], None] | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> VendorSession:
    """A way to call this account. `urgent`: a person is waiting, so the calls kept for people may be used.

    Makes no call itself. The caller's transaction must have ended before the first one.
    """
    adapter = adapter_for(connection)
    budget = call_budget.SharedBudget(db.engine, _account(connection), adapter.info.allowance)
    keeper = _keeper(connection, adapter, should_stop, now, sleep)
    return VendorSession(
        _wiring().transport, adapter.dialect, connection.account_id, keeper, budget,
        urgent=urgent, should_stop=should_stop, on_wait=on_wait, before_call=_no_open_transaction, now=now, sleep=sleep,
    )  # fmt: skip


def calls_today(connection: Connection, now: datetime | None = None) -> CallsToday:
    """Calls used and left of the day's allowance, and until when the account rests, if it does."""
    allowance = app_info(connection.app).allowance
    return call_budget.calls_today(db.session(), _account(connection), allowance, now or datetime.now(UTC))


def call_allowance(connection: Connection) -> tuple[int, int | None]:
    """(calls made today, calls a day; None where the vendor has no such limit)."""
    today = calls_today(connection)
    return today.used, today.per_day


def disconnect(connection: Connection) -> bool:
    """Give this account's permission back to the vendor; other accounts of the same sign-in keep theirs.

    Whether the vendor confirmed it; a vendor that cannot be reached keeps nobody from disconnecting here. Commits what
    the caller has done so far. What disconnecting means here is `domain.connections.disconnect`, to be called after.
    """
    adapter, grant_id, token_set_id = adapter_for(connection), connection.grant_id, connection.token_set_id
    keeper = _keeper(connection, adapter)
    registered = credentials(adapter.info.vendor)
    users = db.session.scalar(select(func.count()).where(Connection.token_set_id == token_set_id))
    db.session.commit()
    if token_set_id is None:
        return False
    try:
        return adapter.revoke(
            client_id=registered.client_id, client_secret=registered.client_secret, tokens=keeper.tokens(),
            grant_id=grant_id, is_last=users == 1,
        )  # fmt: skip
    except AdapterError as error:
        log.info("%s did not confirm a disconnect: %s", adapter.info.name, error.message)
        return False


def _keeper(
    connection: Connection, adapter: ClientAdapter, should_stop: Callable[[], bool] | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC), sleep: Callable[[float], None] = time.sleep,
) -> token_keeper.TokenKeeper:  # fmt: skip
    info = adapter.info

    def refresh(tokens: Tokens, client_id: str) -> Tokens:
        registered = credentials(info.vendor)
        if registered.client_id != client_id:
            raise NeedsReconnect(f"The portal's client id for {info.name} has changed. Connect again.")
        return adapter.refresh(client_id=client_id, client_secret=registered.client_secret, tokens=tokens)

    return token_keeper.TokenKeeper(
        db.engine, connection.token_set_id, refresh, app_name=_app_name, now=now, sleep=sleep, should_stop=should_stop
    )


def _spend_attempt(state: str, user_id: int, now: datetime) -> Attempt:
    """The attempt, spent. Somebody else's stays as it is, so that nobody can end another person's sign-in."""
    with apart(db.engine) as session:
        row = session.get(ConsentAttempt, _hashed(state), with_for_update=True)
        if row is None:
            raise ConsentProblem(
                "This sign-in was not started here, or was finished before. Start again from the Apps page."
            )
        if row.user_id != user_id:
            raise ConsentProblem("Somebody else started this sign-in. Start your own from the Apps page.")
        attempt = Attempt(row.app, row.verifier, row.reconnects_id, row.started_at)
        session.delete(row)
    if now - attempt.started_at > CONSENT_LIFE:
        raise ConsentProblem("This sign-in took longer than ten minutes. Start again from the Apps page.")
    return attempt


def _no_open_transaction() -> None:
    """Raises RuntimeError: a vendor can take minutes, and so long nobody else could write (SQLite) or vacuum."""
    if has_app_context() and db.session.registry.has() and db.session().in_transaction():
        raise RuntimeError("a vendor was about to be called inside a database transaction; commit before the call")


def _account(connection: Connection) -> str:
    return f"{app_info(connection.app).vendor}:{connection.account_id}"


def _app_name(slug: str) -> str:
    return APPS[slug].info.name if slug in APPS else slug


def _hashed(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _wiring() -> Wiring:
    """Raises RuntimeError before `configure` has run."""
    if _wired is None:
        raise RuntimeError("the apps were used before they were configured")
    return _wired
