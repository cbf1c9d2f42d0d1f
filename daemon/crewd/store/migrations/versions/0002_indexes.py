"""Indexes to read events by: instance, type, time."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make them."""
    op.create_index("events_by_instance", "events", ["instance", "id"])
    op.create_index("events_by_type", "events", ["type", "id"])
    op.create_index("events_by_time", "events", ["at"])
