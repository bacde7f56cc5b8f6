"""heard: what citizens wrote to an open case and who has read it, where a title comes from, the post of an account."""

import sqlalchemy as sa
from alembic import op

from services.core.database import UtcDateTime

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Never in batches: on SQLite they make the table anew, and what belongs to its rows goes with the old one.
    for column in (
        sa.Column("titled", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("title_seq", sa.Integer(), nullable=True),
        sa.Column("words", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("words_read", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("unread_since", UtcDateTime(timezone=True), nullable=True),
        sa.Column("words_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("words_encrypted", sa.Text(), nullable=True),
    ):
        op.add_column("cases", column)
    op.add_column("staff_accounts", sa.Column("post", sa.String(32), nullable=True))


def downgrade() -> None:
    op.execute("ALTER TABLE staff_accounts DROP COLUMN post")
    for name in ("words_encrypted", "words_at", "unread_since", "words_read", "words", "title_seq", "titled"):
        op.execute(f"ALTER TABLE cases DROP COLUMN {name}")
