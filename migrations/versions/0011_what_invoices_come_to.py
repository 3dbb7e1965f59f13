"""How many invoices there are and what they come to, kept while they change; an index of what could not be billed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.db import ExactDecimal

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

HELD_UP = sa.text("state = 'open' AND problem != ''")
# What was billed before this table was there.
COUNTED = """
INSERT INTO invoice_sum (currency, standing, source, connection_id, due_on, count, total, "left")
SELECT currency, standing, source, connection_id, due_on, count(*), sum(total), sum("left")
FROM (
  SELECT currency, source, connection_id, total,
    CASE WHEN voided_at IS NOT NULL THEN 'voided' WHEN paid_at IS NOT NULL THEN 'paid'
         WHEN paid > 0 THEN 'part_paid' ELSE 'issued' END AS standing,
    CASE WHEN voided_at IS NULL AND paid_at IS NULL THEN due_on END AS due_on,
    CASE WHEN voided_at IS NULL AND paid_at IS NULL THEN total - paid ELSE 0 END AS "left"
  FROM invoice
) AS each_one
GROUP BY currency, standing, source, connection_id, due_on
"""


def upgrade() -> None:
    op.create_table(
        "invoice_sum",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("standing", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("total", ExactDecimal(), nullable=False),
        sa.Column("left", ExactDecimal(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_invoice_sum_connection_id_connection")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_sum")),
    )
    op.execute(COUNTED)
    with op.batch_alter_table("billing_item", schema=None) as batch_op:
        batch_op.create_index(
            "ix_billing_item_problem", ["due_on", "id"], unique=False, sqlite_where=HELD_UP, postgresql_where=HELD_UP
        )


def downgrade() -> None:
    with op.batch_alter_table("billing_item", schema=None) as batch_op:
        batch_op.drop_index("ix_billing_item_problem", sqlite_where=HELD_UP, postgresql_where=HELD_UP)
    op.drop_table("invoice_sum")
