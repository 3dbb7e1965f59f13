"""Outgoing mail, what is written in it, and who of a client gets it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.db import EncryptedText, JsonValue, UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

OPEN = sa.text("state IN ('waiting', 'sending')")


def upgrade() -> None:
    op.create_table(
        "outgoing_mail",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=True),
        sa.Column("invoice_id", sa.Integer(), nullable=True),
        sa.Column("proposal_id", sa.Integer(), nullable=True),
        sa.Column("to_name", sa.String(), nullable=False),
        sa.Column("to_address", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("link", EncryptedText(), nullable=True),
        sa.Column("has_link", sa.Boolean(), nullable=False),
        sa.Column("attaches_invoice", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("leased_by", sa.String(), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("by_user_id", sa.Integer(), nullable=True),
        sa.Column("by_name", sa.String(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name=op.f("ck_outgoing_mail_sent_has_a_time")),
        sa.ForeignKeyConstraint(["by_user_id"], ["user.id"], name=op.f("fk_outgoing_mail_by_user_id_user")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_outgoing_mail_client_id_client")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name=op.f("fk_outgoing_mail_invoice_id_invoice")),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposal.id"], name=op.f("fk_outgoing_mail_proposal_id_proposal")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_mail")),
        sa.UniqueConstraint("key", name=op.f("uq_outgoing_mail_key")),
    )
    with op.batch_alter_table("outgoing_mail", schema=None) as batch_op:
        batch_op.create_index(
            "ix_outgoing_mail_due", ["next_at", "id"], unique=False, sqlite_where=OPEN, postgresql_where=OPEN
        )
        batch_op.create_index("ix_outgoing_mail_invoice", ["invoice_id", "id"], unique=False)
        batch_op.create_index("ix_outgoing_mail_proposal", ["proposal_id", "id"], unique=False)
        batch_op.create_index("ix_outgoing_mail_state", ["state", "id"], unique=False)
    op.create_table(
        "mail_settings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sender_name", sa.String(), nullable=False),
        sa.Column("reply_to", sa.String(), nullable=False),
        sa.Column("sends_invoices", sa.Boolean(), nullable=False),
        sa.Column("invoice_subject", sa.String(), nullable=False),
        sa.Column("invoice_message", sa.Text(), nullable=False),
        sa.Column("proposal_subject", sa.String(), nullable=False),
        sa.Column("proposal_message", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_settings")),
    )
    op.create_table(
        "mail_preference",
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("kinds", JsonValue, nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_mail_preference_client_id_client")),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_mail_preference")),
    )
    op.create_table(
        "mail_recipient",
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_mail_recipient_client_id_client")),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_mail_recipient_contact_id_contact"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("client_id", "contact_id", name=op.f("pk_mail_recipient")),
    )
    with op.batch_alter_table("mail_recipient", schema=None) as batch_op:
        batch_op.create_index("ix_mail_recipient_contact", ["contact_id"], unique=False)


def downgrade() -> None:
    op.drop_table("mail_recipient")
    op.drop_table("mail_preference")
    op.drop_table("mail_settings")
    op.drop_table("outgoing_mail")
