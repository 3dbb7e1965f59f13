"""Clients, their contacts and groups, and which records elsewhere they are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import DBAPIError

from portal.db import JsonValue, UtcDateTime
from portal.domain import client_search

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "client",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column(
            "name_key",
            sa.String(length=200).with_variant(sa.String(length=200, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("near_key", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("structure", sa.String(), nullable=False),
        sa.Column("address_street", sa.String(), nullable=False),
        sa.Column("address_city", sa.String(), nullable=False),
        sa.Column("address_region", sa.String(), nullable=False),
        sa.Column("address_postcode", sa.String(), nullable=False),
        sa.Column("address_country", sa.String(), nullable=False),
        sa.Column("postal_street", sa.String(), nullable=False),
        sa.Column("postal_city", sa.String(), nullable=False),
        sa.Column("postal_region", sa.String(), nullable=False),
        sa.Column("postal_postcode", sa.String(), nullable=False),
        sa.Column("postal_country", sa.String(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("fax", sa.String(), nullable=False),
        sa.Column("website", sa.String(), nullable=False),
        sa.Column("tax_registered", sa.Boolean(), nullable=True),
        sa.Column("partner_id", sa.Integer(), nullable=True),
        sa.Column("manager_id", sa.Integer(), nullable=True),
        sa.Column("active_items", sa.Integer(), nullable=False),
        sa.Column("was_active", sa.Boolean(), nullable=False),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.Column("origins", JsonValue, nullable=False),
        sa.Column("sync_state", sa.String(32), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["manager_id"], ["user.id"], name=op.f("fk_client_manager_id_user")),
        sa.ForeignKeyConstraint(["partner_id"], ["user.id"], name=op.f("fk_client_partner_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client")),
    )
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.create_index(
            "ix_client_changed",
            ["changed_at", "id"],
            unique=False,
            sqlite_where=sa.text("archived_at IS NULL"),
            postgresql_where=sa.text("archived_at IS NULL"),
        )
        batch_op.create_index("ix_client_exact_name", ["name"], unique=False)
        batch_op.create_index(
            "ix_client_manager_name",
            ["manager_id", "name_key", "id"],
            unique=False,
            sqlite_where=sa.text("archived_at IS NULL"),
            postgresql_where=sa.text("archived_at IS NULL"),
        )
        batch_op.create_index(
            "ix_client_name",
            ["name_key", "id"],
            unique=False,
            sqlite_where=sa.text("archived_at IS NULL"),
            postgresql_where=sa.text("archived_at IS NULL"),
        )
        batch_op.create_index("ix_client_near_key", ["near_key"], unique=False)
        batch_op.create_index(
            "ix_client_partner_name",
            ["partner_id", "name_key", "id"],
            unique=False,
            sqlite_where=sa.text("archived_at IS NULL"),
            postgresql_where=sa.text("archived_at IS NULL"),
        )
        batch_op.create_index("ix_client_status_changed", ["status", "changed_at", "id"], unique=False)
        batch_op.create_index("ix_client_status_name", ["status", "name_key", "id"], unique=False)
        batch_op.create_index(
            "ix_client_sync_name",
            ["sync_state", "name_key", "id"],
            unique=False,
            sqlite_where=sa.text("archived_at IS NULL"),
            postgresql_where=sa.text("archived_at IS NULL"),
        )

    op.create_table(
        "client_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=False),
        sa.Column("remote_name", sa.String(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("broken_why", sa.String(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("agreed", JsonValue, nullable=False),
        sa.Column("agreed_at", UtcDateTime(), nullable=True),
        sa.Column("seen", JsonValue, nullable=False),
        sa.Column("seen_digest", sa.String(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=True),
        sa.Column("held_fields", JsonValue, nullable=False),
        sa.Column("open_conflicts", sa.Integer(), nullable=False),
        sa.Column("push_state", sa.String(32), nullable=False),
        sa.Column("push_version", sa.Integer(), nullable=False),
        sa.Column("push_attempts", sa.Integer(), nullable=False),
        sa.Column("push_next_at", UtcDateTime(), nullable=True),
        sa.Column("push_lease_until", UtcDateTime(), nullable=True),
        sa.Column("push_lease_by", sa.String(), nullable=True),
        sa.Column("push_error", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_link_client_id_client")),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_client_link_connection_id_connection")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_link")),
        sa.UniqueConstraint("connection_id", "client_id", name=op.f("uq_client_link_connection_id_client_id")),
        sa.UniqueConstraint("connection_id", "remote_id", name=op.f("uq_client_link_connection_id_remote_id")),
    )
    with op.batch_alter_table("client_link", schema=None) as batch_op:
        batch_op.create_index(
            "ix_client_link_client_id",
            ["client_id", "connection_id", "state", "push_state", "open_conflicts"],
            unique=False,
        )
        batch_op.create_index(
            "ix_client_link_push_due",
            ["push_next_at"],
            unique=False,
            sqlite_where=sa.text("push_state IN ('ready', 'sending')"),
            postgresql_where=sa.text("push_state IN ('ready', 'sending')"),
        )

    op.create_table(
        "contact",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("mobile", sa.String(), nullable=False),
        sa.Column("salutation", sa.String(), nullable=False),
        sa.Column("addressee", sa.String(), nullable=False),
        sa.Column("position", sa.String(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("origins", JsonValue, nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_contact_client_id_client")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact")),
    )
    with op.batch_alter_table("contact", schema=None) as batch_op:
        batch_op.create_index("ix_contact_client_id", ["client_id"], unique=False)
        batch_op.create_index(
            "uq_contact_one_default",
            ["client_id"],
            unique=True,
            sqlite_where=sa.text("is_default"),
            postgresql_where=sa.text("is_default"),
        )

    op.create_table(
        "contact_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("client_link_id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.Integer(), nullable=True),
        sa.Column("remote_id", sa.String(), nullable=False),
        sa.Column("agreed", JsonValue, nullable=False),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_link_id"],
            ["client_link.id"],
            name=op.f("fk_contact_link_client_link_id_client_link"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_contact_link_contact_id_contact"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_link")),
        sa.UniqueConstraint("client_link_id", "remote_id", name=op.f("uq_contact_link_client_link_id_remote_id")),
    )
    with op.batch_alter_table("contact_link", schema=None) as batch_op:
        batch_op.create_index("ix_contact_link_contact_id", ["contact_id"], unique=False)

    op.create_table(
        "group",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("primary_contact_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["connection_id"], ["connection.id"], name=op.f("fk_group_connection_id_connection")),
        sa.ForeignKeyConstraint(
            ["primary_contact_id"],
            ["contact.id"],
            name=op.f("fk_group_primary_contact_id_contact"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group")),
        sa.UniqueConstraint("connection_id", "remote_id", name=op.f("uq_group_connection_id_remote_id")),
    )
    with op.batch_alter_table("group", schema=None) as batch_op:
        batch_op.create_index("ix_group_name", ["name"], unique=False)

    op.create_table(
        "client_group",
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_group_client_id_client")),
        sa.ForeignKeyConstraint(
            ["group_id"], ["group.id"], name=op.f("fk_client_group_group_id_group"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("client_id", "group_id", name=op.f("pk_client_group")),
    )
    with op.batch_alter_table("client_group", schema=None) as batch_op:
        batch_op.create_index("ix_client_group_group_id", ["group_id", "client_id"], unique=False)

    for statement in client_search.create_statements(op.get_bind().dialect.name, with_trigrams=_has_trigrams()):
        op.execute(statement)


def _has_trigrams() -> bool:
    """Whether PostgreSQL lets us search by parts of words; without, the search reads its whole narrow table."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return False
    try:
        with connection.begin_nested():
            connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
    except DBAPIError:
        return False
    return True


def downgrade() -> None:
    op.drop_table("client_search")
    with op.batch_alter_table("client_group", schema=None) as batch_op:
        batch_op.drop_index("ix_client_group_group_id")

    op.drop_table("client_group")
    with op.batch_alter_table("group", schema=None) as batch_op:
        batch_op.drop_index("ix_group_name")

    op.drop_table("group")
    with op.batch_alter_table("contact_link", schema=None) as batch_op:
        batch_op.drop_index("ix_contact_link_contact_id")

    op.drop_table("contact_link")
    with op.batch_alter_table("contact", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_contact_one_default", sqlite_where=sa.text("is_default"), postgresql_where=sa.text("is_default")
        )
        batch_op.drop_index("ix_contact_client_id")

    op.drop_table("contact")
    with op.batch_alter_table("client_link", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_client_link_push_due",
            sqlite_where=sa.text("push_state IN ('ready', 'sending')"),
            postgresql_where=sa.text("push_state IN ('ready', 'sending')"),
        )
        batch_op.drop_index("ix_client_link_client_id")

    op.drop_table("client_link")
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_client_sync_name",
            sqlite_where=sa.text("archived_at IS NULL"),
            postgresql_where=sa.text("archived_at IS NULL"),
        )
        batch_op.drop_index("ix_client_status_name")
        batch_op.drop_index("ix_client_status_changed")
        batch_op.drop_index(
            "ix_client_partner_name",
            sqlite_where=sa.text("archived_at IS NULL"),
            postgresql_where=sa.text("archived_at IS NULL"),
        )
        batch_op.drop_index("ix_client_near_key")
        batch_op.drop_index(
            "ix_client_name",
            sqlite_where=sa.text("archived_at IS NULL"),
            postgresql_where=sa.text("archived_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_client_manager_name",
            sqlite_where=sa.text("archived_at IS NULL"),
            postgresql_where=sa.text("archived_at IS NULL"),
        )
        batch_op.drop_index("ix_client_exact_name")
        batch_op.drop_index(
            "ix_client_changed",
            sqlite_where=sa.text("archived_at IS NULL"),
            postgresql_where=sa.text("archived_at IS NULL"),
        )

    op.drop_table("client")
