"""bindings with their scans, verified phones and one-time codes, choices of reminders, rules for citizens."""

import sqlalchemy as sa
from alembic import op

import services.core.database

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "binding_scans",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("after_id", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=True),
        sa.Column("lease_until", services.core.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("started_at", services.core.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("finished_at", services.core.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("looked", sa.Integer(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_binding_scans")),
    )
    op.create_table(
        "bindings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("citizen", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("identifier_hash", sa.String(length=64), nullable=False),
        sa.Column("values_encrypted", sa.Text(), nullable=False),
        sa.Column("masked", sa.String(length=40), nullable=False),
        sa.Column("phone_hash", sa.String(length=64), nullable=False),
        sa.Column("consent_at", services.core.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("created_at", services.core.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("used_at", services.core.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("seen", sa.JSON(), nullable=False),
        sa.Column("scanned_at", services.core.database.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bindings")),
        sa.UniqueConstraint(
            "citizen", "kind", "identifier_hash", name=op.f("uq_bindings_citizen_kind_identifier_hash")
        ),
    )
    with op.batch_alter_table("bindings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bindings_identifier_hash"), ["identifier_hash"], unique=False)
        batch_op.create_index(batch_op.f("ix_bindings_used_at"), ["used_at"], unique=False)

    op.create_table(
        "citizen_rules",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("applied_at", services.core.database.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_citizen_rules")),
    )
    op.create_table(
        "phone_codes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("citizen", sa.String(length=36), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("phone_hash", sa.String(length=64), nullable=False),
        sa.Column("phone_encrypted", sa.Text(), nullable=False),
        sa.Column("phone_masked", sa.String(length=20), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", services.core.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", services.core.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("used_at", services.core.database.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phone_codes")),
    )
    with op.batch_alter_table("phone_codes", schema=None) as batch_op:
        batch_op.create_index("ix_phone_codes_citizen", ["citizen", "created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_phone_codes_created_at"), ["created_at"], unique=False)
        batch_op.create_index("ix_phone_codes_phone", ["phone_hash", "created_at"], unique=False)

    op.create_table(
        "reminder_choices",
        sa.Column("citizen", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        sa.Column("at", services.core.database.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("citizen", "kind", name=op.f("pk_reminder_choices")),
    )
    op.create_table(
        "reminders_sent",
        sa.Column("citizen", sa.String(length=36), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("mark", sa.String(length=64), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.Column("at", services.core.database.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("citizen", "subject", "kind", "mark", name=op.f("pk_reminders_sent")),
    )
    with op.batch_alter_table("reminders_sent", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_reminders_sent_at"), ["at"], unique=False)

    op.create_table(
        "verified_phones",
        sa.Column("citizen", sa.String(length=36), nullable=False),
        sa.Column("phone_hash", sa.String(length=64), nullable=False),
        sa.Column("phone_encrypted", sa.Text(), nullable=False),
        sa.Column("phone_masked", sa.String(length=20), nullable=False),
        sa.Column("verified_at", services.core.database.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("citizen", "phone_hash", name=op.f("pk_verified_phones")),
    )
    with op.batch_alter_table("verified_phones", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_verified_phones_verified_at"), ["verified_at"], unique=False)

    with op.batch_alter_table("conversations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("talk", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("conversations", schema=None) as batch_op:
        batch_op.drop_column("talk")

    with op.batch_alter_table("verified_phones", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_verified_phones_verified_at"))

    op.drop_table("verified_phones")
    with op.batch_alter_table("reminders_sent", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_reminders_sent_at"))

    op.drop_table("reminders_sent")
    op.drop_table("reminder_choices")
    with op.batch_alter_table("phone_codes", schema=None) as batch_op:
        batch_op.drop_index("ix_phone_codes_phone")
        batch_op.drop_index(batch_op.f("ix_phone_codes_created_at"))
        batch_op.drop_index("ix_phone_codes_citizen")

    op.drop_table("phone_codes")
    op.drop_table("citizen_rules")
    with op.batch_alter_table("bindings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_bindings_used_at"))
        batch_op.drop_index(batch_op.f("ix_bindings_identifier_hash"))

    op.drop_table("bindings")
    op.drop_table("binding_scans")
