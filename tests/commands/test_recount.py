"""What is kept about sums of invoices: made anew on request, put together by the hour. Fault row 88."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select, update

from jobs import schedule
from portal.db import db
from portal.domain.invoices import Filters, InvoiceSum, totals
from tests.cast import make_client, now
from tests.cast_invoices import TODAY, make_invoice
from tests.commands.conftest import Run

pytestmark = pytest.mark.usefixtures("clock")


def test_a_recount_says_whether_the_sums_were_right_and_mends_them(run: Run, story: Any) -> None:
    with story():
        make_invoice(make_client("Acme"))
    assert "The sums were right." in run("database", "recount").output
    with story():
        db.session.execute(update(InvoiceSum).values(count=InvoiceSum.count + 1))
        assert totals(Filters(), as_of=TODAY).count == 2
    assert "were wrong, and are right now" in run("database", "recount").output
    with story():
        assert totals(Filters(), as_of=TODAY).count == 1


def test_every_hour_the_lines_are_put_together(story: Any) -> None:
    with story():
        for name in ("Acme", "Beta"):
            make_invoice(make_client(name))
    with story():
        next(job for job in schedule.JOBS if job.name == "sums").run(now())
        assert db.session.scalar(select(func.count()).select_from(InvoiceSum)) == 1
        assert totals(Filters(), as_of=TODAY).count == 2
