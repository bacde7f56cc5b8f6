"""versions that stand on a base; ids and departments as long as an import takes them."""

import sqlalchemy as sa
from alembic import op

import services.core.database

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("knowledge_entries") as batch_op:
        batch_op.alter_column("id", existing_type=sa.String(100), type_=sa.String(128), existing_nullable=False)
        batch_op.alter_column("department", existing_type=sa.String(100), type_=sa.String(200), existing_nullable=True)
    with op.batch_alter_table("knowledge_snapshots") as batch_op:
        batch_op.add_column(sa.Column("base_version", sa.Integer(), nullable=True))
        for name in ("delta", "answers_pending", "done", "total"):
            batch_op.add_column(sa.Column(name, sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("reported_at", services.core.database.UtcDateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("knowledge_snapshots") as batch_op:
        for name in ("reported_at", "total", "done", "answers_pending", "delta", "base_version"):
            batch_op.drop_column(name)
    with op.batch_alter_table("knowledge_entries") as batch_op:
        batch_op.alter_column("department", existing_type=sa.String(200), type_=sa.String(100), existing_nullable=True)
        batch_op.alter_column("id", existing_type=sa.String(128), type_=sa.String(100), existing_nullable=False)
