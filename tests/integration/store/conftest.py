"""One PostgreSQL for all tests of this directory."""

from harness.postgres import postgres

__all__ = ["postgres"]
