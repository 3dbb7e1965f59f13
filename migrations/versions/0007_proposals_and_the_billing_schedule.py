"""The service library, proposals, and what is to be billed when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.db import ExactDecimal, JsonValue, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "number_series",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("next", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_number_series")),
    )
    op.create_table(
        "tax_rate",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("percent", ExactDecimal(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tax_rate")),
        sa.UniqueConstraint("name", name=op.f("uq_tax_rate_name")),
    )
    op.create_table(
        "service",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_key", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("price_type", sa.String(32), nullable=False),
        sa.Column("price", ExactDecimal(), nullable=False),
        sa.Column("price_to", ExactDecimal(), nullable=True),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("tax_rate_id", sa.Integer(), nullable=True),
        sa.Column("billing_type", sa.String(32), nullable=False),
        sa.Column("every", sa.Integer(), nullable=False),
        sa.Column("cadence", sa.String(32), nullable=False),
        sa.Column("deposit", ExactDecimal(), nullable=True),
        sa.Column("jobs", JsonValue, nullable=False),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["tax_rate_id"], ["tax_rate.id"], name=op.f("fk_service_tax_rate_id_tax_rate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service")),
    )
    with op.batch_alter_table("service", schema=None) as batch_op:
        batch_op.create_index("ix_service_name", ["name_key", "id"], unique=False)
    op.create_table(
        "proposal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("terms", sa.String(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("grouping", sa.String(32), nullable=False),
        sa.Column("options", JsonValue, nullable=False),
        sa.Column("chosen", sa.Integer(), nullable=True),
        sa.Column("discount", ExactDecimal(), nullable=False),
        sa.Column("jobs", JsonValue, nullable=False),
        sa.Column("token_hash", sa.String(), nullable=True),
        sa.Column("token_expires_at", UtcDateTime(), nullable=True),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("first_seen_at", UtcDateTime(), nullable=True),
        sa.Column("accepted_at", UtcDateTime(), nullable=True),
        sa.Column("accepted", JsonValue, nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("lost_why", sa.String(), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_proposal_client_id_client")),
        sa.ForeignKeyConstraint(["created_by_id"], ["user.id"], name=op.f("fk_proposal_created_by_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal")),
        sa.UniqueConstraint("number", name=op.f("uq_proposal_number")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_proposal_token_hash")),
    )
    with op.batch_alter_table("proposal", schema=None) as batch_op:
        batch_op.create_index("ix_proposal_client", ["client_id", "id"], unique=False)
        batch_op.create_index("ix_proposal_expiry", ["state", "expires_on"], unique=False)
        batch_op.create_index("ix_proposal_state", ["state", "id"], unique=False)
    op.create_table(
        "client_service",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=True),
        sa.Column("billing_type", sa.String(32), nullable=False),
        sa.Column("every", sa.Integer(), nullable=False),
        sa.Column("cadence", sa.String(32), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=True),
        sa.Column("month_day", sa.Integer(), nullable=True),
        sa.Column("periods", sa.Integer(), nullable=True),
        sa.Column("billed_to", sa.Integer(), nullable=False),
        sa.Column("next_on", sa.Date(), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("pay_by", sa.String(32), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("paused_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("quantity", ExactDecimal(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("price", ExactDecimal(), nullable=False),
        sa.Column("discount", ExactDecimal(), nullable=False),
        sa.Column("discount_is_percent", sa.Boolean(), nullable=False),
        sa.Column("tax_rate_id", sa.Integer(), nullable=True),
        sa.Column("facts", JsonValue, nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_service_client_id_client")),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposal.id"], name=op.f("fk_client_service_proposal_id_proposal")),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_client_service_service_id_service")),
        sa.ForeignKeyConstraint(["tax_rate_id"], ["tax_rate.id"], name=op.f("fk_client_service_tax_rate_id_tax_rate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_service")),
        sa.UniqueConstraint("mark", name=op.f("uq_client_service_mark")),
    )
    with op.batch_alter_table("client_service", schema=None) as batch_op:
        batch_op.create_index("ix_client_service_client", ["client_id", "id"], unique=False)
        batch_op.create_index(
            "ix_client_service_next",
            ["next_on", "id"],
            unique=False,
            sqlite_where=sa.text("next_on IS NOT NULL"),
            postgresql_where=sa.text("next_on IS NOT NULL"),
        )
        batch_op.create_index("ix_client_service_proposal", ["proposal_id"], unique=False)
    op.create_table(
        "proposal_line",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("option", sa.Integer(), nullable=True),
        sa.Column("is_optional", sa.Boolean(), nullable=False),
        sa.Column("is_taken", sa.Boolean(), nullable=False),
        sa.Column("price_type", sa.String(32), nullable=False),
        sa.Column("price_to", ExactDecimal(), nullable=True),
        sa.Column("billing_type", sa.String(32), nullable=False),
        sa.Column("deposit", ExactDecimal(), nullable=True),
        sa.Column("every", sa.Integer(), nullable=False),
        sa.Column("cadence", sa.String(32), nullable=False),
        sa.Column("starts", sa.String(32), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("delay", sa.Integer(), nullable=False),
        sa.Column("periods", sa.Integer(), nullable=True),
        sa.Column("service_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("quantity", ExactDecimal(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("price", ExactDecimal(), nullable=False),
        sa.Column("discount", ExactDecimal(), nullable=False),
        sa.Column("discount_is_percent", sa.Boolean(), nullable=False),
        sa.Column("tax_rate_id", sa.Integer(), nullable=True),
        sa.Column("facts", JsonValue, nullable=False),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["proposal.id"], name=op.f("fk_proposal_line_proposal_id_proposal"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_proposal_line_service_id_service")),
        sa.ForeignKeyConstraint(["tax_rate_id"], ["tax_rate.id"], name=op.f("fk_proposal_line_tax_rate_id_tax_rate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal_line")),
    )
    with op.batch_alter_table("proposal_line", schema=None) as batch_op:
        batch_op.create_index("ix_proposal_line_proposal", ["proposal_id", "position"], unique=False)
    op.create_table(
        "billing_item",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("client_service_id", sa.Integer(), nullable=True),
        sa.Column("proposal_id", sa.Integer(), nullable=True),
        sa.Column("period", sa.Integer(), nullable=True),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("is_automatic", sa.Boolean(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("pay_by", sa.String(32), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("notes", sa.String(), nullable=False),
        sa.Column("problem", sa.String(), nullable=False),
        sa.Column("retry_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("quantity", ExactDecimal(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("price", ExactDecimal(), nullable=False),
        sa.Column("discount", ExactDecimal(), nullable=False),
        sa.Column("discount_is_percent", sa.Boolean(), nullable=False),
        sa.Column("tax_rate_id", sa.Integer(), nullable=True),
        sa.Column("facts", JsonValue, nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_billing_item_client_id_client")),
        sa.ForeignKeyConstraint(
            ["client_service_id"], ["client_service.id"], name=op.f("fk_billing_item_client_service_id_client_service")
        ),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposal.id"], name=op.f("fk_billing_item_proposal_id_proposal")),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_billing_item_service_id_service")),
        sa.ForeignKeyConstraint(["tax_rate_id"], ["tax_rate.id"], name=op.f("fk_billing_item_tax_rate_id_tax_rate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_billing_item")),
        sa.UniqueConstraint("client_service_id", "period", name=op.f("uq_billing_item_client_service_id_period")),
        sa.UniqueConstraint("mark", name=op.f("uq_billing_item_mark")),
    )
    with op.batch_alter_table("billing_item", schema=None) as batch_op:
        batch_op.create_index("ix_billing_item_client", ["client_id", "state", "due_on", "id"], unique=False)
        batch_op.create_index(
            "ix_billing_item_due",
            ["due_on", "id"],
            unique=False,
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )


def downgrade() -> None:
    with op.batch_alter_table("billing_item", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_billing_item_due", sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'")
        )
        batch_op.drop_index("ix_billing_item_client")
    op.drop_table("billing_item")
    with op.batch_alter_table("proposal_line", schema=None) as batch_op:
        batch_op.drop_index("ix_proposal_line_proposal")
    op.drop_table("proposal_line")
    with op.batch_alter_table("client_service", schema=None) as batch_op:
        batch_op.drop_index("ix_client_service_proposal")
        batch_op.drop_index(
            "ix_client_service_next",
            sqlite_where=sa.text("next_on IS NOT NULL"),
            postgresql_where=sa.text("next_on IS NOT NULL"),
        )
        batch_op.drop_index("ix_client_service_client")
    op.drop_table("client_service")
    with op.batch_alter_table("proposal", schema=None) as batch_op:
        batch_op.drop_index("ix_proposal_state")
        batch_op.drop_index("ix_proposal_expiry")
        batch_op.drop_index("ix_proposal_client")
    op.drop_table("proposal")
    with op.batch_alter_table("service", schema=None) as batch_op:
        batch_op.drop_index("ix_service_name")
    op.drop_table("service")
    op.drop_table("tax_rate")
    op.drop_table("number_series")
