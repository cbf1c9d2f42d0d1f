"""``python -m bench.store.follower JOURNAL DATABASE HOME``: what the daemon does with a line, alone in a process.

1. Follower, recorder and store are the daemon's own. Its picture is folded beside them, by a follower of its own, as
   there.
2. It says ``open`` once the database is, reads from stdin how many lines there will be, and ends when all are recorded,
   or no more came of it for PATIENCE_SEC.
3. Prints, in JSON, each commit and the processor time that all of it took.
"""

import asyncio
import json
import sys
import time

from bench.store.commits import Commit
from crewd.app.daemon import SystemClock
from crewd.model.home import Home
from crewd.reconcile.crew import Crew
from crewd.reconcile.recorder import Recorder
from crewd.reconcile.storage import Recording
from crewd.reconcile.totals import Totals
from crewd.store import SqlStore, store_of
from crewd.supervisord.client import AsyncClient, Client
from crewd.supervisord.journal import Journal

LOOK_SEC = 0.05
PATIENCE_SEC = 20.0


class Watched:
    """The store, and when each of its transactions was through. Implements ``reconcile.storage.Store``."""

    def __init__(self, store: SqlStore) -> None:
        self.open, self.events, self.prune, self.close = store.open, store.events, store.prune, store.close
        self.commits: list[Commit] = []
        self._store = store

    async def record(self, recording: Recording) -> None:
        """Record, and note it."""
        await self._store.record(recording)
        rows = recording.rows
        self.commits.append(Commit(time.time(), rows[0].at, rows[-1].at, len(rows)))


async def follow(directory: str, database: str, home: Home) -> None:
    """Do all of it."""
    store = Watched(store_of(database, home))
    nobody = AsyncClient(Client(home.engine_socket))  # is never called: may_tell says so
    recorder = Recorder(Journal(directory), store, nobody, SystemClock(), Totals(), may_tell=lambda: False)
    tasks = [asyncio.create_task(recorder.run()), asyncio.create_task(_fold(directory))]
    while not recorder.recorded.open:  # noqa: ASYNC110 - the recorder has no event for it, and nothing is timed yet
        await asyncio.sleep(LOOK_SEC)
    print("open", flush=True)
    before_sec = time.process_time()
    await _until(recorder, int(await asyncio.to_thread(sys.stdin.readline)))
    took_sec = time.process_time() - before_sec
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await store.close()
    told = {"commits": store.commits, "cpu_sec": took_sec}
    print(json.dumps({**told, "trouble": recorder.recorded.trouble}))


async def _until(recorder: Recorder, lines: int) -> None:
    seen, since = 0, time.monotonic()
    while seen < lines and time.monotonic() - since < PATIENCE_SEC:
        await asyncio.sleep(LOOK_SEC)
        if recorder.recorded.position.sequence > seen:
            seen, since = recorder.recorded.position.sequence, time.monotonic()


async def _fold(directory: str) -> None:
    crew = Crew()
    async for batch in Journal(directory).follow():
        for _ in crew.observe(batch):
            pass


if __name__ == "__main__":
    asyncio.run(follow(sys.argv[1], sys.argv[2], Home.under(sys.argv[3])))
