"""What workers report: their latest heartbeats, and their entries of the log."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "heartbeats",
        sa.Column("instance", sa.String, primary_key=True),
        sa.Column("worker_id", sa.String, nullable=False),
        sa.Column("at", sa.Float(53)),
        sa.Column("assigned_accounts", sa.BigInteger),
        sa.Column("active_tasks", sa.BigInteger),
        sa.Column("error_count", sa.BigInteger),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("stale", sa.Boolean, nullable=False),
        sa.Column("stale_count", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "worker_logs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("worker_id", sa.String, nullable=False),
        sa.Column("instance", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("level", sa.String, nullable=False),
        sa.Column("line", sa.Text, nullable=False),
    )
    op.create_index("worker_logs_by_instance", "worker_logs", ["instance", "id"])
    op.create_index("worker_logs_by_kind", "worker_logs", ["kind", "id"])
    op.create_index("worker_logs_by_level", "worker_logs", ["level", "id"])
    op.create_index("worker_logs_by_time", "worker_logs", ["at"])
