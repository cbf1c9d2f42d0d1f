"""The types of resets: ``redis``, ``sql``, ``http``, ``command``. The promise: ``docs/reference/resets.md``.

``owners`` whose a lock is.
"""
