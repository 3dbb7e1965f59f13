"""An invoice as a PDF file on A4: `render(facts)`, from plain values alone."""

from __future__ import annotations

from pathlib import Path

from portal.domain.invoices import PdfFacts
from portal.invoice_pdf.fonts import FontsMissing

__all__ = ["FontsMissing", "render"]


def render(facts: PdfFacts, fonts: Path | None = None) -> bytes:
    """The file. The same facts give the same file. Raises `FontsMissing`.

    `fonts` is a folder whose .ttf and .otf files are used for letters that ours lack, Chinese ones for instance.
    """
    from portal.invoice_pdf.paper import Paper  # it takes half a second to load, and most processes never print

    page = Paper(facts, fonts)
    page.head()
    page.parties()
    page.lines()
    page.sums()
    page.closing()
    return bytes(page.output())
