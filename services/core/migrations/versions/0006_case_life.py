"""the whole life of a case: holds, extensions, confidentiality, merging, assignment, supervision."""

from typing import Any

import sqlalchemy as sa
from alembic import op

import services.core.database

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_BEFORE = "status IN ('new', 'assigned', 'in_progress')"
_OPEN = "status IN ('new', 'assigned', 'in_progress', 'waiting', 'reopened', 'transferred')"
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Moment = services.core.database.UtcDateTime


def upgrade() -> None:
    with op.batch_alter_table("cases") as batch_op:
        batch_op.add_column(sa.Column("confidential", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("merged_into", sa.String(24), nullable=True))
        batch_op.add_column(sa.Column("hold_until", _Moment(timezone=True), nullable=True))
        batch_op.create_index(op.f("ix_cases_merged_into"), ["merged_into"])
    # Tip-offs that were there before are confidential from now on.
    op.execute("UPDATE cases SET confidential = TRUE WHERE kind = 'report'")
    _open_index(_OPEN)
    op.create_index("ix_cases_hold_until", "cases", ["hold_until"], **_where("status = 'waiting'"))
    with op.batch_alter_table("case_events") as batch_op:
        batch_op.alter_column("type", existing_type=sa.String(16), type_=sa.String(24), existing_nullable=False)
    with op.batch_alter_table("case_clocks") as batch_op:
        batch_op.add_column(sa.Column("calendar", sa.String(64), nullable=True))
        batch_op.add_column(sa.Column("calendar_id", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("paused_at", _Moment(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("pauses", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("extensions", sa.JSON(), server_default="[]", nullable=False))
    op.create_index("ix_case_clocks_calendar_id", "case_clocks", ["calendar_id"], **_where("state = 'running'"))
    with op.batch_alter_table("sla_policies") as batch_op:
        batch_op.add_column(sa.Column("calendar", sa.String(64), nullable=True))
    op.create_index("ix_outbox_dead", "outbox", ["id"], **_where("dead"))
    _tables()


def _tables() -> None:
    op.create_table(
        "case_extensions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("case_id", _ID, nullable=False),
        sa.Column("clock_id", _ID, nullable=False),
        sa.Column("target", sa.String(16), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("reason_encrypted", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.String(64), nullable=False),
        sa.Column("asked_at", _Moment(timezone=True), nullable=False),
        sa.Column("decision", sa.String(16), nullable=True),
        sa.Column("decided_by", sa.String(64), nullable=True),
        sa.Column("decided_at", _Moment(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_extensions_case_id_cases")),
        sa.ForeignKeyConstraint(["clock_id"], ["case_clocks.id"], name=op.f("fk_case_extensions_clock_id_case_clocks")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_extensions")),
    )
    op.create_index(op.f("ix_case_extensions_case_id"), "case_extensions", ["case_id"])
    op.create_index(
        "uq_case_extensions_pending", "case_extensions", ["clock_id"], unique=True, **_where("decision IS NULL")
    )
    op.create_table(
        "case_access",
        sa.Column("case_id", _ID, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("granted_by", sa.String(64), nullable=False),
        sa.Column("granted_at", _Moment(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_access_case_id_cases")),
        sa.PrimaryKeyConstraint("case_id", "name", name=op.f("pk_case_access")),
    )
    op.create_index(op.f("ix_case_access_name"), "case_access", ["name"])
    op.create_table(
        "case_turns",
        sa.Column("department", sa.String(64), nullable=False),
        sa.Column("dealt", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("department", name=op.f("pk_case_turns")),
    )
    op.create_table(
        "staff_absences",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("starts_at", _Moment(timezone=True), nullable=False),
        sa.Column("ends_at", _Moment(timezone=True), nullable=False),
        sa.Column("set_by", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_absences")),
    )
    op.create_index(op.f("ix_staff_absences_name"), "staff_absences", ["name"])
    op.create_table(
        "alert_levels",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("set_by", sa.String(64), nullable=False),
        sa.Column("at", _Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_levels")),
    )
    op.create_table(
        "supervision_reports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slot_at", _Moment(timezone=True), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("written_at", _Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supervision_reports")),
        sa.UniqueConstraint("slot_at", name=op.f("uq_supervision_reports_slot_at")),
    )


def downgrade() -> None:
    for table in ("supervision_reports", "alert_levels", "staff_absences", "case_turns", "case_access"):
        op.drop_table(table)
    op.drop_table("case_extensions")
    op.drop_index("ix_outbox_dead", "outbox")
    with op.batch_alter_table("sla_policies") as batch_op:
        batch_op.drop_column("calendar")
    op.drop_index("ix_case_clocks_calendar_id", "case_clocks")
    with op.batch_alter_table("case_clocks") as batch_op:
        for name in ("extensions", "pauses", "paused_at", "calendar_id", "calendar"):
            batch_op.drop_column(name)
    op.drop_index("ix_cases_hold_until", "cases")
    _open_index(_BEFORE)
    with op.batch_alter_table("cases") as batch_op:
        batch_op.drop_index(op.f("ix_cases_merged_into"))
        for name in ("hold_until", "merged_into", "confidential"):
            batch_op.drop_column(name)


def _open_index(condition: str) -> None:
    """One open case per conversation, for the statuses that count as open now."""
    op.drop_index("uq_cases_open_conversation", "cases")
    op.create_index("uq_cases_open_conversation", "cases", ["conversation_id"], unique=True, **_where(condition))


def _where(condition: str) -> dict[str, Any]:
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}
