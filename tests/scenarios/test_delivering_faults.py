"""Whatever fails on the way, the ledger has the invoice once, under one number, and the log says what happened.

Counted at the ledger, never in our tables. The same faults at every line of the code, with real processes and the three
stand-ins, are `tests/torture`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from portal import deliveries as shell
from portal.adapters.base import Stopped, Unavailable, UnexpectedReply, Unknown
from portal.db import db, reading
from portal.deliveries.holding import LEASE, Hold, Leash
from portal.domain import deliveries
from portal.domain.activity import Activity, Verb
from portal.domain.deliveries import Delivery, DeliveryAttempt, DeliveryState, Standing
from portal.domain.invoices import Invoice
from portal.domain.records import InvoiceState
from tests.cast import make_client, make_link
from tests.cast_deliveries import bill, make_issued, told_of
from tests.pretend_app import PRIYA, record
from tests.pretend_ledger import LedgerAccount, pretend_ledger

MANNERS = [
    pytest.param({"refuses_used_numbers": True}, id="refuses used numbers"),
    pytest.param({"writes_by_mark": True}, id="writes by mark"),
    pytest.param({}, id="neither"),
]
UNSURE = "No answer came from Ledger; it is looked for there before anything is sent again"


@pytest.fixture(params=MANNERS)
def books(database: Any, clock: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    return pretend_ledger(monkeypatch, [record("r-1", "Acme Corp")], **request.param)


@pytest.fixture
def loose(database: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    """Nothing of the ledger's own protects: neither numbers nor marks nor keys."""
    made = pretend_ledger(monkeypatch, [record("r-1", "Acme Corp")])
    made.app.keeps_keys = False
    return made


def asked_of(books: LedgerAccount, count: int = 1) -> list[int]:
    client = make_client("Acme Corp")
    make_link(client, books.connection, "r-1")
    made = [bill(client, books.connection).id for _ in range(count)]
    db.session.commit()
    return made


def row(delivery_id: int) -> Delivery:
    db.session.expire_all()
    return db.session.get_one(Delivery, delivery_id)


def now() -> datetime:
    return datetime.now(UTC)


def invoice_of(delivery: Delivery) -> Invoice:
    return db.session.get_one(Invoice, delivery.invoice_id)


def steps_of(delivery_id: int) -> list[tuple[str, str]]:
    query = select(DeliveryAttempt).where(DeliveryAttempt.delivery_id == delivery_id).order_by(DeliveryAttempt.id)
    return [(one.act, one.answer) for one in db.session.scalars(query)]


def later(clock: Any, **by: float) -> None:
    clock.shift(timedelta(**by))
    shell.deliver_due(now())


@pytest.mark.parametrize("error", [Unknown("The answer was lost."), UnexpectedReply("That makes no sense.")])
def test_done_and_its_answer_lost_it_is_found_and_not_sent_again(
    books: LedgerAccount, clock: Any, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault rows 11 and 12: accepted, then silence or a fault; the look-up adopts it."""
    (asked,) = asked_of(books)
    create = books.app.create_invoices

    def done_and_lost(session: Any, outs: Any) -> Any:
        create(session, outs)
        raise error

    monkeypatch.setattr(books.app, "create_invoices", done_and_lost)
    shell.deliver_due(now())
    assert row(asked).state == DeliveryState.UNKNOWN
    assert deliveries.deployment(invoice_of(row(asked))).standing == Standing.NEEDS_CHECK
    monkeypatch.setattr(books.app, "create_invoices", create)
    later(clock, seconds=30)
    assert (row(asked).state, row(asked).adopted) == (DeliveryState.DELIVERED, True)
    assert books.app.numbers() == ["INV-0001"]
    assert steps_of(asked)[-2:] == [("sent", "lost"), ("looked", "found")]
    assert told_of(invoice_of(row(asked))) == [
        UNSURE, "Invoice deployed automatically",
        "Invoice INV-0001 found in Ledger and linked; it was not created again",
    ]  # fmt: skip


def test_never_done_and_its_answer_lost_it_is_sent_again_after_two_looks(books: LedgerAccount, clock: Any) -> None:
    """Fault row 14: by then a key may have run out, so it goes out under another, which a look-up has made safe."""
    (asked,) = asked_of(books)
    key = row(asked).key
    books.app.lose("invoices", done=False)
    shell.deliver_due(now())
    later(clock, seconds=30)
    assert (row(asked).state, row(asked).key) == (DeliveryState.UNKNOWN, key)
    assert books.app.invoices == {}
    later(clock, seconds=91)
    assert row(asked).state == DeliveryState.DELIVERED
    assert row(asked).key == deliveries.next_key(key)
    assert books.app.numbers() == ["INV-0001"]
    told = told_of(invoice_of(row(asked)))
    assert told[:2] == [UNSURE, "Looked for invoice INV-0001 in Ledger: not there"]
    assert told[-1] == "Invoice INV-0001 created in Ledger"


def test_a_look_up_that_lags_is_not_believed(loose: LedgerAccount, clock: Any) -> None:
    """Fault row 16, with nothing else to protect (row 15): the index shows it only after a minute."""
    (asked,) = asked_of(loose)
    loose.app.unseen_for = timedelta(seconds=60)
    loose.app.lose("invoices")
    shell.deliver_due(now())
    later(clock, seconds=15)
    assert row(asked).looked == 1
    deliveries.try_again(row(asked), by=PRIYA, now=now())  # an impatient person changes nothing
    db.session.commit()
    later(clock, seconds=5)
    assert row(asked).state == DeliveryState.UNKNOWN
    later(clock, seconds=95)
    assert (row(asked).state, row(asked).adopted) == (DeliveryState.DELIVERED, True)
    assert len(loose.app.invoices) == 1


def test_keys_that_the_ledger_ignores_double_nothing(loose: LedgerAccount, clock: Any) -> None:
    """Fault row 15."""
    (asked,) = asked_of(loose)
    loose.app.lose("invoices")
    shell.deliver_due(now())
    for _ in range(3):
        later(clock, minutes=2)
    assert row(asked).state == DeliveryState.DELIVERED
    assert len(loose.app.invoices) == 1


def test_one_of_a_batch_the_answer_does_not_speak_of_is_looked_for_alone(books: LedgerAccount, clock: Any) -> None:
    asked = asked_of(books, 5)
    books.app.lose_one = {"INV-0003"}
    shell.deliver_due(now())
    assert [row(one).state for one in asked].count(DeliveryState.DELIVERED) == 4
    assert row(asked[2]).state == DeliveryState.UNKNOWN
    later(clock, minutes=1)
    assert row(asked[2]).state == DeliveryState.DELIVERED
    assert books.app.numbers() == [f"INV-000{n}" for n in range(1, 6)]


def test_a_worker_that_died_while_sending_is_followed_by_a_look(books: LedgerAccount, clock: Any) -> None:
    """Fault rows 3 to 5: marked as sending, and nobody knows how far it came."""
    (asked,) = asked_of(books)
    db.session.execute(
        update(Delivery).values(
            state=DeliveryState.SENDING, lease_by="gone:1:x/deliver/1/1", lease_until=now() + timedelta(minutes=5),
            sent_at=now(), attempts=1,
        )
    )  # fmt: skip
    db.session.commit()
    assert shell.deliver_due(now()) == 0  # it may yet be alive
    later(clock, minutes=6)
    assert row(asked).state == DeliveryState.UNKNOWN
    assert books.app.invoices == {}
    assert told_of(invoice_of(row(asked)))[0] == UNSURE
    later(clock, minutes=2)
    assert row(asked).state == DeliveryState.DELIVERED
    assert len(books.app.invoices) == 1


def test_a_worker_that_hangs_longer_than_its_lease_writes_nothing(books: LedgerAccount, clock: Any) -> None:
    """Fault row 33: another takes over, finds it, and the late answer changes nothing."""
    (asked,) = asked_of(books)
    create = books.app.create_invoices

    def hangs(session: Any, outs: Any) -> Any:
        answers = create(session, outs)
        books.app.create_invoices = create  # type: ignore[method-assign]  # a stand-in
        later(clock, minutes=6)  # another worker comes by
        assert row(asked).state == DeliveryState.DELIVERED
        db.session.commit()
        return answers

    books.app.create_invoices = hangs  # type: ignore[method-assign]  # a stand-in
    shell.deliver_due(now())
    assert (row(asked).state, row(asked).adopted) == (DeliveryState.DELIVERED, True)
    assert len(books.app.invoices) == 1
    assert sum("created in Ledger" in one for one in told_of(invoice_of(row(asked)))) == 0


def test_no_call_begins_once_the_lease_is_nearly_over(books: LedgerAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault row 33: measured by the process's own stopwatch, which no clock change moves."""
    stopwatch = [0.0]
    monkeypatch.setattr("portal.deliveries.holding.time.monotonic", lambda: stopwatch[0])
    leash = Leash(Hold("token"))
    assert not leash.must_stop()
    stopwatch[0] = LEASE.total_seconds() - 80
    assert leash.must_stop()


def test_somebody_elses_invoice_under_our_number_is_shown_and_never_touched(books: LedgerAccount, clock: Any) -> None:
    """Fault row 94: a clash of numbers is told with who has it; nothing is overwritten."""
    theirs = books.app.put_invoice("INV-0001")
    (asked,) = asked_of(books)
    books.app.lose("invoices", done=False)
    shell.deliver_due(now())
    later(clock, minutes=1)
    later(clock, minutes=2)
    if books.app.ledger.writes_by_mark:  # it looks only after something went wrong, and then it meets the other
        assert row(asked).state in (DeliveryState.FAILED, DeliveryState.DELIVERED)
    else:
        assert row(asked).state == DeliveryState.FAILED
    assert row(asked).cause == "number_used"
    assert "Somebody Else Ltd" in row(asked).reason
    assert books.app.invoices[theirs.remote_id] == theirs
    assert len(books.app.invoices) == 1


def test_one_voided_there_after_its_answer_was_lost_is_adopted_as_it_is(loose: LedgerAccount, clock: Any) -> None:
    (asked,) = asked_of(loose)
    loose.app.lose("invoices")
    shell.deliver_due(now())
    (one,) = loose.app.invoices.values()
    loose.app.invoices[one.remote_id] = replace(one, state=InvoiceState.VOIDED)
    later(clock, minutes=2)
    assert row(asked).state == DeliveryState.DELIVERED
    assert len(loose.app.invoices) == 1
    assert any("it is voided there" in line for line in told_of(invoice_of(row(asked))))


def test_a_ledger_that_never_answers_is_given_up_after_a_while(loose: LedgerAccount, clock: Any) -> None:
    """Fault row 19: calls are bounded; a person decides then, and the log tells every try."""
    (asked,) = asked_of(loose)
    for _ in range(40):
        loose.app.lose("invoices", done=False)
    for _ in range(40):
        later(clock, minutes=2)
    assert row(asked).state == DeliveryState.FAILED
    assert loose.app.calls.count("invoices") == 8
    assert "gave no answer" in row(asked).reason
    loose.app._lost.clear()
    deliveries.try_again(row(asked), by=PRIYA, now=now())
    db.session.commit()
    shell.deliver_due(now())
    assert row(asked).state == DeliveryState.DELIVERED
    assert len(loose.app.invoices) == 1


def test_two_workers_at_once_send_each_once(loose: LedgerAccount) -> None:
    """Fault row 69's kin: leases are on rows, so both get on, and neither sends what the other has."""
    asked = asked_of(loose, 60)

    def another() -> None:
        shell.deliver_due(now())

    loose.app.meanwhile = another
    shell.deliver_due(now())
    assert len(loose.app.invoices) == 60
    assert {row(one).state for one in asked} == {DeliveryState.DELIVERED}


@pytest.mark.parametrize("failing", ["before the call", "after the call", "while recording"])
def test_a_mistake_of_ours_leaves_nothing_in_hand(
    books: LedgerAccount, clock: Any, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    (asked,) = asked_of(books)
    create: Callable[..., Any] = books.app.create_invoices

    def stumble(*args: Any, **more: Any) -> Any:
        if failing == "after the call":
            create(*args, **more)
        raise ZeroDivisionError("a mistake")

    with monkeypatch.context() as patch:
        if failing == "while recording":
            patch.setattr("portal.deliveries.courier.attempts.end", stumble)
        else:
            patch.setattr(books.app, "create_invoices", stumble)
        with pytest.raises(ZeroDivisionError):
            shell.deliver_due(now())
    assert row(asked).lease_by is None
    for _ in range(3):
        later(clock, minutes=3)
    assert row(asked).state == DeliveryState.DELIVERED
    assert len(books.app.invoices) == 1


def test_an_outage_in_the_middle_of_a_look_costs_only_time(books: LedgerAccount, clock: Any) -> None:
    (asked,) = asked_of(books)
    books.app.lose("invoices")
    shell.deliver_due(now())
    books.app.refuse("look", Unavailable("It cannot be reached."))
    later(clock, seconds=30)
    assert row(asked).state == DeliveryState.UNKNOWN
    later(clock, minutes=2)
    assert row(asked).state == DeliveryState.DELIVERED
    assert len(books.app.invoices) == 1


def test_nothing_goes_before_its_cause_is_on_record(loose: LedgerAccount) -> None:
    """Fault rows 1 and 2: the delivery is part of the transaction that issues the invoice: both, or neither."""
    client = make_client("Acme Corp")
    make_link(client, loose.connection, "r-1")
    db.session.commit()
    invoice = make_issued(client, loose.connection)
    deliveries.ask(invoice, loose.connection, by=PRIYA, now=now())
    db.session.rollback()
    shell.deliver_due(now())
    assert db.session.scalars(select(Invoice)).all() == []
    assert loose.app.invoices == {}
    assert loose.app.calls == []


def test_what_is_delivered_and_its_line_in_the_log_are_never_seen_apart(books: LedgerAccount, clock: Any) -> None:
    """Fault row 6: whoever looks after any commit, in another transaction, sees both or neither."""
    asked_of(books, 35)
    books.app.lose_one = {"INV-0007"}
    seen = []

    def compare_them(_connection: Any) -> None:
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as apart, reading():
            there = apart.scalar(select(func.count()).where(Delivery.state == DeliveryState.DELIVERED))
            told = apart.scalar(
                select(func.count()).where(Activity.verb.in_((Verb.INVOICE_CREATED_THERE, Verb.INVOICE_FOUND_THERE)))
            )
        seen.append((there, told))

    committed = db.engine.dialect.do_commit

    def then_look(connection: Any) -> None:
        committed(connection)
        compare_them(connection)

    db.engine.dialect.do_commit = then_look
    try:
        shell.deliver_due(now())
        later(clock, minutes=1)
    finally:
        db.engine.dialect.do_commit = committed
    assert {there - told for there, told in seen} == {0}
    assert seen[-1] == (35, 35)


def test_the_certificate_compares_with_the_ledger_as_it_stands(loose: LedgerAccount, clock: Any) -> None:
    asked = asked_of(loose, 4)
    shell.deliver_due(now())
    day = date(2026, 11, 3)
    clean = shell.compare(loose.connection, day, day)
    assert (clean.invoices, clean.ledger_records, clean.extra, clean.missing) == (4, 4, 0, 0)
    assert clean.is_clean
    second = row(asked[1])
    loose.app.put_invoice("INV-0002", mark=second.mark, total=row_total(second))
    del loose.app.invoices[row(asked[2]).remote_id or ""]
    after = shell.compare(loose.connection, day, day)
    assert (after.invoices, after.ledger_records, after.extra, after.missing) == (4, 4, 1, 1)
    assert [one.verdict for one in after.rows] == ["once", "extra", "missing", "once"]
    table = deliveries.certificate.as_table(after)
    assert len(table) == 5


def row_total(one: Delivery) -> Any:
    return invoice_of(one).total


def test_stopped_while_its_customer_is_looked_for_it_goes_on_later(
    loose: LedgerAccount, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault rows 9 and 33: neither the client nor the invoice takes the stop for a refusal."""
    asked = bill(make_client("Brand New Ltd"), loose.connection).id
    loose.app.refuse("find", Stopped("Stopped before the next call."))
    db.session.commit()
    shell.deliver_due(now())
    assert (row(asked).state, row(asked).lease_by) == (DeliveryState.WAITING, None)
    shell.deliver_due(now())
    assert row(asked).state == DeliveryState.DELIVERED
    assert len(loose.app.invoices) == 1
