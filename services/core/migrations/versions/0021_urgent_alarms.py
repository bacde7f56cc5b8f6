"""urgent alarms with their steps, and who has read which notice.

Who had open urgent cases before has heard of them: no alarm is raised for those by the upgrade.
"""

import sqlalchemy as sa
from alembic import op

from services.core.database import UtcDateTime

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_RINGS = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "urgent_alarms",
        sa.Column("id", BIG_ID, primary_key=True),
        sa.Column("case_id", BIG_ID, sa.ForeignKey("cases.id"), nullable=False),
        sa.Column("event_seq", sa.Integer, nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("raised_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("within_minutes", sa.Integer, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("next_step_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.String(64), nullable=True),
        sa.Column("acknowledged_as", sa.String(200), nullable=True),
        sa.Column("ended_at", UtcDateTime(timezone=True), nullable=True),
        sa.UniqueConstraint("case_id", "event_seq", name=op.f("uq_urgent_alarms_case_id_event_seq")),
    )
    op.create_index(
        "uq_urgent_alarms_ringing",
        "urgent_alarms",
        ["case_id"],
        unique=True,
        sqlite_where=_RINGS,
        postgresql_where=_RINGS,
    )
    op.create_index(op.f("ix_urgent_alarms_next_step_at"), "urgent_alarms", ["next_step_at"])
    op.create_table(
        "urgent_alarm_steps",
        sa.Column("id", BIG_ID, primary_key=True),
        sa.Column("alarm_id", BIG_ID, sa.ForeignKey("urgent_alarms.id"), nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("called", sa.String(64), nullable=True),
        sa.Column("told", sa.JSON, nullable=False),
        sa.UniqueConstraint("alarm_id", "step", name=op.f("uq_urgent_alarm_steps_alarm_id_step")),
    )
    op.create_table(
        "staff_notice_reads",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("notice_id", BIG_ID, sa.ForeignKey("staff_notices.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
    )
    op.create_index(op.f("ix_staff_notice_reads_notice_id"), "staff_notice_reads", ["notice_id"])


def downgrade() -> None:
    op.drop_table("staff_notice_reads")
    op.drop_table("urgent_alarm_steps")
    op.drop_table("urgent_alarms")
