"""Very many invoices, and what the database is asked while they are shown. All of it needs an app context."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, func, select, text

from portal.db import db
from portal.domain.invoices import Invoice, kept
from tests.cast import make_client, now

MANY = 50_000


def bill_many(count: int) -> None:
    """So many invoices of a hundred clients, written by the database itself; a third is unpaid."""
    clients = [make_client(f"Client {place} Ltd").id for place in range(100)]
    day = "date('2020-01-01', '+' || (n / 25) || ' days')"
    if db.engine.dialect.name == "postgresql":
        day = "date '2020-01-01' + n / 25"
    db.session.execute(
        text(
            "INSERT INTO invoice (id, mark, number, client_id, client_name, source, issued_on, due_on, currency,"
            " tax_mode, rounding, net, tax, total, paid, reference, memo, pay_by, is_automatic, paid_at, paid_how,"
            " void_reason, void_note, voided_by, created_at, created_by, version)"
            " WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)"
            " SELECT n, 'mark-' || n, 'INV-' || n, :first + n % 100, 'Client ' || n % 100 || ' Ltd', 'portal',"
            f" {day}, {day}, 'NZD', 'exclusive', 'each_line', n * 10000, 0, n * 10000, 0, '', '', 'manual', :yes,"
            " CASE WHEN n % 3 = 0 THEN NULL ELSE :at END, '', '', '', '', :at, 'System', 1 FROM numbers"
        ),
        {"count": count, "first": clients[0], "yes": True, "at": now()},
    )
    kept.recount(now().date())  # what the database wrote by itself told nobody
    assert db.session.scalar(select(func.count()).select_from(Invoice)) == count


@contextmanager
def statements() -> Iterator[list[str]]:
    """What the database is asked meanwhile."""
    said: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        said.append(" ".join(statement.split()))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
