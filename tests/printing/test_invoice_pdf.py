"""An invoice on paper."""

from __future__ import annotations

import io
import zlib
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from PIL import Image

from portal import invoice_pdf
from portal.domain import invoices
from portal.domain.invoices import PdfFacts, PrintedLine, PrintedTax
from portal.invoice_pdf import fonts, paper
from tests.cast import COMMAND, make_client, make_firm, now
from tests.cast_invoices import TODAY, make_invoice, make_item

HOSTILE = (
    "🎉 Party Ltd", "نور للمحاسبة", "שלום בעמ", "\u202eevil\u202c", "e\u0301\u0301\u0301", "\u200b\u2060",
    "A\x00B\x1b[31m", "\ud800", "<script>alert(1)</script>", "=cmd()", "';--", "   ", "W" * 10_000,
    "株式会社", "a\nb\tc",
)  # fmt: skip
LINE = PrintedLine(
    "Annual accounts",
    "To 31 March 2026",
    Decimal(1),
    "",
    Decimal(100),
    Decimal(0),
    None,
    "GST",
    Decimal(15),
    Decimal(100),
)
FACTS = PdfFacts(
    number="INV-0042", firm_name="Marlow & Co", firm_email="hello@marlow.example", locale="en_NZ",
    client_name="Ngāio Design", client_address=("12 Quay Street", "Nelson 7010"), issued_on=TODAY,
    due_on=date(2026, 11, 17), currency="NZD", tax_inclusive=False, lines=(LINE,),
    taxes=(PrintedTax("GST", Decimal(15), Decimal(100), Decimal(15)),), net=Decimal(100), tax=Decimal(15),
    total=Decimal(115), paid=Decimal(0), left=Decimal(115),
)  # fmt: skip


def test_it_is_one_page_of_a4_with_a_title_and_a_language() -> None:
    made = invoice_pdf.render(FACTS)
    assert made.startswith(b"%PDF-")
    assert made.count(b"/Type /Page\n") == 1
    assert b"/MediaBox [0 0 595.28 841.89]" in made
    assert b"(en-NZ)" in made
    assert "Invoice INV-0042".encode("utf-16-be") in made or b"Invoice INV-0042" in made


def test_the_same_invoice_gives_the_same_file() -> None:
    assert invoice_pdf.render(FACTS) == invoice_pdf.render(FACTS)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_spoils_the_page(name: str) -> None:
    """Fault row 84."""
    line = replace(LINE, name=name, description=name)
    facts = replace(FACTS, client_name=name, firm_name=name, memo=name, reference=name, lines=(line,))
    assert invoice_pdf.render(replace(facts, client_address=(name,) * 9)).endswith(b"%%EOF\n")


def test_a_letter_no_font_has_is_shown_as_a_box_unless_the_firm_brings_a_font(tmp_path: Path) -> None:
    """Fault row 84."""
    page = paper.Paper(replace(FACTS, client_name="株式会社"), None)
    assert page.clean("株 A", 50) == "\ufffd A"
    (tmp_path / "readme.txt").write_text("no font")
    assert invoice_pdf.render(replace(FACTS, client_name="株式会社"), tmp_path).startswith(b"%PDF-")


def test_overrides_of_direction_cannot_turn_an_amount_around() -> None:
    """Fault row 84."""
    assert paper.cleaned("Total \u202e00.1\u202c", 50) == "Total 00.1"


def test_five_hundred_lines_run_over_pages_and_the_longest_description_fits_on_one() -> None:
    """Fault row 88."""
    endless = replace(LINE, description="\n".join(["line"] * 400))
    made = invoice_pdf.render(replace(FACTS, lines=(endless, *[replace(LINE, description="")] * 500)))
    assert made.count(b"/Type /Page\n") > 10


@pytest.mark.parametrize("stamp", ["Paid", "Part paid", "Voided"])
@pytest.mark.parametrize("locale", ["en_NZ", "de_CH", "fr_CA", "ar_EG", "nonsense"])
def test_it_is_stamped_and_written_in_the_locale_of_the_firm(stamp: str, locale: str) -> None:
    facts = replace(FACTS, stamp=stamp, locale=locale, paid=Decimal(15), left=Decimal(100), paid_on=TODAY)
    assert invoice_pdf.render(facts).startswith(b"%PDF-")


def test_figures_are_written_as_the_locale_writes_them() -> None:
    written = paper.Written("de_DE", "EUR")
    assert written.money(Decimal("1234.5")) == "1.234,50\u00a0€"
    assert (written.price(Decimal("0.1234")), written.number(Decimal("0.3333"))) == ("0,1234", "0,3333")
    assert written.day(TODAY) == "3. November 2026"
    assert paper.Written("ja_JP", "JPY").amount(Decimal(1234)) == "1,234"


def test_a_logo_is_shown_and_one_nobody_can_read_is_left_out() -> None:
    picture = io.BytesIO()
    Image.new("RGB", (300, 90), "navy").save(picture, "PNG")
    shown = invoice_pdf.render(replace(FACTS, logo=picture.getvalue()))
    assert b"/Subtype /Image" in shown
    for broken in (b"no picture", picture.getvalue()[:60], zlib.compress(b"x")):
        assert b"/Subtype /Image" not in invoice_pdf.render(replace(FACTS, logo=broken))


def test_missing_fonts_are_said_with_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fonts, "FONTS", tmp_path)
    with pytest.raises(invoice_pdf.FontsMissing, match="front_end"):
        invoice_pdf.render(FACTS)


@pytest.mark.usefixtures("database", "clock")
def test_what_is_printed_is_the_invoice_as_it_stands() -> None:
    make_firm("Marlow & Co", email="hello@marlow.example")
    client = make_client("Ngaio Design", address_street="12 Quay Street", address_city="Nelson")
    items = [make_item(client, price="1000", tax="15"), make_item(client, "Filing fee", "20", tax="0")]
    invoice = make_invoice(client, *items, memo="Thank you")
    client.name = "Renamed since"
    facts = invoices.pdf_facts(invoice, as_of=TODAY)
    assert (facts.client_name, facts.firm_email, facts.memo) == ("Ngaio Design", "hello@marlow.example", "Thank you")
    assert facts.client_address[0] == "12 Quay Street"
    assert [(tax.name, tax.net, tax.tax) for tax in facts.taxes] == [
        ("GST 15 %", Decimal(1000), Decimal(150)), ("GST 0 %", Decimal(20), Decimal(0)),
    ]  # fmt: skip
    assert (facts.stamp, facts.left) == ("", Decimal(1170))
    invoices.note_payment(invoice, Decimal(1170), TODAY, how="collection", by=COMMAND, now=now())
    paid = invoices.pdf_facts(invoice, as_of=TODAY)
    assert (paid.stamp, paid.left, paid.paid_on) == ("Paid", Decimal(0), TODAY)
    assert invoice_pdf.render(paid).startswith(b"%PDF-")
