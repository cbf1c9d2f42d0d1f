"""Manual restarts in memory, beside a ``FakeStore``: what keeps that from its database keeps these from it too."""

from collections.abc import Mapping

from crewd.errors import StoreError
from crewd.model.accounts import Key
from crewd.policy.accounting import account_manual
from crewd.reconcile.restart_events import ManualRestart, RestartQuery, StoredRestart
from crewd.reconcile.totals import summed
from crewd.testing.store import FakeDatabase, FakeStore


class FakeRestartEvents:
    """Implements ``reconcile.restart_events.RestartEvents``."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store

    async def add(self, restart: ManualRestart) -> Mapping[Key, float]:
        """Store it, and what it adds to the totals, once; return what those totals come to now."""
        database = self._usable("write to")
        if self._store.full:
            raise StoreError("cannot write to the fake database: it is full", retryable=True)
        amounts = summed(account_manual(restart.worker_id, restart.duration_ms / 1000, success=restart.success))
        if all(one.restart.restart_id != restart.restart_id for one in database.restarts):
            last = database.restarts[-1].id if database.restarts else 0
            database.restarts.append(StoredRestart(last + 1, restart))
            for key, amount in amounts.items():
                database.totals[key] = database.totals.get(key, 0.0) + amount
        if self._store.deaf:
            raise StoreError("cannot write to the fake database: no answer", retryable=True)
        return {key: database.totals[key] for key in amounts}

    async def restarts(self, query: RestartQuery) -> tuple[StoredRestart, ...]:
        """Return what was stored, oldest first."""
        found = [one for one in self._usable("read").restarts if _fits(one, query)]
        return tuple(found[max(0, len(found) - max(0, query.limit)) :])

    def _usable(self, verb: str) -> FakeDatabase:
        self._store.usable(verb)
        return self._store.database


def _fits(stored: StoredRestart, query: RestartQuery) -> bool:
    restart = stored.restart
    return (
        (not query.workers or restart.worker_id in query.workers)
        and (query.since is None or restart.at >= query.since)
        and (query.until is None or restart.at < query.until)
        and (query.before_id is None or stored.id < query.before_id)
    )
