"""delivery: notices and messages are rows of their own, the outbox is for channels of others; leases with a holder.

What waits in the outbox of an earlier version for our own pages and consoles is delivered here: a notice to staff
becomes its row, and a message to a citizen's page stands in its conversation already, so only its key moves there.
"""

import sqlalchemy as sa
from alembic import op

from services.core.database import UtcDateTime

revision = "0017"
down_revision = "0014"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
LEASED = ("outbox", "lookup_jobs", "knowledge_snapshots")
_HAS_KEY = sa.text("dedupe_key IS NOT NULL")


def upgrade() -> None:
    for table in LEASED:
        with op.batch_alter_table(table) as batch_op:
            batch_op.add_column(sa.Column("lease_owner", sa.String(64), nullable=True))
            batch_op.add_column(sa.Column("lease_until", UtcDateTime(timezone=True), nullable=True))
    op.execute("ALTER TABLE binding_scans RENAME COLUMN owner TO lease_owner")
    with op.batch_alter_table("messages") as batch_op:
        batch_op.add_column(sa.Column("dedupe_key", sa.String(200), nullable=True))
    _move_notices()
    _move_keys_of_messages()
    op.execute("DELETE FROM outbox WHERE channel IN ('staff', 'web')")
    op.create_index(
        "ix_messages_dedupe_key",
        "messages",
        ["dedupe_key"],
        unique=True,
        sqlite_where=_HAS_KEY,
        postgresql_where=_HAS_KEY,
    )


def _move_notices() -> None:
    op.execute("CREATE TEMPORARY TABLE earlier AS SELECT outbox_id, recipient, kind, body, at FROM staff_notices")
    op.drop_table("staff_notices")
    op.create_table(
        "staff_notices",
        sa.Column("id", BIG_ID, primary_key=True),
        sa.Column("recipient", sa.String(120), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("dedupe_key", sa.String(200), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_staff_notices_dedupe_key")),
    )
    op.create_index(op.f("ix_staff_notices_recipient"), "staff_notices", ["recipient"])
    op.execute(
        "INSERT INTO staff_notices (id, recipient, kind, body, dedupe_key, at) "
        "SELECT id, recipient, kind, body, dedupe_key, created_at FROM outbox WHERE channel = 'staff'"
    )
    # Whose row of the outbox somebody has cleared away.
    op.execute(
        "INSERT INTO staff_notices (id, recipient, kind, body, dedupe_key, at) "
        "SELECT outbox_id, recipient, kind, body, 'outbox:' || outbox_id, at FROM earlier "
        "WHERE outbox_id NOT IN (SELECT id FROM staff_notices)"
    )
    op.execute("DROP TABLE earlier")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "SELECT setval(pg_get_serial_sequence('staff_notices', 'id'), "
            "(SELECT coalesce(max(id), 0) + 1 FROM staff_notices), false)"
        )


def _move_keys_of_messages() -> None:
    """The first of the messages that a row of the outbox stands for gets its key."""
    if op.get_bind().dialect.name == "postgresql":
        last, count = "(outbox.body ->> 'seq')::int", "(outbox.body ->> 'count')::int"
    else:
        last, count = "json_extract(outbox.body, '$.seq')", "json_extract(outbox.body, '$.count')"
    op.execute(
        "UPDATE messages SET dedupe_key = outbox.dedupe_key FROM outbox "
        "WHERE outbox.channel IN ('web', 'wechat') AND messages.conversation_id = outbox.recipient "
        f"AND messages.seq = {last} - coalesce({count}, 1) + 1"
    )


def downgrade() -> None:
    op.drop_index("ix_messages_dedupe_key", "messages")
    with op.batch_alter_table("messages") as batch_op:
        batch_op.drop_column("dedupe_key")
    op.execute("CREATE TEMPORARY TABLE later_notices AS SELECT id, recipient, kind, body, at FROM staff_notices")
    op.drop_table("staff_notices")
    op.create_table(
        "staff_notices",
        sa.Column("outbox_id", BIG_ID, primary_key=True, autoincrement=False),
        sa.Column("recipient", sa.String(120), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
    )
    op.create_index(op.f("ix_staff_notices_recipient"), "staff_notices", ["recipient"])
    op.execute("INSERT INTO staff_notices SELECT id, recipient, kind, body, at FROM later_notices")
    op.execute("DROP TABLE later_notices")
    op.execute("ALTER TABLE binding_scans RENAME COLUMN lease_owner TO owner")
    for table in LEASED:
        with op.batch_alter_table(table) as batch_op:
            batch_op.drop_column("lease_until")
            batch_op.drop_column("lease_owner")
