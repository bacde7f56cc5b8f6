"""heard: what citizens wrote to an open case and who has read it, where a title comes from, the post of an account."""

import sqlalchemy as sa
from alembic import op

from services.core.database import UtcDateTime

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("cases") as batch_op:
        batch_op.add_column(sa.Column("titled", sa.Boolean(), nullable=False, server_default=sa.true()))
        batch_op.add_column(sa.Column("title_seq", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("words", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("words_read", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("unread_since", UtcDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("words_at", UtcDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("words_encrypted", sa.Text(), nullable=True))
    with op.batch_alter_table("staff_accounts") as batch_op:
        batch_op.add_column(sa.Column("post", sa.String(32), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("staff_accounts") as batch_op:
        batch_op.drop_column("post")
    with op.batch_alter_table("cases") as batch_op:
        for name in ("words_encrypted", "words_at", "unread_since", "words_read", "words", "title_seq", "titled"):
            batch_op.drop_column(name)
