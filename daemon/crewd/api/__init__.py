"""The API: what can be asked of the daemon, and asked for, over HTTP. The promise: ``docs/reference/api.md``.

``server`` listens, on a Unix socket and on TCP: ``sockets``, ``listener``, ``protocol`` for one connection · ``gate``
and ``admission`` who is let in, and the limits · ``routes`` the table of all that can be asked, and by whom ·
``noting`` what the audit is told · ``idempotency``, ``kept_answers`` what is sent twice · ``handlers``, ``actions``,
``resets``, ``event_list``, ``event_stream``, ``logs``, ``tokens``, ``audit``, ``configurations``, ``health`` answer ·
``instances``, ``crew``, ``events``, ``configuration_shapes`` make what is answered · ``describing`` makes
``/openapi.json`` of the table, ``shapes`` and ``parameters`` · ``envelope``, ``refusals``, ``answering``, ``applied``,
``durations``, ``streaming`` what all answers have in common · ``seats`` how many there may be at once.

What needs FastAPI and uvicorn is imported when the server begins, in a thread: supervision does not wait for it.
"""

from crewd.api.ports import Ports
from crewd.api.server import Server

__all__ = ["Ports", "Server"]
