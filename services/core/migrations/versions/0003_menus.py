"""accounts with their menus, keyword replies, ratings of answers."""

import sqlalchemy as sa
from alembic import op

import services.core.database

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = services.core.database.UtcDateTime(timezone=True)
ANSWERS = sa.text("type in ('answer', 'candidates')")


def upgrade() -> None:
    op.create_table(
        "channel_accounts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("retired", sa.Boolean(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("applied_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_accounts")),
        sa.UniqueConstraint("key", "version", name=op.f("uq_channel_accounts_key_version")),
    )
    op.create_table(
        "keyword_replies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=32), nullable=False),
        sa.Column("keyword", sa.String(length=30), nullable=False),
        sa.Column("folded", sa.String(length=120), nullable=False),
        sa.Column("match", sa.String(length=8), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("entry_id", sa.String(length=128), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("updated_by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keyword_replies")),
        sa.UniqueConstraint("account", "match", "folded", name=op.f("uq_keyword_replies_account_match_folded")),
    )
    op.create_table(
        "knowledge_feedback",
        sa.Column("conversation_id", sa.String(length=36), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.String(length=128), nullable=False),
        sa.Column("helpful", sa.Boolean(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("conversation_id", "seq", name=op.f("pk_knowledge_feedback")),
    )
    with op.batch_alter_table("knowledge_feedback") as batch_op:
        batch_op.create_index(batch_op.f("ix_knowledge_feedback_entry_id"), ["entry_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_knowledge_feedback_at"), ["at"], unique=False)
    with op.batch_alter_table("conversations") as batch_op:
        batch_op.add_column(sa.Column("account", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("menu_place", sa.String(length=8), nullable=True))
        batch_op.add_column(sa.Column("menu_at", MOMENT, nullable=True))
    op.create_index("ix_messages_answers", "messages", ["created_at"], sqlite_where=ANSWERS, postgresql_where=ANSWERS)


def downgrade() -> None:
    op.drop_index("ix_messages_answers", table_name="messages")
    with op.batch_alter_table("conversations") as batch_op:
        for name in ("menu_at", "menu_place", "account"):
            batch_op.drop_column(name)
    for table in ("knowledge_feedback", "keyword_replies", "channel_accounts"):
        op.drop_table(table)
