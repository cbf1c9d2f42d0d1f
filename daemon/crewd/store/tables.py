"""The tables, as they are after all migrations; ``docs/reference/database.md`` explains each column.

A change here is a change of ``migrations/versions`` too: a test compares both on both databases.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData()
ROW_ID = BigInteger().with_variant(Integer, "sqlite")
"""SQLite's own row id where it is one: a BIGINT PRIMARY KEY there would be a second index."""

EVENTS = Table(
    "events",
    METADATA,
    Column("id", ROW_ID, primary_key=True, autoincrement=False),
    Column("generation", String, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("at", Float(53), nullable=False),
    Column("type", String, nullable=False),
    Column("worker_id", String),
    Column("instance", String),
    Column("line", Text, nullable=False),
    UniqueConstraint("generation", "sequence", name="events_place"),
    Index("events_by_instance", "instance", "id"),
    Index("events_by_type", "type", "id"),
    Index("events_by_time", "at"),
)

TOTALS = Table(
    "totals",
    METADATA,
    Column("total", String, primary_key=True),
    Column("worker", String, primary_key=True),
    Column("label", String, primary_key=True),
    Column("amount", Float(53), nullable=False),
)

ATTEMPTS = Table(
    "attempts",
    METADATA,
    Column("instance", String, primary_key=True),
    Column("ended_at", Float(53)),
    Column("spawned_at", Float(53)),
    Column("counted", Boolean, nullable=False),
    Column("reason", String, nullable=False),
)

PLACE = Table(
    "place",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("generation", String, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="place_is_one"),
)

TOKENS = Table(
    "tokens",
    METADATA,
    Column("token_id", String, primary_key=True),
    Column("digest", String, nullable=False),
    Column("role", String, nullable=False),
    Column("name", Text, nullable=False),
    Column("workers", Text, nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", Float(53)),
    Column("revoked_at", Float(53)),
)

AUDIT = Table(
    "audit",
    METADATA,
    Column("id", ROW_ID, primary_key=True, autoincrement=False),
    Column("run", String, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("at", Float(53), nullable=False),
    Column("principal", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("granted", Boolean, nullable=False),
    Column("line", Text, nullable=False),
    UniqueConstraint("run", "sequence", name="audit_place"),
    Index("audit_by_time", "at"),
    Index("audit_by_grant", "granted", "id"),
)

RESTART_EVENTS = Table(
    "restart_events",
    METADATA,
    Column("id", ROW_ID, primary_key=True, autoincrement=False),
    Column("restart_id", String, nullable=False),
    Column("at", Float(53), nullable=False),
    Column("worker_id", String, nullable=False),
    Column("success", Boolean, nullable=False),
    Column("line", Text, nullable=False),
    UniqueConstraint("restart_id", name="restart_events_once"),
    Index("restart_events_by_worker", "worker_id", "id"),
    Index("restart_events_by_time", "at"),
)

WORKER_CONFIGS = Table(
    "worker_configs",
    METADATA,
    Column("worker_id", String, primary_key=True),
    Column("document", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("created_by", Text, nullable=False),
    Column("updated_at", Float(53), nullable=False),
    Column("updated_by", Text, nullable=False),
)

HEARTBEATS = Table(
    "heartbeats",
    METADATA,
    Column("instance", String, primary_key=True),
    Column("worker_id", String, nullable=False),
    Column("at", Float(53)),
    Column("assigned_accounts", BigInteger),
    Column("active_tasks", BigInteger),
    Column("error_count", BigInteger),
    Column("metadata", Text, nullable=False),
    Column("stale", Boolean, nullable=False),
    Column("stale_count", BigInteger, nullable=False),
)

WORKER_LOGS = Table(
    "worker_logs",
    METADATA,
    Column("id", ROW_ID, primary_key=True, autoincrement=False),
    Column("at", Float(53), nullable=False),
    Column("worker_id", String, nullable=False),
    Column("instance", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("level", String, nullable=False),
    Column("line", Text, nullable=False),
    Index("worker_logs_by_instance", "instance", "id"),
    Index("worker_logs_by_kind", "kind", "id"),
    Index("worker_logs_by_level", "level", "id"),
    Index("worker_logs_by_time", "at"),
)
