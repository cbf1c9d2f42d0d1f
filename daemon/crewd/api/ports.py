"""What the API needs of the rest of the daemon."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crewd.api.kept_answers import KeptAnswers
from crewd.model.spec import CrewSpec
from crewd.reconcile.auditing import Audit
from crewd.reconcile.auditor import Auditor
from crewd.reconcile.bulletin import Bulletin
from crewd.reconcile.configurations import Configurations
from crewd.reconcile.configuring import Configuring
from crewd.reconcile.control import Control
from crewd.reconcile.known_tokens import KnownTokens
from crewd.reconcile.output import Output
from crewd.reconcile.reporting import Reporting
from crewd.reconcile.reports import Reports
from crewd.reconcile.resetting import Resetting
from crewd.reconcile.restart_events import RestartEvents
from crewd.reconcile.storage import Store
from crewd.reconcile.view import View


def boottime() -> float:
    """Return the seconds of CLOCK_BOOTTIME."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _no_drift() -> Sequence[str]:
    return ()


async def _as_it_is(_within_sec: float) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Ports:
    """All of it.

    ``metrics`` renders the page, blocking for a while; ``duration`` reads ``30s`` as the configuration does and raises
    ValueError; ``drift`` tells in sentences where supervisord runs something else than what is in force; ``fresh``
    comes back when what the instances use was looked at within so many seconds; ``configuration_schema`` describes what
    a worker made over the API may hold; ``tables_version`` is that to which a database's tables are brought when it is
    opened.

    ``configured`` is what is in force, the same object as long as it is the same; ``secret`` reads a file that nobody
    else may read, and raises ValueError.
    """

    view: View
    control: Control
    bulletin: Bulletin
    store: Store
    output: Output
    reports: Reports
    reporting: Reporting
    tokens: KnownTokens
    audit: Audit
    auditor: Auditor
    configurations: Configurations
    configuring: Configuring
    metrics: Callable[[], bytes]
    duration: Callable[[str], float]
    configured: Callable[[], CrewSpec]
    secret: Callable[[str], bytes]
    resetting: Resetting
    restarts: RestartEvents
    tables_version: str
    drift: Callable[[], Sequence[str]] = _no_drift
    configuration_schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})
    wall: Callable[[], float] = time.time
    boot: Callable[[], float] = boottime
    fresh: Callable[[float], Awaitable[None]] = _as_it_is
    answers: KeptAnswers = field(default_factory=KeptAnswers)
    """Those to requests with a key, for both listeners, and for as long as the daemon lives."""
