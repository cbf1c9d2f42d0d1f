"""THE MODEL of the configuration: every key of every section, once.

``daemon`` and ``supervisord`` are the sections of these names; ``worker`` puts those of a worker together from its
groups: ``command life restart output description``, and ``aliases``.

Rules:

1. A key that is not here is refused. A key of a later version comes with what it does, not before.
2. The help says what the key means in one or two sentences; bounds and units are its kind's to say.
3. A group knows of no section; the sections know the groups.
"""

from crewd.config.keys.daemon import API_WORKERS, CREWD
from crewd.config.keys.supervisord import SUPERVISORD
from crewd.config.keys.worker import DEFAULTS, OFFERED, WORKER, Deployed

__all__ = ["API_WORKERS", "CREWD", "DEFAULTS", "OFFERED", "SUPERVISORD", "WORKER", "Deployed"]
