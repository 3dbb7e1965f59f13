"""What is mapped to a ledger, what goes out to it once, and what it tells back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.db import EncryptedText, ExactDecimal, JsonValue, UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "client_billing",
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=True),
        sa.Column("creates", sa.Boolean(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_billing_client_id_client")),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_client_billing_connection_id_connection")
        ),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_client_billing")),
    )
    op.create_table(
        "ledger_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("percent", ExactDecimal(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("fits", sa.Boolean(), nullable=False),
        sa.Column("why_not", sa.String(), nullable=False),
        sa.Column("facts", JsonValue, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_ledger_entry_connection_id_connection")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entry")),
        sa.UniqueConstraint(
            "connection_id", "kind", "remote_id", name=op.f("uq_ledger_entry_connection_id_kind_remote_id")
        ),
    )
    op.create_table(
        "ledger_settings",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("creates", sa.Boolean(), nullable=False),
        sa.Column("creates_since", JsonValue, nullable=False),
        sa.Column("default_target", sa.String(), nullable=False),
        sa.Column("as_drafts", sa.Boolean(), nullable=False),
        sa.Column("show_descriptions", sa.Boolean(), nullable=False),
        sa.Column("branding_manual", sa.String(), nullable=False),
        sa.Column("branding_automatic", sa.String(), nullable=False),
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("due_days", sa.Integer(), nullable=False),
        sa.Column("due_days_recurring", sa.Integer(), nullable=False),
        sa.Column("pay_into", sa.String(), nullable=False),
        sa.Column("writes_payments", sa.Boolean(), nullable=False),
        sa.Column("sets_name", sa.Boolean(), nullable=False),
        sa.Column("lists_read_at", UtcDateTime(), nullable=True),
        sa.Column("lists_error", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("locked_until", sa.Date(), nullable=True),
        sa.Column("invoices_cursor", UtcDateTime(), nullable=True),
        sa.Column("invoices_read_at", UtcDateTime(), nullable=True),
        sa.Column("invoices_full_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_ledger_settings_connection_id_connection")
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_ledger_settings")),
    )
    op.create_table(
        "ledger_reading",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=True),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("read_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("found", JsonValue, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_ledger_reading_connection_id_connection")
        ),
        sa.PrimaryKeyConstraint("connection_id", "what", name=op.f("pk_ledger_reading")),
    )
    op.create_table(
        "service_target",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.Integer(), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_service_target_connection_id_connection")
        ),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_service_target_service_id_service")),
        sa.PrimaryKeyConstraint("connection_id", "service_id", name=op.f("pk_service_target")),
    )
    op.create_table(
        "tax_mapping",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("tax_rate_id", sa.Integer(), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_tax_mapping_connection_id_connection")
        ),
        sa.ForeignKeyConstraint(["tax_rate_id"], ["tax_rate.id"], name=op.f("fk_tax_mapping_tax_rate_id_tax_rate")),
        sa.PrimaryKeyConstraint("connection_id", "tax_rate_id", name=op.f("pk_tax_mapping")),
    )
    op.create_table(
        "webhook_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("happened_at", UtcDateTime(), nullable=True),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("handled_at", UtcDateTime(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_webhook_event_connection_id_connection")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_event")),
        sa.UniqueConstraint("app", "event_id", name=op.f("uq_webhook_event_app_event_id")),
    )
    with op.batch_alter_table("webhook_event", schema=None) as batch_op:
        batch_op.create_index(
            "ix_webhook_event_open",
            ["id"],
            unique=False,
            sqlite_where=sa.text("handled_at IS NULL"),
            postgresql_where=sa.text("handled_at IS NULL"),
        )
    op.create_table(
        "job",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=True),
        sa.Column("client_service_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("settings", JsonValue, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_job_client_id_client")),
        sa.ForeignKeyConstraint(
            ["client_service_id"], ["client_service.id"], name=op.f("fk_job_client_service_id_client_service")
        ),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposal.id"], name=op.f("fk_job_proposal_id_proposal")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("mark", name=op.f("uq_job_mark")),
    )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.create_index("ix_job_proposal", ["proposal_id"], unique=False)
    op.create_table(
        "ledger_record",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=False),
        sa.Column("invoice_id", sa.Integer(), nullable=True),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("total", ExactDecimal(), nullable=False),
        sa.Column("paid", ExactDecimal(), nullable=False),
        sa.Column("due", ExactDecimal(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("web_url", sa.String(), nullable=False),
        sa.Column("revision", sa.String(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=True),
        sa.Column("read_at", UtcDateTime(), nullable=False),
        sa.Column("differs", sa.String(), nullable=False),
        sa.Column("mark", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_ledger_record_connection_id_connection")
        ),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name=op.f("fk_ledger_record_invoice_id_invoice")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_record")),
        sa.UniqueConstraint("connection_id", "invoice_id", name=op.f("uq_ledger_record_connection_id_invoice_id")),
        sa.UniqueConstraint("connection_id", "remote_id", name=op.f("uq_ledger_record_connection_id_remote_id")),
    )
    with op.batch_alter_table("ledger_record", schema=None) as batch_op:
        batch_op.create_index("ix_ledger_record_number", ["connection_id", "number"], unique=False)
        batch_op.create_index(
            "ix_ledger_record_sign",
            ["connection_id", "mark"],
            unique=False,
            sqlite_where=sa.text("invoice_id IS NULL"),
            postgresql_where=sa.text("invoice_id IS NULL"),
        )
    op.create_table(
        "delivery",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.Integer(), nullable=True),
        sa.Column("payment_id", sa.Integer(), nullable=True),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("looked", sa.Integer(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("lease_by", sa.String(), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=True),
        sa.Column("remote_number", sa.String(), nullable=False),
        sa.Column("web_url", sa.String(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("delivered_at", UtcDateTime(), nullable=True),
        sa.Column("adopted", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "(state = 'delivered') = (remote_id IS NOT NULL)", name=op.f("ck_delivery_delivered_has_an_id")
        ),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_delivery_client_id_client")),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_delivery_connection_id_connection")
        ),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name=op.f("fk_delivery_invoice_id_invoice")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_delivery_job_id_job")),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_delivery_payment_id_payment")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("connection_id", "invoice_id", name=op.f("uq_delivery_connection_id_invoice_id")),
        sa.UniqueConstraint("connection_id", "job_id", name=op.f("uq_delivery_connection_id_job_id")),
        sa.UniqueConstraint(
            "connection_id", "kind", "remote_id", name=op.f("uq_delivery_connection_id_kind_remote_id")
        ),
        sa.UniqueConstraint("connection_id", "payment_id", name=op.f("uq_delivery_connection_id_payment_id")),
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index(
            "ix_delivery_due",
            ["next_at"],
            unique=False,
            sqlite_where=sa.text("state IN ('waiting', 'sending', 'unknown')"),
            postgresql_where=sa.text("state IN ('waiting', 'sending', 'unknown')"),
        )
        batch_op.create_index("ix_delivery_invoice", ["invoice_id"], unique=False)
        batch_op.create_index("ix_delivery_standing", ["state", "invoice_id"], unique=False)
        batch_op.create_index("ix_delivery_state", ["connection_id", "state", "id"], unique=False)
    op.create_table(
        "delivery_attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("delivery_id", sa.Integer(), nullable=False),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_delivery_attempt_delivery_id_delivery")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_attempt")),
    )
    with op.batch_alter_table("delivery_attempt", schema=None) as batch_op:
        batch_op.create_index("ix_delivery_attempt_delivery", ["delivery_id", "id"], unique=False)
    op.create_table(
        "worker",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("born", sa.String(), nullable=False),
        sa.Column("beat", sa.Integer(), nullable=False),
        sa.Column("beat_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_worker")),
    )
    with op.batch_alter_table("vendor_credentials", schema=None) as batch_op:
        batch_op.add_column(sa.Column("webhook_key", EncryptedText(), nullable=True))
    with op.batch_alter_table("client_link", schema=None) as batch_op:
        batch_op.add_column(sa.Column("created_as", sa.String(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("client_link", schema=None) as batch_op:
        batch_op.drop_column("created_as")
    with op.batch_alter_table("vendor_credentials", schema=None) as batch_op:
        batch_op.drop_column("webhook_key")
    op.drop_table("worker")
    with op.batch_alter_table("delivery_attempt", schema=None) as batch_op:
        batch_op.drop_index("ix_delivery_attempt_delivery")
    op.drop_table("delivery_attempt")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index("ix_delivery_state")
        batch_op.drop_index("ix_delivery_standing")
        batch_op.drop_index("ix_delivery_invoice")
        batch_op.drop_index(
            "ix_delivery_due",
            sqlite_where=sa.text("state IN ('waiting', 'sending', 'unknown')"),
            postgresql_where=sa.text("state IN ('waiting', 'sending', 'unknown')"),
        )
    op.drop_table("delivery")
    with op.batch_alter_table("ledger_record", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_ledger_record_sign",
            sqlite_where=sa.text("invoice_id IS NULL"),
            postgresql_where=sa.text("invoice_id IS NULL"),
        )
        batch_op.drop_index("ix_ledger_record_number")
    op.drop_table("ledger_record")
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.drop_index("ix_job_proposal")
    op.drop_table("job")
    with op.batch_alter_table("webhook_event", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_webhook_event_open",
            sqlite_where=sa.text("handled_at IS NULL"),
            postgresql_where=sa.text("handled_at IS NULL"),
        )
    op.drop_table("webhook_event")
    op.drop_table("tax_mapping")
    op.drop_table("service_target")
    op.drop_table("ledger_reading")
    op.drop_table("ledger_settings")
    op.drop_table("ledger_entry")
    op.drop_table("client_billing")
