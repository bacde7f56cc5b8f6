"""appointments whose hour the hall is closed in."""

import sqlalchemy as sa
from alembic import op

from services.core.database import UtcDateTime

revision = "0014"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("appointments", sa.Column("displaced_at", UtcDateTime(), nullable=True))
    # A slot without places had been closed, and who was booked in it told; no better moment is known.
    op.execute(
        "UPDATE appointments SET displaced_at = booked_at WHERE status = 'booked' "
        "AND slot_id IN (SELECT id FROM appointment_slots WHERE capacity = 0)"
    )


def downgrade() -> None:
    op.drop_column("appointments", "displaced_at")
