"""Invoices, what was paid on them, and their place in the log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.db import ExactDecimal, JsonValue, UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "invoice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("client_name", sa.String(), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=True),
        sa.Column("connection_id", sa.Integer(), nullable=True),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("tax_mode", sa.String(), nullable=False),
        sa.Column("rounding", sa.String(), nullable=False),
        sa.Column("net", ExactDecimal(), nullable=False),
        sa.Column("tax", ExactDecimal(), nullable=False),
        sa.Column("total", ExactDecimal(), nullable=False),
        sa.Column("paid", ExactDecimal(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("memo", sa.String(), nullable=False),
        sa.Column("pay_by", sa.String(32), nullable=False),
        sa.Column("pay_token", sa.String(), nullable=True),
        sa.Column("is_automatic", sa.Boolean(), nullable=False),
        sa.Column("paid_at", UtcDateTime(), nullable=True),
        sa.Column("paid_how", sa.String(), nullable=False),
        sa.Column("voided_at", UtcDateTime(), nullable=True),
        sa.Column("void_reason", sa.String(), nullable=False),
        sa.Column("void_note", sa.String(), nullable=False),
        sa.Column("voided_by", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_invoice_client_id_client")),
        sa.ForeignKeyConstraint(["connection_id"], ["connection.id"], name=op.f("fk_invoice_connection_id_connection")),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposal.id"], name=op.f("fk_invoice_proposal_id_proposal")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice")),
        sa.UniqueConstraint("mark", name=op.f("uq_invoice_mark")),
        sa.UniqueConstraint("number", name=op.f("uq_invoice_number")),
        sa.UniqueConstraint("pay_token", name=op.f("uq_invoice_pay_token")),
    )
    with op.batch_alter_table("invoice", schema=None) as batch_op:
        batch_op.create_index(
            "ix_invoice_client",
            ["client_id", "issued_on", "id", "voided_at", "paid_at", "due_on", "currency", "total", "paid"],
            unique=False,
        )
        batch_op.create_index("ix_invoice_app", ["connection_id", "issued_on", "id", "voided_at"], unique=False)
        batch_op.create_index(
            "ix_invoice_due",
            ["due_on", "id"],
            unique=False,
            sqlite_where=sa.text("paid_at IS NULL AND voided_at IS NULL"),
            postgresql_where=sa.text("paid_at IS NULL AND voided_at IS NULL"),
        )
        batch_op.create_index("ix_invoice_issued", ["issued_on", "id", "voided_at", "client_id"], unique=False)
        batch_op.create_index("ix_invoice_due_any", ["due_on", "id"], unique=False)
        batch_op.create_index(
            "ix_invoice_open",
            ["issued_on", "id", "due_on", "client_id", "paid_at", "voided_at"],
            unique=False,
            sqlite_where=sa.text("paid_at IS NULL AND voided_at IS NULL"),
            postgresql_where=sa.text("paid_at IS NULL AND voided_at IS NULL"),
        )
        batch_op.create_index("ix_invoice_total", ["total", "id"], unique=False)
        batch_op.create_index(
            "ix_invoice_voided",
            ["issued_on", "id"],
            unique=False,
            sqlite_where=sa.text("voided_at IS NOT NULL"),
            postgresql_where=sa.text("voided_at IS NOT NULL"),
        )
    op.create_table(
        "payment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column("invoice_id", sa.Integer(), nullable=False),
        sa.Column("amount", ExactDecimal(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("how", sa.String(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=True),
        sa.Column("remote_id", sa.String(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("reversed_at", UtcDateTime(), nullable=True),
        sa.Column("facts", JsonValue, nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connection.id"], name=op.f("fk_payment_connection_id_connection")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name=op.f("fk_payment_invoice_id_invoice")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment")),
        sa.UniqueConstraint("connection_id", "remote_id", name=op.f("uq_payment_connection_id_remote_id")),
        sa.UniqueConstraint("mark", name=op.f("uq_payment_mark")),
    )
    with op.batch_alter_table("payment", schema=None) as batch_op:
        batch_op.create_index("ix_payment_invoice", ["invoice_id", "id"], unique=False)
    op.create_table(
        "invoice_line",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("billing_item_id", sa.Integer(), nullable=True),
        sa.Column("service_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("quantity", ExactDecimal(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("price", ExactDecimal(), nullable=False),
        sa.Column("discount", ExactDecimal(), nullable=False),
        sa.Column("discount_percent", ExactDecimal(), nullable=True),
        sa.Column("tax_rate_id", sa.Integer(), nullable=True),
        sa.Column("tax_name", sa.String(), nullable=False),
        sa.Column("tax_percent", ExactDecimal(), nullable=False),
        sa.Column("net", ExactDecimal(), nullable=False),
        sa.Column("tax", ExactDecimal(), nullable=False),
        sa.ForeignKeyConstraint(
            ["billing_item_id"], ["billing_item.id"], name=op.f("fk_invoice_line_billing_item_id_billing_item")
        ),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name=op.f("fk_invoice_line_invoice_id_invoice")),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_invoice_line_service_id_service")),
        sa.ForeignKeyConstraint(["tax_rate_id"], ["tax_rate.id"], name=op.f("fk_invoice_line_tax_rate_id_tax_rate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_line")),
        sa.UniqueConstraint("billing_item_id", name=op.f("uq_invoice_line_billing_item_id")),
    )
    with op.batch_alter_table("invoice_line", schema=None) as batch_op:
        batch_op.create_index("ix_invoice_line_invoice", ["invoice_id", "position"], unique=False)
    with op.batch_alter_table("activity", schema=None) as batch_op:
        batch_op.add_column(sa.Column("invoice_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("proposal_id", sa.Integer(), nullable=True))
        batch_op.create_index("ix_activity_invoice", ["invoice_id", "id"], unique=False)
        batch_op.create_index("ix_activity_proposal", ["proposal_id", "id"], unique=False)
        batch_op.create_foreign_key(batch_op.f("fk_activity_invoice_id_invoice"), "invoice", ["invoice_id"], ["id"])
        batch_op.create_foreign_key(batch_op.f("fk_activity_proposal_id_proposal"), "proposal", ["proposal_id"], ["id"])


def downgrade() -> None:
    with op.batch_alter_table("activity", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_activity_proposal_id_proposal"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("fk_activity_invoice_id_invoice"), type_="foreignkey")
        batch_op.drop_index("ix_activity_proposal")
        batch_op.drop_index("ix_activity_invoice")
        batch_op.drop_column("proposal_id")
        batch_op.drop_column("invoice_id")
    with op.batch_alter_table("invoice_line", schema=None) as batch_op:
        batch_op.drop_index("ix_invoice_line_invoice")
    op.drop_table("invoice_line")
    with op.batch_alter_table("payment", schema=None) as batch_op:
        batch_op.drop_index("ix_payment_invoice")
    op.drop_table("payment")
    with op.batch_alter_table("invoice", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_invoice_voided",
            sqlite_where=sa.text("voided_at IS NOT NULL"),
            postgresql_where=sa.text("voided_at IS NOT NULL"),
        )
        batch_op.drop_index("ix_invoice_total")
        batch_op.drop_index(
            "ix_invoice_open",
            sqlite_where=sa.text("paid_at IS NULL AND voided_at IS NULL"),
            postgresql_where=sa.text("paid_at IS NULL AND voided_at IS NULL"),
        )
        batch_op.drop_index("ix_invoice_due_any")
        batch_op.drop_index("ix_invoice_issued")
        batch_op.drop_index(
            "ix_invoice_due",
            sqlite_where=sa.text("paid_at IS NULL AND voided_at IS NULL"),
            postgresql_where=sa.text("paid_at IS NULL AND voided_at IS NULL"),
        )
        batch_op.drop_index("ix_invoice_app")
        batch_op.drop_index("ix_invoice_client")
    op.drop_table("invoice")
