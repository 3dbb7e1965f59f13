"""The tables of outgoing mail: one row a message, what the firm writes in them, and who of a client gets them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import EncryptedText, JsonValue, UtcDateTime, db


class MailKind(StrEnum):
    INVOICE = "invoice"
    PROPOSAL = "proposal"
    TEST = "test"


class MailState(StrEnum):
    """Moves: waiting → sending → sent | failed | unknown | waiting; failed and unknown → waiting when a person says so,
    or → withdrawn when one leaves it at that; waiting → withdrawn. A message is never sent again by itself once it may
    have arrived.
    """

    WAITING = "waiting"
    SENDING = "sending"  # handed to the mail server at this moment, or by a process that ended while it did
    SENT = "sent"  # the mail server has taken it
    FAILED = "failed"  # refused for good, or tried too often; `reason` says why
    UNKNOWN = "unknown"  # the answer was lost after the message had gone: it may have arrived
    WITHDRAWN = "withdrawn"


OPEN = text("state IN ('waiting', 'sending')")


class OutgoingMail(db.Model):
    """One message to one person, sent once (ST-09). The row is made in the same transaction as its cause.

    `link` is the private address in it without the portal's own, "/pay/…"; None once the message was sent, or is never
    going to be. `message_id` follows from `key`, so that a mail program knows the same message again.
    """

    __table_args__ = (
        UniqueConstraint("key"),
        CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent_has_a_time"),
        Index("ix_outgoing_mail_due", "next_at", "id", sqlite_where=OPEN, postgresql_where=OPEN),
        Index("ix_outgoing_mail_invoice", "invoice_id", "id"),
        Index("ix_outgoing_mail_proposal", "proposal_id", "id"),
        Index("ix_outgoing_mail_state", "state", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str]
    kind: Mapped[MailKind]
    client_id: Mapped[int | None] = mapped_column(ForeignKey("client.id"))
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey("invoice.id"))
    proposal_id: Mapped[int | None] = mapped_column(ForeignKey("proposal.id"))
    to_name: Mapped[str] = mapped_column(default="")
    to_address: Mapped[str]
    subject: Mapped[str]
    message: Mapped[str] = mapped_column(Text)
    link: Mapped[str | None] = mapped_column(EncryptedText)
    has_link: Mapped[bool] = mapped_column(default=False)  # whether there is or was one
    attaches_invoice: Mapped[bool] = mapped_column(default=False)
    state: Mapped[MailState] = mapped_column(default=MailState.WAITING)
    tries: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    leased_by: Mapped[str | None]
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(default="")  # why it waits, was not sent, or may have been
    message_id: Mapped[str]  # without its angle brackets
    by_user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    by_name: Mapped[str] = mapped_column(default="System")
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class MailSettings(db.Model):
    """What an admin chose for all mail; one row, or none while nobody has. Texts may hold {{fields}}."""

    id: Mapped[int] = mapped_column(primary_key=True)
    sender_name: Mapped[str] = mapped_column(default="")  # empty: the firm's name
    reply_to: Mapped[str] = mapped_column(default="")  # empty: the firm's own address
    sends_invoices: Mapped[bool] = mapped_column(default=False)  # those that are raised by themselves
    invoice_subject: Mapped[str]
    invoice_message: Mapped[str] = mapped_column(Text)
    proposal_subject: Mapped[str]
    proposal_message: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)


class MailPreference(db.Model):
    """What one client has different from the firm (CL-37, ST-02): a kind of mail and whether it is wanted.

    A kind that is not named follows the firm.
    """

    client_id: Mapped[int] = mapped_column(ForeignKey("client.id"), primary_key=True)
    kinds: Mapped[dict[str, bool]] = mapped_column(JsonValue, default=dict)


class MailRecipient(db.Model):
    """A contact chosen to get the client's mail. None chosen: the default contact does."""

    __table_args__ = (Index("ix_mail_recipient_contact", "contact_id"),)

    client_id: Mapped[int] = mapped_column(ForeignKey("client.id"), primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True)
