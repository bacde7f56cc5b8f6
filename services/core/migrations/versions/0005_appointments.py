"""appointments: rules, counted slots, appointments, the waiting list, keys of requests."""

import sqlalchemy as sa
from alembic import op

import services.core.database

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "appointment_requests",
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("appointment_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("waiting_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("at", services.core.database.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_appointment_requests")),
    )
    with op.batch_alter_table("appointment_requests", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_appointment_requests_at"), ["at"], unique=False)

    op.create_table(
        "appointment_rules",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("applied_at", services.core.database.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_appointment_rules")),
    )
    op.create_table(
        "appointment_slots",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("hall", sa.String(length=64), nullable=False),
        sa.Column("windows", sa.String(length=64), nullable=False),
        sa.Column("start_at", services.core.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("end_at", services.core.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("booked", sa.Integer(), nullable=False),
        sa.CheckConstraint("booked >= 0", name=op.f("ck_appointment_slots_booked_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appointment_slots")),
        sa.UniqueConstraint("hall", "windows", "start_at", name=op.f("uq_appointment_slots_hall_windows_start_at")),
    )
    with op.batch_alter_table("appointment_slots", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_appointment_slots_start_at"), ["start_at"], unique=False)

    op.create_table(
        "appointments",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("service", sa.String(length=64), nullable=False),
        sa.Column("slot_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("start_at", services.core.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("person_hash", sa.String(length=64), nullable=False),
        sa.Column("person_encrypted", sa.Text(), nullable=True),
        sa.Column("person_masked", sa.String(length=32), nullable=False),
        sa.Column("name_encrypted", sa.Text(), nullable=True),
        sa.Column("conversation_id", sa.String(length=36), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("booked_at", services.core.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("remind_at", services.core.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("closed_at", services.core.database.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["slot_id"], ["appointment_slots.id"], name=op.f("fk_appointments_slot_id_appointment_slots")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appointments")),
        sa.UniqueConstraint("code", name=op.f("uq_appointments_code")),
    )
    with op.batch_alter_table("appointments", schema=None) as batch_op:
        batch_op.create_index(
            "ix_appointments_booked",
            ["start_at"],
            unique=False,
            sqlite_where=sa.text("status = 'booked'"),
            postgresql_where=sa.text("status = 'booked'"),
        )
        batch_op.create_index(batch_op.f("ix_appointments_conversation_id"), ["conversation_id"], unique=False)
        batch_op.create_index("ix_appointments_person", ["person_hash", "status"], unique=False)
        batch_op.create_index(
            "ix_appointments_reminders",
            ["remind_at"],
            unique=False,
            sqlite_where=sa.text("remind_at IS NOT NULL"),
            postgresql_where=sa.text("remind_at IS NOT NULL"),
        )
        batch_op.create_index(batch_op.f("ix_appointments_slot_id"), ["slot_id"], unique=False)
        batch_op.create_index(
            "uq_appointments_live",
            ["person_hash", "service"],
            unique=True,
            sqlite_where=sa.text("status = 'booked'"),
            postgresql_where=sa.text("status = 'booked'"),
        )

    op.create_table(
        "appointment_waiting",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("service", sa.String(length=64), nullable=False),
        sa.Column("hall", sa.String(length=64), nullable=False),
        sa.Column("from_at", services.core.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("until_at", services.core.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("person_hash", sa.String(length=64), nullable=False),
        sa.Column("person_encrypted", sa.Text(), nullable=True),
        sa.Column("person_masked", sa.String(length=32), nullable=False),
        sa.Column("name_encrypted", sa.Text(), nullable=True),
        sa.Column("conversation_id", sa.String(length=36), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", services.core.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("closed_at", services.core.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("appointment_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(
            ["appointment_id"], ["appointments.id"], name=op.f("fk_appointment_waiting_appointment_id_appointments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appointment_waiting")),
    )
    with op.batch_alter_table("appointment_waiting", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_appointment_waiting_conversation_id"), ["conversation_id"], unique=False)
        batch_op.create_index(
            "ix_appointment_waiting_line",
            ["hall", "service", "id"],
            unique=False,
            sqlite_where=sa.text("status = 'waiting'"),
            postgresql_where=sa.text("status = 'waiting'"),
        )
        batch_op.create_index(
            "uq_appointment_waiting_live",
            ["person_hash", "service"],
            unique=True,
            sqlite_where=sa.text("status = 'waiting'"),
            postgresql_where=sa.text("status = 'waiting'"),
        )


def downgrade() -> None:
    for table in (
        "appointment_waiting",
        "appointments",
        "appointment_slots",
        "appointment_rules",
        "appointment_requests",
    ):
        op.drop_table(table)
