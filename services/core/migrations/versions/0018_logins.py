"""logins: wrong passwords are counted by name and address, and no longer shut an account; one-time passwords."""

import sqlalchemy as sa
from alembic import op

from services.core.database import UtcDateTime

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Never in batches: on SQLite they make the table anew, and the sessions of its rows go with the old one.
    op.execute("ALTER TABLE staff_accounts DROP COLUMN failed_logins")
    op.execute("ALTER TABLE staff_accounts DROP COLUMN last_failed_at")
    op.add_column("staff_accounts", sa.Column("change_by", UtcDateTime(timezone=True), nullable=True))
    op.add_column("staff_sessions", sa.Column("address", sa.String(64), nullable=True))
    op.create_table(
        "staff_addresses",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("last_at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["name"], ["staff_accounts.name"], name=op.f("fk_staff_addresses_name_staff_accounts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("name", "address", name=op.f("pk_staff_addresses")),
    )
    op.create_table(
        "login_failures",
        sa.Column("name_hash", sa.String(64), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name_hash", "address", name=op.f("pk_login_failures")),
    )
    op.create_index(op.f("ix_login_failures_last_at"), "login_failures", ["last_at"])


def downgrade() -> None:
    op.drop_table("login_failures")
    op.drop_table("staff_addresses")
    op.execute("ALTER TABLE staff_sessions DROP COLUMN address")
    op.execute("ALTER TABLE staff_accounts DROP COLUMN change_by")
    op.add_column("staff_accounts", sa.Column("last_failed_at", UtcDateTime(timezone=True), nullable=True))
    op.add_column("staff_accounts", sa.Column("failed_logins", sa.Integer(), nullable=False, server_default="0"))
