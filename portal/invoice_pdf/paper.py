"""The page: its layout, from plain values. It knows neither the database nor a request.

Words are English, numbers and days as the firm's locale writes them. Names may hold anything (fault row 84): what
cannot be printed is left out or shown as a box, and never spoils the page.
"""

from __future__ import annotations

import io
import logging
import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal
from fpdf import FPDF
from fpdf.enums import Align, MethodReturnValue, TableBordersLayout, VAlign, XPos, YPos
from fpdf.errors import FPDFException
from fpdf.fonts import FontFace, TTFFont

from portal.domain import money
from portal.domain.invoices import PdfFacts, PrintedLine
from portal.domain.text import several
from portal.invoice_pdf.fonts import FAMILY, fallbacks, held, kept

MARGIN, WIDTH = 18, 174  # millimetres: what is left between the margins of A4
INK, PALE, RULE = (32, 38, 48), (98, 106, 118), (214, 219, 226)
SHADE = (243, 245, 248)
STAMPS = {"Paid": (26, 127, 74), "Part paid": (154, 98, 0), "Voided": (180, 35, 35)}
LONGEST = {"name": 200, "line": 300, "description": 1500, "memo": 2000, "number": 60}
BOX = "\ufffd"
SHAPING = {"GSUB", "GPOS", "GDEF", "BASE"}
LONG, MOST_ROWS = 400, 34  # letters that may be too much for a page, and rows that are not
MOST_LINES = 24  # of a description: a row has to fit on one page
# Direction overrides could show an amount backwards; joiners and selectors have no shape of their own.
UNSHOWN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
SURROGATE = re.compile("[\ud800-\udfff]")

logging.getLogger("fpdf").setLevel(logging.ERROR)  # it warns of every letter a font lacks, which is our own business
logging.getLogger("fontTools").setLevel(logging.ERROR)


class Paper(FPDF):
    def __init__(self, facts: PdfFacts, fonts: Path | None) -> None:
        super().__init__("P", "mm", "A4")
        self.facts = facts
        self.written = Written(facts.locale, facts.currency)
        self.unknown: frozenset[str] = frozenset()  # letters no font has a shape for
        self.set_margins(MARGIN, 16, MARGIN)
        self.set_auto_page_break(True, margin=22)
        self.set_title(f"Invoice {facts.number}")
        self.set_author(cleaned(facts.firm_name, LONGEST["name"]))
        self.set_lang(facts.locale.replace("_", "-"))
        self.set_creation_date(datetime.combine(facts.issued_on, time(12), UTC))
        self._fonts(fonts)
        self.add_page()

    def _fonts(self, folder: Path | None) -> None:
        """The family, and of the others only what this invoice needs: reading a font costs more than the page."""
        for style, name in FAMILY.items():
            self.add_font("invoice", style, kept(name))
        lacking = _letters(self.facts) - held(kept(FAMILY[""])) - {"\n"}
        needed = []
        for family, files in (fallbacks(folder) if lacking else {}).items():
            if lacking & held(files[""]):
                for style, path in files.items():
                    self.add_font(family, style, path)
                lacking -= held(files[""])
                needed.append(family)
        self.unknown = frozenset(lacking)
        if needed:
            self.set_fallback_fonts(needed, exact_match=False)
            self.set_text_shaping(True)  # letters that join, and lines that run from right to left
        else:
            for font in self.fonts.values():
                assert isinstance(font, TTFFont)
                for table in SHAPING & set(font.ttfont.keys()):  # a third of the time goes into cutting these down
                    del font.ttfont[table]

    def clean(self, text: str, longest: int, most_lines: int = 1) -> str:
        """What can be printed of it, cut with an ellipsis; a box for every letter without a shape."""
        shown = cleaned(text, longest, most_lines)
        return "".join(BOX if one in self.unknown else one for one in shown) if self.unknown else shown

    def type(self, size: float, style: str = "", ink: tuple[int, int, int] = INK) -> None:
        self.set_font("invoice", style, size)
        self.set_text_color(*ink)

    def text_box(self, text: str, width: float, height: float, align: Align = Align.L) -> None:
        """Wraps; the next one goes below it."""
        self.multi_cell(width, height, text, align=align, new_x=XPos.LEFT, new_y=YPos.NEXT)

    def head(self) -> None:
        facts, top = self.facts, self.get_y()
        if not self._logo(top):
            self.type(17, "B")
            self.text_box(self.clean(facts.firm_name, LONGEST["name"]), 104, 7.5)
        self.type(9, "", PALE)
        if facts.firm_email:
            self.text_box(self.clean(facts.firm_email, LONGEST["name"]), 104, 5)
        below = self.get_y()
        self.set_xy(MARGIN + 108, top)
        self.type(22, "", INK)
        self.text_box("Invoice", WIDTH - 108, 9, Align.R)
        self.type(11, "B")
        self.text_box(self.clean(facts.number, LONGEST["number"]), WIDTH - 108, 6, Align.R)
        self.set_xy(MARGIN, max(below, self.get_y()) + 5)
        self._rule()

    def _logo(self, top: float) -> bool:
        """At most 60 by 18 millimetres, named for those who hear the page. A picture nobody can read is left out."""
        if not self.facts.logo:
            return False
        try:
            self.image(
                io.BytesIO(self.facts.logo), MARGIN, top, 60, 18, keep_aspect_ratio=True, alt_text=self.facts.firm_name
            )
        except (FPDFException, OSError, ValueError):
            return False
        self.set_xy(MARGIN, top + 20)
        return True

    def parties(self) -> None:
        facts, top = self.facts, self.get_y() + 5
        self.set_xy(MARGIN, top)
        self.type(8.5, "", PALE)
        self.text_box("Billed to", 96, 5)
        self.type(11, "B")
        self.text_box(self.clean(facts.client_name, LONGEST["name"]), 96, 5.6)
        self.type(9.5)
        for line in facts.client_address[:6]:
            self.text_box(self.clean(line, LONGEST["name"]), 96, 4.8)
        below = self.get_y()
        self.set_y(top)
        told = [("Issued", self.written.day(facts.issued_on)), ("Due", self.written.day(facts.due_on))]
        if facts.reference:
            told.append(("Reference", self.clean(facts.reference, LONGEST["number"])))
        told.append(("Currency", self.written.currency_name))
        for label, value in told:
            self.set_x(MARGIN + 108)
            self.type(9.5, "", PALE)
            self.cell(24, 5.4, label)
            self.type(9.5)
            self.text_box(value, WIDTH - 132, 5.4, Align.R)
        self._stamp(self.get_y() + 3)
        self.set_xy(MARGIN, max(below, self.get_y()) + 6)

    def _stamp(self, top: float) -> None:
        stamp = self.facts.stamp
        if not stamp:
            return
        said = stamp.upper()
        if stamp == "Paid" and self.facts.paid_on:
            said += f"  {self.written.day(self.facts.paid_on)}"
        self.type(11, "B", STAMPS[stamp])
        width = self.get_string_width(said) + 10
        self.set_draw_color(*STAMPS[stamp])
        self.set_line_width(0.7)
        self.set_xy(MARGIN + WIDTH - width, top)
        self.cell(width, 9, said, border=1, align=Align.C, new_x=XPos.LEFT, new_y=YPos.NEXT)

    def lines(self) -> None:
        has_tax = bool(self.facts.taxes)
        headings = ["Description", "Quantity", "Price", *(["Tax"] if has_tax else []), "Amount"]
        widths = (78, 22, 26, 22, 26) if has_tax else (94, 24, 28, 28)
        self.type(9)
        self.set_draw_color(*RULE)
        self.set_line_width(0.2)
        with self.table(
            width=WIDTH, col_widths=widths, line_height=4.8, padding=(1.7, 1.2, 1.7, 1.2),
            text_align=(Align.L, *[Align.R] * (len(headings) - 1)), borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            headings_style=FontFace(emphasis="BOLD", color=INK, fill_color=SHADE), v_align=VAlign.T,
        ) as table:  # fmt: skip
            for row in [headings, *(self._cells(line, has_tax) for line in self.facts.lines)]:
                held = table.row()
                for cell in row:
                    held.cell(cell)

    def _cells(self, line: PrintedLine, has_tax: bool) -> list[str]:
        said = [self.clean(line.name, LONGEST["line"])]
        if line.discount:
            off = self.written.amount(line.discount)
            percent = f"{self.written.number(line.discount_percent)} %, " if line.discount_percent else ""
            said.append(f"Less {percent}{off}")
        said.append(self.clean(line.description, LONGEST["description"], MOST_LINES))
        unit = f" {self.clean(line.unit if line.quantity == 1 else several(line.unit), 20)}" if line.unit else ""
        tax = [f"{self.written.number(line.tax_percent)} %" if line.tax_name or line.tax_percent else "–"]
        words = "\n".join(part for part in said if part)
        return [
            self._fitting(words) if len(words) > LONG else words, f"{self.written.number(line.quantity)}{unit}",
            self.written.price(line.price), *(tax if has_tax else []), self.written.amount(line.amount),
        ]  # fmt: skip

    def _fitting(self, words: str) -> str:
        """As many lines of it as fit on a page: a row is never broken."""
        rows = self.multi_cell(70, 4.8, words, dry_run=True, output=MethodReturnValue.LINES)
        assert isinstance(rows, list)
        return words if len(rows) <= MOST_ROWS else "\n".join(rows[:MOST_ROWS]).rstrip() + "…"

    def sums(self) -> None:
        facts, written = self.facts, self.written
        rows: list[tuple[str, str, bool]] = []
        if not facts.tax_inclusive:
            rows.append(("Subtotal", written.money(facts.net), False))
        for tax in facts.taxes:
            name = self.clean(tax.name, 40) or f"{written.number(tax.percent)} %"
            before = "Includes " if facts.tax_inclusive else ""
            rows.append((f"{before}{name} on {written.money(tax.net)}", written.money(tax.tax), False))
        rows.insert(0 if facts.tax_inclusive else len(rows), ("Total", written.money(facts.total), True))
        if facts.paid:
            rows.append(("Paid", written.money(-facts.paid), False))
        rows.append(("Left to pay", written.money(facts.left), True))
        if facts.stamp == "Voided":
            rows[-1] = ("Voided: nothing is to be paid", written.money(Decimal(0)), True)
        height = 6.2
        if self.get_y() + height * len(rows) + 6 > self.h - 22:
            self.add_page()
        self.set_y(self.get_y() + 4)
        for label, value, is_strong in rows:
            self.set_x(MARGIN + 74)
            self.type(10.5 if is_strong else 9.5, "B" if is_strong else "", INK if is_strong else PALE)
            if is_strong:
                self.set_fill_color(*SHADE)
            self.cell(62, height, label, fill=is_strong)
            self.type(10.5 if is_strong else 9.5, "B" if is_strong else "")
            self.cell(38, height, value, align=Align.R, fill=is_strong, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def closing(self) -> None:
        if not self.facts.memo:
            return
        memo = self.clean(self.facts.memo, LONGEST["memo"], MOST_LINES)
        self.type(9.5)
        rows = self.multi_cell(WIDTH, 5, memo, dry_run=True, output=MethodReturnValue.LINES)
        assert isinstance(rows, list)
        if self.get_y() + 5 * len(rows) + 8 > self.h - 22:
            self.add_page()
        self.set_xy(MARGIN, self.get_y() + 8)
        self.text_box(memo, WIDTH, 5)

    def footer(self) -> None:
        self.set_y(-15)
        self.type(8, "", PALE)
        self.cell(WIDTH / 2, 5, f"Page {self.page_no()} of {{nb}}")
        self.cell(WIDTH / 2, 5, f"Invoice {self.clean(self.facts.number, LONGEST['number'])}", align=Align.R)

    def _rule(self) -> None:
        self.set_draw_color(*RULE)
        self.set_line_width(0.3)
        self.line(MARGIN, self.get_y(), MARGIN + WIDTH, self.get_y())


class Written:
    """Numbers and days as a locale writes them; plain English ones where it is not known."""

    def __init__(self, locale: str, currency: str) -> None:
        try:
            self.locale = Locale.parse(locale)
        except (ValueError, UnknownLocaleError):
            self.locale = Locale("en")
        self.currency, self.places = currency, money.places(currency)

    @property
    def currency_name(self) -> str:
        return self.currency

    def day(self, day: date) -> str:
        return _plain(format_date(day, "long", locale=self.locale))

    def money(self, amount: Decimal) -> str:
        return _plain(format_currency(amount, self.currency, locale=self.locale))

    def amount(self, amount: Decimal) -> str:
        """Without the currency, to its smallest coin, or finer where it is finer."""
        return self._decimal(amount, self.places)

    def price(self, price: Decimal) -> str:
        return self._decimal(price, self.places)

    def number(self, number: Decimal) -> str:
        return self._decimal(number, 0)

    def _decimal(self, value: Decimal, least: int) -> str:
        ends = "0" * least + "#" * (4 - least)
        return _plain(format_decimal(value, format=f"#,##0.{ends}" if ends else "#,##0", locale=self.locale))


def _plain(text: str) -> str:
    """Narrow blanks that not every font has, and marks of direction, are what locales write between digits."""
    return re.sub("[\u200e\u200f\u061c]", "", text).replace("\u202f", "\u00a0")


def cleaned(text: str, longest: int, most_lines: int = 1) -> str:
    """What can be printed of it, cut with an ellipsis."""
    shown = UNSHOWN.sub("", SURROGATE.sub("\ufffd", text.replace("\r\n", "\n").replace("\t", " ")))
    lines = shown.strip().split("\n")
    if most_lines == 1:
        lines = [" ".join(lines)]
    is_cut = len(lines) > most_lines
    shown = "\n".join(lines[:most_lines])
    return shown[: longest - 1].rstrip() + "…" if len(shown) > longest or is_cut else shown


def _letters(facts: PdfFacts) -> set[str]:
    """Every character that may be printed."""
    texts: list[str] = [facts.firm_name, facts.firm_email, facts.client_name, *facts.client_address, facts.reference]
    texts += [facts.memo, facts.number, *(tax.name for tax in facts.taxes)]
    for line in facts.lines:
        texts += [line.name, line.description, line.unit]
    written = Written(facts.locale, facts.currency)
    texts += [written.money(Decimal("-1234567890.12")), written.day(facts.issued_on), written.day(facts.due_on)]
    return set("".join(cleaned(text, 4000, 400) for text in texts))
