"""systems that are down and who waits for them, service points, progress of key rotations."""

import sqlalchemy as sa
from alembic import op

import services.core.database

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Moment = services.core.database.UtcDateTime


def upgrade() -> None:
    op.create_table(
        "lookup_outages",
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("since", _Moment(timezone=True), nullable=False),
        sa.Column("last_failure_at", _Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_lookup_outages")),
    )
    op.create_table(
        "lookup_watches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("asked_at", _Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lookup_watches")),
        sa.UniqueConstraint("conversation_id", "kind", name=op.f("uq_lookup_watches_conversation_id_kind")),
    )
    op.create_index(op.f("ix_lookup_watches_kind"), "lookup_watches", ["kind"])
    op.create_index(op.f("ix_lookup_watches_asked_at"), "lookup_watches", ["asked_at"])
    op.create_table(
        "key_rotations",
        sa.Column("key_mark", sa.String(64), nullable=False),
        sa.Column("table_name", sa.String(64), nullable=False),
        sa.Column("last", sa.Text(), nullable=True),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("finished_at", _Moment(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key_mark", "table_name", name=op.f("pk_key_rotations")),
    )
    _places()


def _places() -> None:
    op.create_table(
        "place_kinds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("words", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_place_kinds")),
        sa.UniqueConstraint("name", name=op.f("uq_place_kinds_name")),
    )
    op.create_table(
        "places",
        sa.Column("id", _ID, nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("kind_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("address", sa.String(200), nullable=False),
        sa.Column("phone", sa.String(40), nullable=False),
        sa.Column("lat", sa.Float(), nullable=False),
        sa.Column("lng", sa.Float(), nullable=False),
        sa.Column("hours", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["kind_id"], ["place_kinds.id"], name=op.f("fk_places_kind_id_place_kinds")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_places")),
        sa.UniqueConstraint("code", name=op.f("uq_places_code")),
    )
    # The convention names an index after its first column.
    op.create_index(op.f("ix_places_kind_id"), "places", ["kind_id", "lat", "lng"])
    op.create_index(op.f("ix_places_lat"), "places", ["lat", "lng"])


def downgrade() -> None:
    for name in ("places", "place_kinds", "key_rotations", "lookup_watches", "lookup_outages"):
        op.drop_table(name)
