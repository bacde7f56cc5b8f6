"""origins: where messages and lookups come from, as a keyed hash; counts by the hour; alarms that are doubtful."""

import sqlalchemy as sa
from alembic import op

from services.core.database import UtcDateTime

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tallies",
        sa.Column("what", sa.String(24), primary_key=True),
        sa.Column("who", sa.String(64), primary_key=True),
        sa.Column("hour", UtcDateTime(timezone=True), primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
    )
    # Never in batches: on SQLite they make the table anew, and what belongs to its rows goes with the old one.
    for table in ("conversations", "lookup_jobs"):
        op.add_column(table, sa.Column("origin", sa.String(64), nullable=False, server_default=""))
    op.create_index(op.f("ix_lookup_jobs_origin"), "lookup_jobs", ["origin", "created_at"])
    op.add_column("cases", sa.Column("doubtful", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.execute("ALTER TABLE cases DROP COLUMN doubtful")
    op.drop_index(op.f("ix_lookup_jobs_origin"), "lookup_jobs")
    for table in ("lookup_jobs", "conversations"):
        op.execute(f"ALTER TABLE {table} DROP COLUMN origin")
    op.drop_table("tallies")
