"""A message as it looks: its parts from the templates, and as the bytes a mail server takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from portal import integrations, invoice_pdf
from portal.db import db
from portal.domain import invoices, mail, people
from portal.domain.invoices import Invoice
from portal.domain.mail import MailKind, OutgoingMail, Recipient
from portal.domain.nights import local_date

TEMPLATES = Path(__file__).resolve().parent.parent.parent / "templates"
LINKS = {MailKind.INVOICE: "See the invoice online", MailKind.PROPOSAL: "Read and accept the proposal"}


@dataclass(frozen=True)
class Letter:
    """What the recipient will see. `link` is a whole address, or empty; `files` are names of what is attached."""

    sender: Recipient
    reply_to: str
    to: Recipient
    subject: str
    text: str
    html: str
    link: str = ""


def letter(*, kind: MailKind, to: Recipient, subject: str, message: str, link: str = "") -> Letter:
    """The message as it would go out now; nothing is written. `link`: a path of this portal."""
    firm = people.the_firm()
    chosen = mail.settings()
    name = mail.one_line(chosen.sender_name or (firm.name if firm else ""))
    whole = integrations.public_url() + link if link else ""
    shown = {
        "subject": subject, "message": message, "link": whole, "link_words": LINKS.get(kind, "Open it"),
        "firm": name, "locale": (firm.locale if firm else "en").replace("_", "-"),
    }  # fmt: skip
    return Letter(
        sender=Recipient(name, mail.sender()), reply_to=chosen.reply_to or _usable(firm.email if firm else ""), to=to,
        subject=subject, text=_written("mail/letter.txt", shown), html=_written("mail/letter.html", shown), link=whole,
    )  # fmt: skip


def packed(row: OutgoingMail, now: datetime) -> bytes:
    """This message ready for a mail server, with CRLF line ends. Raises `invoice_pdf.FontsMissing`."""
    made = letter(
        kind=row.kind, to=Recipient(row.to_name, row.to_address), subject=row.subject, message=row.message,
        link=row.link or "",
    )  # fmt: skip
    whole = EmailMessage(policy=SMTP)
    whole["From"] = _address(made.sender)
    whole["To"] = _address(made.to)
    if made.reply_to:
        whole["Reply-To"] = _address(Recipient("", made.reply_to))
    whole["Subject"] = made.subject
    whole["Date"] = format_datetime(now)
    whole["Message-ID"] = f"<{row.message_id}>"
    whole["Auto-Submitted"] = "auto-generated"  # so that absence notices do not answer it
    whole.set_content(made.text, cte="quoted-printable")
    whole.add_alternative(made.html, subtype="html", cte="quoted-printable")
    if row.attaches_invoice and row.invoice_id is not None:
        invoice = db.session.get_one(Invoice, row.invoice_id)
        whole.add_attachment(_pdf(invoice, now), maintype="application", subtype="pdf", filename=file_name(invoice))
    return whole.as_bytes()


def file_name(invoice: Invoice) -> str:
    """'INV-0042.pdf': letters and digits every system takes."""
    safe = "".join(one if one.isascii() and (one.isalnum() or one in "-_") else "-" for one in invoice.number)
    return f"{safe.strip('-')[:60] or 'invoice'}.pdf"


def _pdf(invoice: Invoice, now: datetime) -> bytes:
    firm = people.the_firm()
    day = local_date(now, firm.time_zone if firm else "UTC")
    return invoice_pdf.render(invoices.pdf_facts(invoice, as_of=day))


def _address(one: Recipient) -> Address:
    return Address(display_name=one.name, addr_spec=one.address)


def _usable(address: str) -> str:
    try:
        return mail.check_address(address) if address else ""
    except mail.MailProblem:
        return ""


def _written(name: str, shown: dict[str, str]) -> str:
    return _templates().get_template(name).render(shown)


@lru_cache(maxsize=1)
def _templates() -> Environment:
    """Of their own: a message is written without a request, and its plain text must not be escaped."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
