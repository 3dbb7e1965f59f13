"""CSV files that were uploaded, and their rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.db import JsonValue, UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bulk_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("act", sa.String(32), nullable=False),
        sa.Column("value_id", sa.Integer(), nullable=True),
        sa.Column("value_name", sa.String(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=True),
        sa.Column("by_name", sa.String(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("undoes_id", sa.Integer(), nullable=True),
        sa.Column("stop_asked", sa.Boolean(), nullable=False),
        sa.Column("lease_by", sa.String(), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["by_id"], ["user.id"], name=op.f("fk_bulk_run_by_id_user")),
        sa.ForeignKeyConstraint(["undoes_id"], ["bulk_run.id"], name=op.f("fk_bulk_run_undoes_id_bulk_run")),
        sa.ForeignKeyConstraint(["value_id"], ["user.id"], name=op.f("fk_bulk_run_value_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_run")),
        sa.UniqueConstraint("undoes_id", name=op.f("uq_bulk_run_undoes_id")),
    )
    with op.batch_alter_table("bulk_run", schema=None) as batch_op:
        batch_op.create_index("ix_bulk_run_state", ["state"], unique=False)

    op.create_table(
        "csv_upload",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("file_name", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("encoding", sa.String(), nullable=False),
        sa.Column("delimiter", sa.String(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("clears", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=True),
        sa.Column("by_name", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("counts", JsonValue, nullable=False),
        sa.Column("results", JsonValue, nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("applied_by", sa.String(), nullable=False),
        sa.Column("undone_by", sa.String(), nullable=False),
        sa.Column("undone_at", UtcDateTime(), nullable=True),
        sa.Column("lease_by", sa.String(), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["by_id"], ["user.id"], name=op.f("fk_csv_upload_by_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_csv_upload")),
    )
    with op.batch_alter_table("csv_upload", schema=None) as batch_op:
        batch_op.create_index("ix_csv_upload_digest", ["digest"], unique=False)
        batch_op.create_index("ix_csv_upload_expires_at", ["expires_at"], unique=False)

    op.create_table(
        "bulk_item",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("wanted_id", sa.Integer(), nullable=True),
        sa.Column("before_id", sa.Integer(), nullable=True),
        sa.Column("undoes_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["before_id"], ["user.id"], name=op.f("fk_bulk_item_before_id_user")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_bulk_item_client_id_client")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["bulk_run.id"], name=op.f("fk_bulk_item_run_id_bulk_run"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["undoes_id"], ["bulk_item.id"], name=op.f("fk_bulk_item_undoes_id_bulk_item")),
        sa.ForeignKeyConstraint(["wanted_id"], ["user.id"], name=op.f("fk_bulk_item_wanted_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_item")),
    )
    with op.batch_alter_table("bulk_item", schema=None) as batch_op:
        batch_op.create_index("ix_bulk_item_run_id", ["run_id", "id"], unique=False)
        batch_op.create_index("ix_bulk_item_run_state", ["run_id", "state", "id"], unique=False)

    op.create_table(
        "csv_row",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("upload_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("cells", JsonValue, nullable=False),
        sa.Column("problems", JsonValue, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("lead", sa.Integer(), nullable=False),
        sa.Column("file_note", sa.String(), nullable=False),
        sa.Column("choice", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("notes", JsonValue, nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=True),
        sa.Column("client_version", sa.Integer(), nullable=True),
        sa.Column("client_values", JsonValue, nullable=False),
        sa.Column("contact_id", sa.Integer(), nullable=True),
        sa.Column("contact_values", JsonValue, nullable=False),
        sa.Column("makes_default", sa.Boolean(), nullable=False),
        sa.Column("changes", JsonValue, nullable=False),
        sa.Column("candidates", JsonValue, nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("before", JsonValue, nullable=False),
        sa.Column("undone", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["upload_id"], ["csv_upload.id"], name=op.f("fk_csv_row_upload_id_csv_upload"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_csv_row")),
        sa.UniqueConstraint("upload_id", "number", name=op.f("uq_csv_row_upload_id_number")),
    )
    with op.batch_alter_table("csv_row", schema=None) as batch_op:
        batch_op.create_index("ix_csv_row_client", ["upload_id", "client_id"], unique=False)
        batch_op.create_index("ix_csv_row_lead", ["upload_id", "lead"], unique=False)
        batch_op.create_index("ix_csv_row_outcome", ["upload_id", "outcome", "number"], unique=False)
        batch_op.create_index("ix_csv_row_result", ["upload_id", "result", "number"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("csv_row", schema=None) as batch_op:
        batch_op.drop_index("ix_csv_row_result")
        batch_op.drop_index("ix_csv_row_outcome")
        batch_op.drop_index("ix_csv_row_lead")
        batch_op.drop_index("ix_csv_row_client")

    op.drop_table("csv_row")
    with op.batch_alter_table("bulk_item", schema=None) as batch_op:
        batch_op.drop_index("ix_bulk_item_run_state")
        batch_op.drop_index("ix_bulk_item_run_id")

    op.drop_table("bulk_item")
    with op.batch_alter_table("csv_upload", schema=None) as batch_op:
        batch_op.drop_index("ix_csv_upload_expires_at")
        batch_op.drop_index("ix_csv_upload_digest")

    op.drop_table("csv_upload")
    with op.batch_alter_table("bulk_run", schema=None) as batch_op:
        batch_op.drop_index("ix_bulk_run_state")

    op.drop_table("bulk_run")
