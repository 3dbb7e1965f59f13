"""Apps: consents, connections, the calls they may take; and which work is done."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.db import EncryptedText, JsonValue, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "call_slot",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("held_by", sa.String(), nullable=True),
        sa.Column("held_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("account", "number", name=op.f("pk_call_slot")),
    )
    op.create_table(
        "call_window",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("recent", JsonValue, nullable=False),
        sa.Column("day_started", UtcDateTime(), nullable=True),
        sa.Column("day_calls", sa.Integer(), nullable=False),
        sa.Column("day_left", sa.Integer(), nullable=True),
        sa.Column("blocked_until", UtcDateTime(), nullable=True),
        sa.Column("blocked_why", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_call_window")),
    )
    op.create_table(
        "job_claim",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job", sa.String(), nullable=False),
        sa.Column("due", sa.String(), nullable=False),
        sa.Column("claimed_at", UtcDateTime(), nullable=False),
        sa.Column("claimed_by", sa.String(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("problem", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_claim")),
        sa.UniqueConstraint("job", "due", name=op.f("uq_job_claim_job_due")),
    )
    op.create_table(
        "token_set",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("vendor", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("access_token", EncryptedText(), nullable=True),
        sa.Column("refresh_token", EncryptedText(), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("grant_event", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("lease_by", sa.String(), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token_set")),
    )
    op.create_table(
        "vendor_credentials",
        sa.Column("vendor", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("client_secret", EncryptedText(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("vendor", name=op.f("pk_vendor_credentials")),
    )
    op.create_table(
        "connection",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("account_name", sa.String(), nullable=False),
        sa.Column("grant_id", sa.String(), nullable=False),
        sa.Column("token_set_id", sa.Integer(), nullable=True),
        sa.Column("settings", JsonValue, nullable=False),
        sa.Column("cursor", UtcDateTime(), nullable=True),
        sa.Column("last_full_at", UtcDateTime(), nullable=True),
        sa.Column("last_synced_at", UtcDateTime(), nullable=True),
        sa.Column("imported_at", UtcDateTime(), nullable=True),
        sa.Column("enabled_at", UtcDateTime(), nullable=True),
        sa.Column("enabled_by", sa.String(), nullable=False),
        sa.Column("state_reason", sa.String(), nullable=False),
        sa.Column("state_changed_at", UtcDateTime(), nullable=False),
        sa.Column("reference", JsonValue, nullable=False),
        sa.ForeignKeyConstraint(["token_set_id"], ["token_set.id"], name=op.f("fk_connection_token_set_id_token_set")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connection")),
        sa.UniqueConstraint("app", "account_id", name=op.f("uq_connection_app_account_id")),
    )
    with op.batch_alter_table("connection", schema=None) as batch_op:
        batch_op.create_index("ix_connection_app_state", ["app", "state"], unique=False)

    op.create_table(
        "consent_attempt",
        sa.Column("state_hash", sa.String(), nullable=False),
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("verifier", EncryptedText(), nullable=False),
        sa.Column("reconnects_id", sa.Integer(), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_consent_attempt_user_id_user")),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_consent_attempt")),
    )
    op.create_table(
        "staff_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=False),
        sa.Column("remote_name", sa.String(), nullable=False),
        sa.Column("remote_email", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_staff_link_connection_id_connection")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_staff_link_user_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_link")),
        sa.UniqueConstraint("connection_id", "remote_id", name=op.f("uq_staff_link_connection_id_remote_id")),
        sa.UniqueConstraint("connection_id", "user_id", name=op.f("uq_staff_link_connection_id_user_id")),
    )


def downgrade() -> None:
    op.drop_table("staff_link")
    op.drop_table("consent_attempt")
    with op.batch_alter_table("connection", schema=None) as batch_op:
        batch_op.drop_index("ix_connection_app_state")

    op.drop_table("connection")
    op.drop_table("vendor_credentials")
    op.drop_table("token_set")
    op.drop_table("job_claim")
    op.drop_table("call_window")
    op.drop_table("call_slot")
