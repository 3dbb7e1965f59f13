"""Amounts in lists read exactly as everywhere else, in every locale: they are only written faster."""

from __future__ import annotations

from decimal import Decimal

import pytest
from babel import Locale

from portal.web.formats import _amounts_written_in, _money_text

AMOUNTS = [
    Decimal(one)
    for one in ("0", "0.01", "0.1", "1", "12.34", "999.99", "1000", "12345.67", "123456.7", "1234567.89", "1.005",
                "-5", "-1234.5", "99999999999.99", "9999999999999.99", "9999999999999999")
]  # fmt: skip


@pytest.mark.parametrize("currency", ["NZD", "JPY", "KWD", "EUR", "INR"])
@pytest.mark.parametrize("name", ["en_NZ", "en_IN", "de_CH", "fr_CA", "es_ES", "ar_EG", "fa_IR", "ja_JP", "hi"])
def test_an_amount_in_a_list_reads_as_everywhere_else(name: str, currency: str) -> None:
    language = Locale.parse(name)
    for own in (currency, "AUD"):
        write = _amounts_written_in(currency, language, own)
        wanted = [_money_text(amount, currency, language, own) for amount in AMOUNTS]
        assert [write(amount) for amount in AMOUNTS] == wanted
