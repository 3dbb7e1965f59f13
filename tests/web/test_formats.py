"""How values read on screens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from flask import Flask, g

from portal.domain.people import Firm
from portal.domain.records import Address
from portal.web import formats

NOW = datetime(2026, 11, 2, 23, 0, tzinfo=UTC)  # 3 November, noon in Auckland


@pytest.fixture
def auckland(app: Flask) -> Iterator[Firm]:
    with app.test_request_context("/"):
        g.firm = Firm(name="Marlow & Co", locale="en_NZ", time_zone="Pacific/Auckland", created_at=NOW)
        yield g.firm


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (timedelta(seconds=10), "just now"),
        (timedelta(minutes=4), "4 min ago"),
        (timedelta(minutes=59, seconds=20), "59 min ago"),
        (timedelta(minutes=59, seconds=50), "1 h ago"),
        (timedelta(hours=2), "2 h ago"),
        (timedelta(hours=11), "11 h ago"),
        (timedelta(hours=13), "yesterday"),
        (timedelta(days=3), "3 days ago"),
        (timedelta(days=8), "26 Oct 2026"),
        (timedelta(minutes=-4), "in 4 min"),
        (timedelta(hours=-20), "tomorrow"),
    ],
)
def test_how_long_ago_reads_as_people_say_it(auckland: Firm, before: timedelta, said: str) -> None:
    assert formats.ago(NOW - before, now=NOW) == said


def test_a_day_is_a_day_in_the_firms_zone(auckland: Firm) -> None:
    assert formats.day(NOW) == "3 Nov 2026"
    auckland.time_zone = "America/New_York"
    assert formats.day(NOW) == "2 Nov 2026"
    assert formats.day(date(2026, 11, 3)) == "3 Nov 2026"
    assert formats.day(None) == "–"


def test_a_moment_shows_the_exact_local_time_on_hover(auckland: Firm) -> None:
    shown = formats.moment(NOW)
    assert 'datetime="2026-11-02T23:00Z"' in shown
    assert "3 Nov 2026, 12:00:00" in shown.replace("\u00a0", " ")


def test_numbers_and_clocks_follow_the_firms_locale_and_words_do_not(auckland: Firm) -> None:
    assert formats.number(1204) == "1,204"
    auckland.locale = "de_DE"
    assert (formats.number(1204), formats.clock(NOW)) == ("1.204", "12:00")
    assert formats.ago(NOW - timedelta(hours=2), now=NOW) == "2 h ago"


def test_large_counts_stop_at_a_thousand(auckland: Firm) -> None:
    assert [formats.count_capped(count) for count in (0, 640, 1000, 1001)] == ["0", "640", "1,000", "1,000+"]


@pytest.mark.parametrize(
    ("count", "one", "said"),
    [(0, "client", "0 clients"), (1, "client", "1 client"), (1204, "client", "1,204 clients"),
     (2, "match", "2 matches"), (2, "copy", "2 copies"), (2, "day", "2 days")],
)  # fmt: skip
def test_counted_things_are_spelled_right(auckland: Firm, count: int, one: str, said: str) -> None:
    assert formats.plural(count, one) == said
    assert formats.plural(2, "person", "people") == "2 people"


@pytest.mark.parametrize(
    ("held", "shown"),
    [
        (None, "–"), ("", "–"), ([], "–"), (True, "Yes"), (False, "No"), (0, "0"), (Decimal("1204.50"), "1,204.5"),
        ("Acme", "Acme"), (["A", "B"], "A, B"), ({"id": "1", "name": "Priya"}, "Priya"),
        (Address("4 Kauri St", "Nelson", "", "7010", "New Zealand"), "4 Kauri St, Nelson 7010, New Zealand"),
        ({"street": "4 Kauri St", "city": "Nelson"}, "4 Kauri St, Nelson"), (Address(), "–"),
    ],
)  # fmt: skip
def test_every_kind_of_value_reads_as_text(auckland: Firm, held: object, shown: str) -> None:
    assert formats.value(held) == shown


@pytest.mark.parametrize(
    ("name", "letters"), [("Priya Sharma", "PS"), ("cher", "C"), ("Ana María de la Cruz", "AC"), ("“”", "?"), ("", "?")]
)
def test_initials_stand_in_for_a_picture(name: str, letters: str) -> None:
    assert formats.initials(name) == letters


def test_before_the_firm_is_set_up_there_are_still_formats(app: Flask) -> None:
    with app.test_request_context("/"):
        assert formats.day(NOW) == "2 Nov 2026"


def test_the_firms_own_currency_needs_no_name_and_every_other_has_one(auckland: Firm) -> None:
    """MD-01: nobody takes one dollar for another."""
    auckland.currency = "NZD"
    amount = Decimal("1955.5")
    assert [formats.money(amount, one) for one in ("NZD", "AUD", "USD")] == ["$1,955.50", "A$1,955.50", "US$1,955.50"]
    auckland.currency = "AUD"
    assert [formats.money(amount, one) for one in ("NZD", "AUD")] == ["NZD\u00a01,955.50", "$1,955.50"]
    assert formats.money_in("NZD")(amount) == "NZD\u00a01,955.50"
    auckland.currency, auckland.locale = "EUR", "de_DE"
    assert formats.money(amount, "EUR") == "1.955,50\u00a0€"


def test_amounts_in_a_sentence_are_written_as_everywhere_else(auckland: Firm) -> None:
    auckland.currency = "NZD"
    said = "total NZD 1,955.00 instead of NZD 900.00; JPY 1,000 paid, INV 1,000 and NZD 12345 are no amounts."
    assert formats.amounts(said) == (
        "total $1,955.00 instead of $900.00; JP¥1,000 paid, INV 1,000 and NZD 12345 are no amounts."
    )


def test_the_price_of_one_keeps_every_decimal_it_has(auckland: Firm) -> None:
    """What a client is asked to multiply has to come to what stands beside it."""
    auckland.currency = "NZD"
    assert formats.price(Decimal("33.3333"), "NZD") == "$33.3333"
    assert formats.price(Decimal("33.3"), "NZD") == "$33.30"
    assert formats.price(Decimal("1000.5"), "JPY").endswith("1,000.5")
    assert formats.price(Decimal("1000.0000"), "JPY").endswith("1,000")
    assert formats.price(None, "NZD") == formats.NOTHING
    assert formats.number(Decimal("0.3333")) == "0.3333"
    assert formats.number(Decimal("1000000.5000")) == "1,000,000.5"
    assert formats.number(Decimal("-0")) == "0"
