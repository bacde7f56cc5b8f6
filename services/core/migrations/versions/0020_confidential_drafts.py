"""confidential drafts: what was drafted from a case before it became confidential is taken back.

From this version on that happens in the very transaction in which a case becomes confidential.
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "DELETE FROM knowledge_drafts WHERE origin IN (SELECT 'case:' || case_no FROM cases WHERE confidential IS TRUE)"
    )


def downgrade() -> None:
    """A draft that is gone stays gone."""
