"""The events, the totals, the attempts under way, and the place in the journal."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("generation", sa.String, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("worker_id", sa.String),
        sa.Column("instance", sa.String),
        sa.Column("line", sa.Text, nullable=False),
        sa.UniqueConstraint("generation", "sequence", name="events_place"),
    )
    op.create_table(
        "totals",
        sa.Column("total", sa.String, primary_key=True),
        sa.Column("worker", sa.String, primary_key=True),
        sa.Column("label", sa.String, primary_key=True),
        sa.Column("amount", sa.Float(53), nullable=False),
    )
    op.create_table(
        "attempts",
        sa.Column("instance", sa.String, primary_key=True),
        sa.Column("ended_at", sa.Float(53)),
        sa.Column("spawned_at", sa.Float(53)),
        sa.Column("counted", sa.Boolean, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
    )
    place = op.create_table(
        "place",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("generation", sa.String, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.CheckConstraint("id = 1", name="place_is_one"),
    )
    op.bulk_insert(place, [{"id": 1, "generation": "", "sequence": 0, "events": 0}])
