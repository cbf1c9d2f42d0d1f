"""What Alembic runs: all migrations that are due, inside the transaction that ``migrate`` began."""

from alembic import context

# SQLite's DDL is transactional too, where nobody commits behind its back as Python's driver does by default
context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
