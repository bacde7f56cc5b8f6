"""senders beyond the open page: where citizens are reached, and what waits for their next visit."""

import sqlalchemy as sa
from alembic import op

import services.core.database

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("outbox") as batch_op:
        batch_op.add_column(sa.Column("parked", sa.Boolean(), server_default=sa.false(), nullable=False))
    where = sa.text("parked")
    op.create_index("ix_outbox_parked", "outbox", ["recipient"], postgresql_where=where, sqlite_where=where)
    op.create_table(
        "reachable_at",
        sa.Column("recipient", sa.String(64), nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("account", sa.String(32), nullable=False),
        sa.Column("address_encrypted", sa.Text(), nullable=False),
        sa.Column("heard_at", services.core.database.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("recipient", "channel", name=op.f("pk_reachable_at")),
    )


def downgrade() -> None:
    op.drop_table("reachable_at")
    op.drop_index("ix_outbox_parked", "outbox")
    with op.batch_alter_table("outbox") as batch_op:
        batch_op.drop_column("parked")
