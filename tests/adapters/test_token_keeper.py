"""Rotating tokens survive many processes, crashes, hangs and a moody vendor (fault section 5.C)."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select, text

from portal import token_keeper
from portal.adapters.base import NeedsReconnect, Rejected, Stopped, Tokens, Unavailable, UnexpectedReply
from portal.db import apart
from portal.domain.activity import Activity, Verb, sentence
from portal.domain.apps import Connection, ConnectionState, TokenSet
from portal.token_keeper import TokenKeeper
from tests import cast

START = datetime(2026, 11, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Vendor:
    """Refresh tokens that work once; using one again kills the whole family."""

    good: str = "refresh-1"
    calls: int = 0
    is_revoked: bool = False
    before_answer: Callable[[], None] = lambda: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def refresh(self, tokens: Tokens, client_id: str) -> Tokens:
        assert client_id == "the-client"
        with self.lock:
            self.calls += 1
            number = self.calls + 1
            if self.is_revoked or tokens.refresh_token != self.good:
                self.is_revoked = True
                raise NeedsReconnect("Xero no longer accepts this sign-in.", status=400)
            self.good = f"refresh-{number}"
        self.before_answer()
        return Tokens(f"access-{number}", f"refresh-{number}", START + 10 * HOUR)


@dataclass
class Clock:
    now: datetime = START
    slept: float = 0.0

    def __call__(self) -> datetime:
        return self.now + timedelta(seconds=self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


@dataclass
class Case:
    engine: Any
    token_set_id: int
    connections: list[int]
    vendor: Vendor = field(default_factory=Vendor)
    clock: Clock = field(default_factory=Clock)

    def keeper(self, refresh: Any = None, **values: Any) -> TokenKeeper:
        values = {
            "now": self.clock,
            "sleep": self.clock.sleep,
            "app_name": lambda slug: "Xero Practice Manager",
        } | values
        return TokenKeeper(self.engine, self.token_set_id, refresh or self.vendor.refresh, **values)

    def row(self) -> TokenSet:
        with apart(self.engine, only_read=True) as session:
            return session.get_one(TokenSet, self.token_set_id)

    def states(self) -> set[ConnectionState]:
        with apart(self.engine, only_read=True) as session:
            return set(session.scalars(select(Connection.state).where(Connection.id.in_(self.connections))))


@pytest.fixture
def case(database: Any) -> Case:
    """Two practices behind one consent, whose access token runs out in a minute."""
    tokens = TokenSet(
        vendor="xero", client_id="the-client", access_token="access-1", refresh_token="refresh-1",
        expires_at=START + timedelta(minutes=1), scope="all", changed_at=START,
    )  # fmt: skip
    database.add(tokens)
    database.flush()
    both = [cast.make_connection(account_name=name, token_set_id=tokens.id).id for name in ("Marlow & Co", "Harbour")]
    found = Case(database.get_bind(), tokens.id, both)
    database.commit()
    return found


def test_a_token_good_for_a_while_is_used_as_it_is(case: Case) -> None:
    case.clock.now = START - timedelta(minutes=5)
    assert case.keeper().current() == "access-1"
    assert case.vendor.calls == 0


def test_a_token_about_to_run_out_is_renewed_before_it_is_used(case: Case) -> None:
    keeper = case.keeper()
    assert keeper.current() == keeper.current() == "access-2"
    row = case.row()
    assert (row.access_token, row.refresh_token, row.version) == ("access-2", "refresh-2", 2)
    assert (row.lease_by, row.lease_until, row.scope) == (None, None, "all")
    assert case.vendor.calls == 1


def test_a_token_the_vendor_refused_is_renewed_although_it_looks_good(case: Case) -> None:
    """Fault row 36."""
    case.clock.now = START - HOUR
    assert case.keeper().renewed("access-1") == "access-2"


def test_a_token_somebody_else_has_renewed_already_is_simply_used(case: Case) -> None:
    assert case.keeper().current() == "access-2"
    assert case.keeper().renewed("access-1") == "access-2"
    assert case.vendor.calls == 1


def test_tokens_are_never_stored_in_the_clear(case: Case) -> None:
    """Fault row 39."""
    case.keeper().current()
    with case.engine.connect() as connection:
        stored = str(connection.execute(text("SELECT * FROM token_set")).all())
    assert "access-" not in stored
    assert "refresh-" not in stored


def test_eight_threads_that_need_a_token_at_once_make_one_call(case: Case) -> None:
    """Fault row 31."""
    case.vendor.before_answer = lambda: time.sleep(0.1)
    gate, got, errors = threading.Barrier(8), [], []

    def one() -> None:
        keeper = case.keeper(now=lambda: START, sleep=time.sleep)
        gate.wait()
        try:
            got.append(keeper.renewed("access-1"))
        except Exception as error:  # what goes wrong in a thread is judged below
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert errors == []
    assert got == ["access-2"] * 8
    assert case.vendor.calls == 1
    assert case.states() == {ConnectionState.CONNECTED}


def test_eight_processes_that_need_a_token_at_once_make_one_call(case: Case, tmp_path: Path) -> None:
    """Fault row 31: the measured naive code made eight, and lost the connection."""
    context = multiprocessing.get_context("fork")
    calls = context.Value("i", 0)
    results = context.Queue()
    url = case.engine.url
    case.engine.dispose()

    def refresh(tokens: Tokens, client_id: str) -> Tokens:
        with calls.get_lock():
            calls.value += 1
            first = calls.value == 1
        time.sleep(0.1)
        if not first or tokens.refresh_token != "refresh-1":
            raise NeedsReconnect("Used twice.", status=400)
        return Tokens("access-2", "refresh-2", START + 10 * HOUR)

    def child() -> None:
        engine = create_engine(url)
        keeper = TokenKeeper(engine, case.token_set_id, refresh, now=lambda: START)
        try:
            results.put(keeper.renewed("access-1"))
        except Exception as error:  # what goes wrong in a child is judged by its parent
            results.put(repr(error))

    children = [context.Process(target=child) for _ in range(8)]
    for one in children:
        one.start()
    got = [results.get(timeout=20) for _ in children]
    for one in children:
        one.join(10)
    assert got == ["access-2"] * 8
    assert calls.value == 1
    assert case.states() == {ConnectionState.CONNECTED}


def test_a_process_killed_between_reply_and_save_costs_a_minute_and_an_old_token(case: Case) -> None:
    """Fault row 32: the lease runs out, and Xero takes the old refresh token once more."""

    class Killed(BaseException):
        pass

    def killed(tokens: Tokens, client_id: str) -> Tokens:
        raise Killed

    with pytest.raises(Killed):
        case.keeper(killed).renewed("access-1")
    assert case.row().lease_by
    assert case.keeper().renewed("access-1") == "access-2"
    assert 55 < case.clock.slept < 65


def test_one_who_hangs_past_the_lease_has_lost_it_and_writes_nothing(case: Case) -> None:
    """Fault row 33."""
    late = Tokens("access-late", "refresh-late", START + 10 * HOUR)

    def hangs(tokens: Tokens, client_id: str) -> Tokens:
        case.clock.slept += 61
        assert case.keeper().renewed("access-1") == "access-2"
        return late

    assert case.keeper(hangs).renewed("access-1") == "access-2"
    row = case.row()
    assert (row.access_token, row.version, row.lease_by) == ("access-2", 2, None)


def test_one_who_hangs_writes_nothing_even_while_the_next_is_still_asking(case: Case) -> None:
    """Fault row 33."""
    seen = []

    def second(tokens: Tokens, client_id: str) -> Tokens:
        assert not first_keeper._save(first_held, Tokens("access-late", "refresh-late", START + HOUR))
        seen.append(case.row().access_token)
        return Tokens("access-2", "refresh-2", START + 10 * HOUR)

    first_keeper = case.keeper()
    first_held = first_keeper._read()
    assert first_keeper._take_lease(first_held, case.clock())
    case.clock.slept += 61
    assert case.keeper(second).renewed("access-1") == "access-2"
    assert seen == ["access-1"]


def test_a_losers_invalid_grant_is_not_believed_when_newer_tokens_are_there(case: Case) -> None:
    """Fault row 34."""

    def beaten(tokens: Tokens, client_id: str) -> Tokens:
        case.clock.slept += 61
        assert case.keeper().renewed("access-1") == "access-2"
        raise NeedsReconnect("Xero no longer accepts this sign-in.", status=400)

    assert case.keeper(beaten).renewed("access-1") == "access-2"
    assert case.states() == {ConnectionState.CONNECTED}


def test_a_revoked_consent_stops_every_connection_of_it_and_tells_once(case: Case, database: Any) -> None:
    """Fault row 35."""
    case.vendor.is_revoked = True
    for _ in range(3):
        with pytest.raises(NeedsReconnect):
            case.keeper().current()
    assert case.vendor.calls == 1, "no hammering"
    assert case.states() == {ConnectionState.NEEDS_RECONNECT}
    told = database.scalars(select(Activity).where(Activity.verb == Verb.APP_LOST)).all()
    assert sorted(sentence(one) for one in told) == [
        f"Access to {name} in Xero Practice Manager ended: Xero no longer accepts this sign-in."
        for name in ("Harbour", "Marlow & Co")
    ]
    assert case.row().refresh_token is None


@pytest.mark.parametrize("trouble", [Unavailable("Away."), UnexpectedReply("Odd.")])
def test_trouble_at_the_token_endpoint_does_not_break_the_connection(case: Case, trouble: Exception) -> None:
    """Fault row 37."""

    def moody(tokens: Tokens, client_id: str) -> Tokens:
        raise trouble

    assert case.keeper(moody).current() == "access-1", "good for another minute"
    with pytest.raises(type(trouble)):
        case.keeper(moody).renewed("access-1")
    case.clock.slept += 120
    with pytest.raises(type(trouble)):
        case.keeper(moody).current()
    assert case.states() == {ConnectionState.CONNECTED}
    assert case.row().lease_by is None
    assert case.keeper().current() == "access-2"


def test_our_own_wrong_credentials_do_not_cost_the_tokens(case: Case) -> None:
    def refused(tokens: Tokens, client_id: str) -> Tokens:
        raise Rejected("Check the client id and secret.")

    with pytest.raises(Rejected):
        case.keeper(refused).renewed("access-1")
    assert case.states() == {ConnectionState.CONNECTED}
    assert case.keeper().renewed("access-1") == "access-2"


def test_while_one_renews_the_others_go_on_with_a_token_that_is_still_good(case: Case) -> None:
    holder = case.keeper()
    assert holder._take_lease(holder._read(), case.clock())
    assert case.keeper().current() == "access-1"
    assert case.clock.slept == 0


def test_waiting_for_another_process_ends_when_asked_to_stop(case: Case) -> None:
    holder = case.keeper()
    assert holder._take_lease(holder._read(), case.clock())
    asked: list[bool] = []

    def after_a_while() -> bool:
        asked.append(True)
        return len(asked) > 5

    with pytest.raises(Stopped):
        case.keeper(should_stop=after_a_while).renewed("access-1")


def test_a_sign_in_that_is_gone_needs_a_person(case: Case) -> None:
    for nothing in (None, 999_999):
        with pytest.raises(NeedsReconnect):
            TokenKeeper(case.engine, nothing, case.vendor.refresh, now=case.clock).current()


def test_sign_ins_that_no_connection_lives_by_are_swept_up(case: Case, database: Any) -> None:
    tokens = Tokens("access-x", "refresh-x", START + HOUR)
    made = token_keeper.keep_new(case.engine, vendor="xero", client_id="the-client", tokens=tokens, now=START)
    assert token_keeper.drop_unused(START + HOUR) == 0
    assert token_keeper.drop_unused(START + 30 * HOUR) == 1
    database.commit()
    assert database.get(TokenSet, made) is None
    assert case.row().access_token == "access-1"


def consented(case: Case, name: str, scope: str, subject: str = "kim") -> int:
    tokens = Tokens(f"access-{name}", f"refresh-{name}", START + HOUR, scope=scope, subject=subject)
    return token_keeper.keep_new(case.engine, vendor="xero", client_id="the-client", tokens=tokens, now=START)


def test_a_person_who_signs_in_again_for_more_keeps_one_sign_in(case: Case, database: Any) -> None:
    """The tokens of the later consent reach everything the earlier ones did, and the vendor lets only one pair live."""
    first = consented(case, "one", "contacts")
    assert consented(case, "two", "contacts settings") == first
    database.expire_all()
    row = database.get(TokenSet, first)
    assert (row.access_token, row.refresh_token, row.scope) == ("access-two", "refresh-two", "contacts settings")
    assert row.version == 2


@pytest.mark.parametrize(("scope", "subject"), [("settings", "kim"), ("contacts settings", "lee"), ("contacts", "")])
def test_a_sign_in_that_may_do_less_or_is_somebody_elses_replaces_none(case: Case, scope: str, subject: str) -> None:
    first = consented(case, "one", "contacts settings")
    assert consented(case, "two", scope, subject) != first


def test_a_renewal_under_way_while_a_person_signs_in_again_is_discarded(case: Case, database: Any) -> None:
    first = consented(case, "one", "contacts")
    meanwhile = []

    def slowly(tokens: Tokens, client_id: str) -> Tokens:
        if not meanwhile:
            meanwhile.append(consented(case, "two", "contacts"))
            return Tokens("access-lost", "refresh-lost", START + HOUR)
        raise AssertionError("the new tokens are fresh")

    keeper = TokenKeeper(case.engine, first, slowly, now=case.clock, sleep=lambda seconds: None)
    assert keeper.renewed("access-one") == "access-two"
    database.expire_all()
    assert database.get(TokenSet, first).refresh_token == "refresh-two"
