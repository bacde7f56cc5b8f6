"""what a case probably is, models learned from a city's own cases, and drafts of knowledge."""

import sqlalchemy as sa
from alembic import op

import services.core.database

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_Moment = services.core.database.UtcDateTime


def upgrade() -> None:
    with op.batch_alter_table("cases") as batch_op:
        batch_op.add_column(sa.Column("proposal", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("undecided", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "case_models",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", _Moment(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("mapping", sa.JSON(), nullable=False),
        sa.Column("model", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_case_models")),
    )
    op.create_table(
        "knowledge_drafts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(64), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("department", sa.String(200), nullable=True),
        sa.Column("entry_id", sa.String(128), nullable=True),
        sa.Column("created_at", _Moment(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("decided_at", _Moment(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_knowledge_drafts")),
        sa.UniqueConstraint("origin", name=op.f("uq_knowledge_drafts_origin")),
    )
    op.create_index(op.f("ix_knowledge_drafts_state"), "knowledge_drafts", ["state"])


def downgrade() -> None:
    op.drop_index(op.f("ix_knowledge_drafts_state"), "knowledge_drafts")
    op.drop_table("knowledge_drafts")
    op.drop_table("case_models")
    with op.batch_alter_table("cases") as batch_op:
        batch_op.drop_column("undecided")
        batch_op.drop_column("proposal")
