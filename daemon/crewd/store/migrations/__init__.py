"""How the tables came to be what they are: Alembic's folder, used by the child ``crewd.store.migrate`` alone.

Rules:

1. A migration that was released is never changed: databases have gone through it.
2. It says what it does by itself, and imports nothing of crewd: ``tables`` will have moved on.
3. There is no way back but the backup.
"""
