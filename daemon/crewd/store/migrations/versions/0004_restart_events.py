"""Manual restarts with a reset."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "restart_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("restart_id", sa.String, nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("worker_id", sa.String, nullable=False),
        sa.Column("success", sa.Boolean, nullable=False),
        sa.Column("line", sa.Text, nullable=False),
        sa.UniqueConstraint("restart_id", name="restart_events_once"),
    )
    op.create_index("restart_events_by_worker", "restart_events", ["worker_id", "id"])
    op.create_index("restart_events_by_time", "restart_events", ["at"])
