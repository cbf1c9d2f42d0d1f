"""``/metrics``, and what it shows of the machine. The promise, name by name: ``docs/reference/metrics.md``.

``families`` every metric there is · ``text`` the exposition format · ``workers``, ``instances``, ``budgets`` the lines
of one worker or instance · ``kept`` keeps them while nothing changes · ``pace`` lets the loop in between · ``daemon``
what there is once · ``page`` puts it together · ``resources`` what the instances use, from /proc by way of ``proc``.
"""

from crewd.metrics.daemon import Calls
from crewd.metrics.page import CONTENT_TYPE, Metrics
from crewd.metrics.resources import ProcSampler

__all__ = ["CONTENT_TYPE", "Calls", "Metrics", "ProcSampler"]
