"""Hard cases of invoice arithmetic in one table, reckoned by hand. Used here and against the ledgers' stand-ins.

A line is written `quantity x price`, then what is taken off (`-10%` of the line, or `-10` as an amount), then its tax
rate (`@15`; letters tell two rates of one percentage apart). `sum` is what the lines show added up: without tax where
prices are exclusive, with it where they are inclusive. Then the tax by either rule: of every line rounded, or of every
rate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from portal.domain import money
from portal.domain.records import TaxMode

# what it tries | mode | currency | lines | sum | tax, each line | tax, each rate
TABLE = """
a plain line                       | ex   | NZD | 1 x 100 @15                                | 100.00 | 15.00 | 15.00
several of one                     | ex   | NZD | 1 x 100 @15; 2 x 49.95 @15                 | 199.90 | 29.99 | 29.99
halves that each go up             | ex   | NZD | 1 x 0.30 @15; 1 x 0.30 @15; 1 x 0.30 @15   | 0.90   | 0.15  | 0.14
small lines taxed too much alone   | ex   | NZD | 1 x 0.10 @15; 1 x 0.10 @15; 1 x 0.10 @15   | 0.30   | 0.06  | 0.05
small lines that escape tax alone  | ex   | NZD | 10 times 1 x 0.03 @15                      | 0.30   | 0.00  | 0.05
half a cent of tax                 | ex   | NZD | 1 x 0.10 @5                                | 0.10   | 0.01  | 0.01
just below half a cent of tax      | ex   | NZD | 1 x 0.09 @5                                | 0.09   | 0.00  | 0.00
half a cent as a price             | ex   | NZD | 1 x 0.005 @0                               | 0.01   | 0.00  | 0.00
just below half a cent as a price  | ex   | NZD | 1 x 0.0049 @0                              | 0.00   | 0.00  | 0.00
three halves of a cent             | ex   | NZD | 3 x 0.005 @15                              | 0.02   | 0.00  | 0.00
a third of an hour                 | ex   | NZD | 0.3333 x 80 @15                            | 26.66  | 4.00  | 4.00
a third of a hundred               | ex   | NZD | 0.3333 x 100 @15                           | 33.33  | 5.00  | 5.00
three thirds                       | ex   | NZD | 3 times 0.3333 x 100 @15                   | 99.99  | 15.00 | 15.00
two thirds                         | ex   | NZD | 0.6667 x 75 @15                            | 50.00  | 7.50  | 7.50
a third and two thirds             | ex   | NZD | 0.3333 x 99.99 @15; 0.6667 x 99.99 @15     | 99.99  | 15.00 | 15.00
many of a fraction of a cent       | ex   | NZD | 1000 x 0.0333 @15                          | 33.30  | 5.00  | 5.00
four decimals on both sides        | ex   | NZD | 12.3456 x 78.9012 @15                      | 974.08 | 146.11| 146.11
taxed and zero-rated               | ex   | NZD | 1 x 100 @15; 1 x 50 @0                     | 150.00 | 15.00 | 15.00
three rates                        | ex   | GBP | 1 x 19.99 @20; 1 x 9.99 @5; 1 x 4.99 @0    | 34.97  | 4.50  | 4.50
two rates with rests               | ex   | NZD | 2 times 1 x 0.13 @12.5; 2 times 1 x 0.13 @7| 0.52   | 0.06  | 0.05
two rates of one percentage        | ex   | NZD | 1 x 0.30 @15a; 1 x 0.30 @15b               | 0.60   | 0.10  | 0.10
a rate with three decimals         | ex   | USD | 1 x 19.99 @8.875                           | 19.99  | 1.77  | 1.77
three lines at such a rate         | ex   | USD | 3 times 1 x 9.99 @8.875                    | 29.97  | 2.67  | 2.66
two taxes told as one rate         | ex   | CAD | 1 x 200 @14.975                            | 200.00 | 29.95 | 29.95
five hundred lines                 | ex   | NZD | 500 times 1 x 0.03 @15                     | 15.00  | 0.00  | 2.25
a tenth off                        | ex   | NZD | 1 x 100 -10% @15                           | 90.00  | 13.50 | 13.50
an eighth off three                | ex   | NZD | 3 x 33.33 -12.5% @15                       | 87.49  | 13.12 | 13.12
a third off                        | ex   | NZD | 1 x 100 -33.3333% @15                      | 66.67  | 10.00 | 10.00
a discount that meets half a cent  | ex   | NZD | 1 x 50 -0.01% @15                          | 50.00  | 7.50  | 7.50
a tenth off a third                | ex   | NZD | 0.3333 x 99.99 -10% @15                    | 29.99  | 4.50  | 4.50
off a price with half cents        | ex   | NZD | 7 x 0.155 -15% @15                         | 0.92   | 0.14  | 0.14
ten dollars off                    | ex   | NZD | 1 x 100 -10 @15                            | 90.00  | 13.50 | 13.50
cents off several                  | ex   | NZD | 3 x 9.99 -4.97 @15                         | 25.00  | 3.75  | 3.75
half a cent off                    | ex   | NZD | 1 x 1 -0.005 @0                            | 0.99   | 0.00  | 0.00
everything off, in percent         | ex   | NZD | 1 x 80 -100% @15                           | 0.00   | 0.00  | 0.00
everything off, as an amount       | ex   | NZD | 1 x 80 -80 @15                             | 0.00   | 0.00  | 0.00
everything off half a cent         | ex   | NZD | 1 x 0.125 -100% @15                        | 0.00   | 0.00  | 0.00
everything shown off half a cent   | ex   | NZD | 1 x 0.125 -0.13 @15                        | 0.00   | 0.00  | 0.00
a line below zero                  | ex   | NZD | 1 x 100 @15; 1 x -20 @15                   | 80.00  | 12.00 | 12.00
half a cent below zero             | ex   | NZD | 1 x 1 @15; 1 x -0.10 @5                    | 0.90   | 0.14  | 0.14
lines that cancel out              | ex   | NZD | 1 x 0.30 @15; 1 x -0.30 @15                | 0.00   | 0.00  | 0.00
small lines below zero             | ex   | NZD | 1 x 1 @15; 3 times 1 x -0.30 @15           | 0.10   | 0.00  | 0.02
a tenth off a line below zero      | ex   | NZD | 1 x 100 @15; 1 x -50 -10% @15              | 55.00  | 8.25  | 8.25
all of it below zero               | ex   | NZD | 1 x 10 @15; 1 x -30 @15                    | -20.00 | -3.00 | -3.00
a price of nothing                 | ex   | NZD | 1 x 0 @15                                  | 0.00   | 0.00  | 0.00
a quantity of nothing              | ex   | NZD | 0 x 100 @15; 1 x 10 @15                    | 10.00  | 1.50  | 1.50
a rate of nothing                  | ex   | NZD | 1 x 100 @0                                 | 100.00 | 0.00  | 0.00
an invoice without tax             | none | NZD | 1 x 100 @15; 3 x 0.333 @15                 | 101.00 | 0.00  | 0.00
ten digits, the most Xero takes | ex | NZD | 1 x 9999999999.99 @15 | 9999999999.99 | 1500000000.00 | 1500000000.00
ten digits of many | ex | NZD | 10000 x 999999.9999 @15 | 9999999999.00 | 1499999999.85 | 1499999999.85
thirteen digits | ex | NZD | 1 x 9999999999999.99 @0 | 9999999999999.99 | 0.00 | 0.00
thirteen digits with tax | ex | NZD | 1 x 8000000000000.01 @15 | 8000000000000.01 | 1200000000000.00 | 1200000000000.00
tax in a round price               | in   | NZD | 1 x 115 @15                                | 115.00 | 15.00 | 15.00
tax in a hundred                   | in   | NZD | 1 x 100 @15                                | 100.00 | 13.04 | 13.04
tax in three lines                 | in   | NZD | 3 times 1 x 33.33 @15                      | 99.99  | 13.05 | 13.04
half a cent of tax inside          | in   | GBP | 1 x 0.03 @20                               | 0.03   | 0.01  | 0.00
one and a half cents of tax inside | in   | GBP | 1 x 0.09 @20                               | 0.09   | 0.02  | 0.01
half a cent inside, three times    | in   | GBP | 3 times 1 x 0.03 @20                       | 0.09   | 0.03  | 0.01
three rates inside                 | in   | GBP | 1 x 60 @20; 1 x 10.50 @5; 1 x 5 @0         | 75.50  | 10.50 | 10.50
tax inside, a tenth off            | in   | NZD | 1 x 115 -10% @15                           | 103.50 | 13.50 | 13.50
tax inside, an amount off          | in   | NZD | 1 x 115 -15 @15                            | 100.00 | 13.04 | 13.04
tax inside, everything off         | in   | NZD | 1 x 115 -100% @15                          | 0.00   | 0.00  | 0.00
tax inside a third                 | in   | NZD | 0.3333 x 115 @15                           | 38.33  | 5.00  | 5.00
tax inside, a line below zero      | in   | NZD | 1 x 115 @15; 1 x -23 @15                   | 92.00  | 12.00 | 12.00
tax inside four decimals           | in   | NZD | 3 x 1.2345 @12.5                           | 3.70   | 0.41  | 0.41
just no tax inside                 | in   | AUD | 1 x 0.05 @10                               | 0.05   | 0.00  | 0.00
just some tax inside               | in   | AUD | 1 x 0.06 @10                               | 0.06   | 0.01  | 0.01
ten even lines with tax inside     | in   | AUD | 10 times 1 x 1.10 @10                      | 11.00  | 1.00  | 1.00
seven uneven lines with tax inside | in   | AUD | 7 times 1 x 1 @10                          | 7.00   | 0.63  | 0.64
no tax inside                      | in   | NZD | 1 x 80 @0                                  | 80.00  | 0.00  | 0.00
yen                                | ex   | JPY | 1 x 1000 @10                               | 1000   | 100   | 100
half a yen of tax                  | ex   | JPY | 1 x 105 @10                                | 105    | 11    | 11
half a yen, three times            | ex   | JPY | 3 times 1 x 105 @10                        | 315    | 33    | 32
thirds of a hundred yen            | ex   | JPY | 3 x 33.3333 @10                            | 100    | 10    | 10
half a yen as a price              | ex   | JPY | 1 x 0.5 @0                                 | 1      | 0     | 0
a tenth off in yen                 | ex   | JPY | 3 x 333 -10% @10                           | 899    | 90    | 90
tax in a thousand yen              | in   | JPY | 1 x 1000 @10                               | 1000   | 91    | 91
no tax in five yen                 | in   | JPY | 1 x 5 @8                                   | 5      | 0     | 0
dinars                             | ex   | KWD | 1 x 1.2345 @5                              | 1.235  | 0.062 | 0.062
half a fils, three times           | ex   | BHD | 3 times 1 x 0.105 @10                      | 0.315  | 0.033 | 0.032
a third of ten dinars              | ex   | KWD | 0.3333 x 10 @5                             | 3.333  | 0.167 | 0.167
half a fils as a price             | ex   | KWD | 1 x 0.0005 @0                              | 0.001  | 0.000 | 0.000
tax in a dinar                     | in   | KWD | 1 x 1 @5                                   | 1.000  | 0.048 | 0.048
"""

LINE = re.compile(
    r"(?:(?P<times>\d+) times )?(?P<quantity>[\d.]+) x (?P<price>-?[\d.]+)"
    r"(?: -(?P<discount>[\d.]+)(?P<percent>%?))?(?: @(?P<tax>[\d.]+)(?P<rate>[a-z]*))?"
)
MODES = {"ex": TaxMode.EXCLUSIVE, "in": TaxMode.INCLUSIVE, "none": TaxMode.NONE}


@dataclass(frozen=True)
class Case:
    """One row. `shown` is the sum of what the lines show."""

    what: str
    mode: TaxMode
    currency: str
    lines: tuple[money.Line, ...]
    shown: Decimal
    tax_each_line: Decimal
    tax_each_rate: Decimal

    def tax(self, rounding: str) -> Decimal:
        return self.tax_each_line if rounding == money.EACH_LINE else self.tax_each_rate

    def net(self, rounding: str) -> Decimal:
        return self.shown - self.tax(rounding) if self.mode is TaxMode.INCLUSIVE else self.shown


def _lines(written: str, currency: str) -> tuple[money.Line, ...]:
    found = []
    for one in written.split(";"):
        held = LINE.fullmatch(one.strip())
        assert held, one
        quantity, price, tax = (Decimal(held[name] or 0) for name in ("quantity", "price", "tax"))
        off = money.discount_of(quantity, price, Decimal(held["discount"] or 0), bool(held["percent"]), currency)
        line = money.Line(quantity, price, off, tax, f"{held['tax']}{held['rate']}")
        found += [line] * int(held["times"] or 1)
    return tuple(found)


def _case(row: str) -> Case:
    what, mode, currency, lines, shown, by_line, by_rate = (cell.strip() for cell in row.split("|"))
    sums = (Decimal(shown), Decimal(by_line), Decimal(by_rate))
    return Case(what, MODES[mode], currency, _lines(lines, currency), *sums)


CASES = [_case(row) for row in TABLE.strip().splitlines()]
