"""Records that wait to be chosen, clients on their way into an app, and what a person asked to be sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.db import JsonValue, UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "unlinked_record",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_key", sa.String(), nullable=False),
        sa.Column("near_key", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("record", JsonValue, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.id"], name=op.f("fk_unlinked_record_client_id_client"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_unlinked_record_connection_id_connection")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unlinked_record")),
        sa.UniqueConstraint("connection_id", "remote_id", name=op.f("uq_unlinked_record_connection_id_remote_id")),
    )
    with op.batch_alter_table("unlinked_record", schema=None) as batch_op:
        batch_op.create_index(
            "ix_unlinked_record_verdict", ["connection_id", "verdict", "name_key", "id"], unique=False
        )
        batch_op.create_index("ix_unlinked_record_name", ["connection_id", "name_key", "id"], unique=False)
        batch_op.create_index("ix_unlinked_record_near", ["connection_id", "near_key"], unique=False)
    op.create_table(
        "outgoing_client",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("lease_by", sa.String(), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.id"], name=op.f("fk_outgoing_client_client_id_client"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_outgoing_client_connection_id_connection")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_client")),
        sa.UniqueConstraint("connection_id", "client_id", name=op.f("uq_outgoing_client_connection_id_client_id")),
    )
    due = sa.text("state IN ('ready', 'sending')")
    with op.batch_alter_table("outgoing_client", schema=None) as batch_op:
        batch_op.create_index("ix_outgoing_client_client_id", ["client_id"], unique=False)
        batch_op.create_index(
            "ix_outgoing_client_due", ["next_at"], unique=False, sqlite_where=due, postgresql_where=due
        )
    with op.batch_alter_table("client_link", schema=None) as batch_op:
        batch_op.add_column(sa.Column("asked", JsonValue, nullable=False, server_default="[]"))
        batch_op.add_column(sa.Column("choices", JsonValue, nullable=False, server_default="{}"))
    with op.batch_alter_table("client_link", schema=None) as batch_op:
        batch_op.alter_column("asked", server_default=None)
        batch_op.alter_column("choices", server_default=None)
    with op.batch_alter_table("run_item", schema=None) as batch_op:
        batch_op.add_column(sa.Column("chosen", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("run_item", schema=None) as batch_op:
        batch_op.alter_column("chosen", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("run_item", schema=None) as batch_op:
        batch_op.drop_column("chosen")
    with op.batch_alter_table("client_link", schema=None) as batch_op:
        batch_op.drop_column("choices")
        batch_op.drop_column("asked")
    op.drop_table("outgoing_client")
    op.drop_table("unlinked_record")
