"""What a database holds after a test, all of it."""

from collections.abc import Iterable, Mapping

from crewd.model.accounts import NO_ATTEMPT, Attempt, Key
from crewd.model.home import Home
from crewd.model.journal_line import decode
from crewd.policy.accounting import account
from crewd.reconcile.crew import instance_of
from crewd.reconcile.storage import EventQuery, Remembered, StoredEvent
from crewd.reconcile.totals import summed
from crewd.store import store_of

PAGE = 1000


async def everything(database: str, home: Home) -> tuple[Remembered, list[StoredEvent]]:
    """Return what is known, and every event, oldest first."""
    store = store_of(database, home)
    try:
        known, found = await store.open(), list[StoredEvent]()
        while page := await store.events(EventQuery(after_id=found[-1].id if found else 0, limit=PAGE)):
            found += page
        return known, found
    finally:
        await store.close()


def accounted(lines: Iterable[bytes]) -> tuple[Mapping[Key, float], Mapping[str, Attempt]]:
    """Return what these lines of a journal come to, from nothing."""
    attempts: dict[str, Attempt] = {}
    changes = []
    for line in lines:
        event = decode(line)
        instance = instance_of(event.fact)
        after, made = account(attempts.get(instance or "", NO_ATTEMPT), event)
        changes += made
        if instance is not None:
            attempts[instance] = after
    return summed(changes), {name: attempt for name, attempt in attempts.items() if attempt != NO_ATTEMPT}
