"""Fakes that crewd ships, for its own tests and for plugins': each passes the contract suite of the real part.

``clock`` time that moves when a test says so · ``supervisord`` a supervisord with the engine in it, without processes ·
``world`` the other ports of the loop · ``store`` a database in memory · ``tokens``,
``audit``, ``restart_events``, ``configurations``, ``reports`` what else is in one.
"""

from crewd.testing.audit import FakeAudit
from crewd.testing.clock import FakeClock
from crewd.testing.configurations import FakeConfigurations
from crewd.testing.reports import FakeReports
from crewd.testing.restart_events import FakeRestartEvents
from crewd.testing.store import FakeDatabase, FakeStore
from crewd.testing.supervisord import FakeSupervisord, fake_table
from crewd.testing.tokens import FakeTokens
from crewd.testing.world import (
    FakeApplier,
    FakeEngine,
    FakeJournal,
    FakeLauncher,
    FakeReaper,
    FakeRenderer,
    FakeService,
)

__all__ = [
    "FakeApplier",
    "FakeAudit",
    "FakeClock",
    "FakeConfigurations",
    "FakeDatabase",
    "FakeEngine",
    "FakeJournal",
    "FakeLauncher",
    "FakeReaper",
    "FakeRenderer",
    "FakeReports",
    "FakeRestartEvents",
    "FakeService",
    "FakeStore",
    "FakeSupervisord",
    "FakeTokens",
    "fake_table",
]
