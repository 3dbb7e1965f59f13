"""How values read on screens: dates, times, numbers, field values, in the firm's formats and time zone.

Screens are in English; dates and numbers follow the firm's locale, words do not. The clock and the firm are looked up
here, so that templates only say `{{ run.started_at|moment }}`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_currency, format_decimal, get_currency_precision, get_currency_symbol
from flask import Flask, g
from markupsafe import Markup, escape

from portal.domain import home as overview
from portal.domain import people
from portal.domain.money import amounts_in, places
from portal.domain.records import Address
from portal.domain.text import several

NOTHING = "–"
TIME = Markup('<time datetime="{}" title="{}">{}</time>')
LIST_CAP = 1000  # counts on lists stop here: nobody needs the exact number, and it would cost a scan
FALLBACK_LOCALE = "en_NZ"
FALLBACK_CURRENCY = "NZD"
OF_A_COUNTRY = re.compile(r"^[A-Z]{1,2}(?=[$£¥])")  # the letters in US$, NZ$, JP¥
WEEK = timedelta(days=8)  # further back than this `ago` gives the date, in every zone
FALLBACK_ZONE = "UTC"


def register(app: Flask) -> None:
    filters = (
        day, moment, ago, clock, exact, number, money, price, amounts, percent, count_capped, plural, value, initials,
    )  # fmt: skip
    app.jinja_env.filters.update({one.__name__: one for one in filters})


def firm() -> people.FirmInShort | None:
    """The firm, read once per request; None before it has been set up."""
    if "firm" not in g:
        g.firm, g.marks = overview.frame()
    return g.firm


def marks() -> overview.Marks:
    """What the rail says beside its words; read together with the firm."""
    firm()
    return g.marks


def zone() -> ZoneInfo:
    held = firm()
    return _zone(held.time_zone if held else FALLBACK_ZONE)


def locale() -> Locale:
    held = firm()
    return _locale(held.locale if held else FALLBACK_LOCALE)


def day(at: datetime | date | None) -> str:
    """'3 Nov 2026', on the firm's calendar."""
    if at is None:
        return NOTHING
    local = at.astimezone(zone()).date() if isinstance(at, datetime) else at
    return _written_in(locale())[0](local)


def days(dates: Iterable[date]) -> list[str]:
    """`day` for the dates of a list."""
    return [*map(_written_in(locale())[0], dates)]


def clock(at: datetime | None) -> str:
    """'14:02', on the firm's clock."""
    return NOTHING if at is None else _plain(format_time(at, "short", tzinfo=zone(), locale=locale()))


def exact(at: datetime | None) -> str:
    """'3 Nov 2026, 14:02:11', on the firm's clock."""
    return NOTHING if at is None else _plain(format_datetime(at, "medium", tzinfo=zone(), locale=locale()))


def moment(at: datetime | None) -> Markup:
    """How long ago or when, with the exact local time on hover."""
    if at is None:
        return escape(NOTHING)
    stamp = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
    return TIME.format(stamp, exact(at), ago(at))


def ago(at: datetime | None, now: datetime | None = None, here: ZoneInfo | None = None) -> str:
    """'just now', '4 min ago', '2 h ago', 'in 3 h', 'yesterday', '5 days ago'; the date once it is a week away."""
    if at is None:
        return NOTHING
    now = now or datetime.now(UTC)
    gap = abs(at - now)
    here = here or zone()
    local, today = at.astimezone(here).date(), now.astimezone(here).date()
    days = abs((local - today).days)
    if gap < timedelta(seconds=45):
        return "just now"
    if gap < timedelta(minutes=59, seconds=30):
        length = f"{max(1, round(gap.total_seconds() / 60))} min"
    elif gap < timedelta(hours=12) or days == 0:
        length = f"{round(gap.total_seconds() / 3600)} h"
    elif days == 1:
        return "yesterday" if at < now else "tomorrow"
    elif days < 7:
        length = f"{days} days"
    else:
        return day(at)
    return f"{length} ago" if at < now else f"in {length}"


def ago_and_exact(moments: Iterable[datetime]) -> list[tuple[str, str]]:
    """For the moments of a list: how long ago each was, and what hovering adds to that.

    The same as `ago` and `exact`, without seconds, at a fraction of the work; a date gets only its time of day added.
    """
    here, now = zone(), datetime.now(UTC)
    day_text, time_text_of = _written_in(locale())
    found = []
    for at in moments:
        local = at.astimezone(here)
        date_text, time_text = day_text(local.date()), time_text_of(local.hour, local.minute)
        text = date_text if now - at > WEEK else ago(at, now, here)
        found.append((text, time_text if text == date_text else f"{date_text}, {time_text}"))
    return found


def number(figure: int | float | Decimal | None) -> str:
    """'1,204'."""
    return NOTHING if figure is None else _number_text(figure, locale())


def own_currency() -> str:
    held = firm()
    return (held.currency if held else "") or FALLBACK_CURRENCY


def money(amount: Decimal | None, currency: str) -> str:
    """'$1,204.50' in the firm's formats; another currency than the firm's own is named ('US$1,204.50')."""
    return NOTHING if amount is None else _money_text(amount, currency, locale(), own_currency())


def price(amount: Decimal | None, currency: str) -> str:
    """The price of one, to the last decimal it has: '$33.3333', '¥1,000.5'. What it comes to is `money`."""
    if amount is None or amount == round(amount, places(currency)):
        return money(amount, currency)
    return _money_text(amount, currency, locale(), own_currency(), exact=True)


def amounts(text: str) -> str:
    """A sentence that was written down once for everybody, its amounts as this firm writes them."""
    return amounts_in(text, money)


def money_in(currency: str) -> Callable[[Decimal], str]:
    """`money` for the amounts of a list: the same words at a fraction of the work."""
    return _amounts_written_in(currency, locale(), own_currency())


def percent(figure: Decimal | None) -> str:
    """'15 %', '12.5 %'."""
    return NOTHING if figure is None else f"{number(figure.normalize() + 0)}\u00a0%"


def count_capped(figure: int, cap: int = LIST_CAP) -> str:
    """'640', or '1,000+' once the cap was passed."""
    return number(figure) if figure <= cap else number(cap) + "+"


def plural(figure: int | Decimal, one: str, many: str | None = None) -> str:
    """'1 client', '1,204 clients'; `many` where adding an s is not enough."""
    return f"{number(figure)} {one if figure == 1 else many or several(one)}"


def value(held: Any) -> str:
    """A field's value as a person reads it; what is empty becomes a dash."""
    if held is None or held == "" or held == []:
        return NOTHING
    if isinstance(held, bool):
        return "Yes" if held else "No"
    if isinstance(held, Address):
        return ", ".join(held.lines()) or NOTHING
    if isinstance(held, dict) and "street" in held:
        return value(Address(**held))
    if isinstance(held, dict) and "name" in held:
        return str(held["name"]) or NOTHING
    if isinstance(held, datetime):
        return exact(held)
    if isinstance(held, int | float | Decimal):
        return number(held)
    if isinstance(held, Iterable) and not isinstance(held, str):
        return ", ".join(value(one) for one in held) or NOTHING
    return str(held)


def initials(name: str) -> str:
    """'PS' for Priya Sharma: what stands in for a picture."""
    words = [word for word in name.split() if word[:1].isalnum()]
    if not words:
        return "?"
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


def _money_text(amount: Decimal, currency: str, language: Locale, own: str, *, exact: bool = False) -> str:
    """`exact`: with all decimals it has, however small the currency's coin."""
    amount = amount.normalize() + 0 if exact else amount
    written = _plain(format_currency(amount, currency, locale=language, decimal_quantization=not exact))
    usual, sign = get_currency_symbol(currency, language), _sign_of(currency, language, own)
    if sign == usual:
        return written
    before, _usual, after = written.partition(usual)
    gap = "\u00a0" if sign[-1].isalpha() and after[:1].isdigit() else ""
    return f"{before}{sign}{gap}{after}"


@lru_cache(maxsize=256)
def _sign_of(currency: str, language: Locale, own: str) -> str:
    """What names a currency: for the firm's own its bare sign, for any other one nobody can take for the firm's own."""
    usual = get_currency_symbol(currency, language)
    if currency == own:
        return OF_A_COUNTRY.sub("", usual)
    return currency if usual == _sign_of(own, language, own) else usual


def _plain(text: str) -> str:
    """Babel puts narrow no-break spaces into times, which some fonts draw as boxes."""
    return text.replace("\u202f", "\u00a0")


@lru_cache(maxsize=4096, typed=True)
def _number_text(figure: int | float | Decimal, language: Locale) -> str:
    if isinstance(figure, Decimal):  # of a quantity every decimal counts
        return _plain(format_decimal(figure.normalize() + 0, locale=language, decimal_quantization=False))
    return _plain(format_decimal(figure, locale=language))


@lru_cache(maxsize=64)
def _written_in(language: Locale) -> tuple[Callable[[date], str], Callable[[int, int], str]]:
    """How a day and a time of day are written in a language; each written once and then remembered."""

    @lru_cache(maxsize=8192)
    def day_text(day: date) -> str:
        return format_date(day, "medium", locale=language)

    @lru_cache(maxsize=24 * 60)
    def time_text(hour: int, minute: int) -> str:
        return _plain(format_time(time(hour, minute), "short", locale=language))

    return day_text, time_text


@lru_cache(maxsize=256)
def _amounts_written_in(currency: str, language: Locale, own: str) -> Callable[[Decimal], str]:
    """Learnt from an amount written by Babel: what stands around the digits, how they are parted, how many decimals."""

    def in_full(amount: Decimal) -> str:
        return _money_text(amount, currency, language, own)

    places = get_currency_precision(currency)
    before, digits, after = _parts_of(in_full(Decimal(11_111_111_111_111)))
    whole, point = (digits[: -places - 1], digits[-places - 1]) if places else (digits, "")
    ends = [place for place, one in enumerate(reversed(whole)) if not one.isdigit()]
    between = next((one for one in whole if not one.isdigit()), "")
    step, first = (ends[1] - ends[0] - 1, ends[0]) if len(ends) > 1 else (0, 0)

    def text(amount: Decimal) -> str:
        scaled = amount.scaleb(places)
        held = int(scaled)
        if held != scaled or held < 0 or held >= 10**14 or not step:
            return in_full(amount)
        figures = str(held).rjust(places + 1, "0")
        figures, decimals = (figures[:-places], figures[-places:]) if places else (figures, "")
        parts, rest = [figures[-first:]], figures[:-first]
        while rest:
            parts.append(rest[-step:])
            rest = rest[:-step]
        return before + between.join(reversed(parts)) + point + decimals + after

    return text if in_full(Decimal(1)) == text(Decimal(1)) else in_full


def _parts_of(written: str) -> tuple[str, str, str]:
    """What stands before the first and after the last digit of a text, and what between them."""
    places = [place for place, one in enumerate(written) if one in "0123456789"]
    if not places:  # other digits than ours
        return "", "", written
    return written[: places[0]], written[places[0] : places[-1] + 1], written[places[-1] + 1 :]


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=64)
def _locale(name: str) -> Locale:
    return Locale.parse(name)
