"""Runs ``crewd.store.migrate`` as a child: Alembic's memory is not the daemon's, and a long one holds no thread."""

import asyncio
import json
import os
import signal
import sys

from crewd.errors import StoreError
from crewd.store.database import Database
from crewd.store.failures import failure, masked
from crewd.store.versions import CURRENT

EX_TEMPFAIL = 75
COMMAND = (sys.executable, "-P", "-m", "crewd.store.migrate")


async def migrate_in_child(database: Database, deadline_sec: float, to: str = CURRENT) -> None:
    """Bring the tables to ``to``; raise what the child said where it could not."""
    order = json.dumps({"database": database.address, "to": to}).encode()
    try:
        child = await asyncio.create_subprocess_exec(
            *COMMAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise failure("migrate", database.name, error) from None
    try:
        async with asyncio.timeout(deadline_sec):
            _, complaint = await child.communicate(order)
    except TimeoutError:
        message = f"cannot migrate {database.name}: it took longer than {deadline_sec:g} s, and was left as it was"
        raise StoreError(message, retryable=True) from None
    finally:
        _end(child)
    if child.returncode:
        raise _complained(database, child.returncode, complaint.decode(errors="replace"))


def _complained(database: Database, code: int, complaint: str) -> StoreError:
    lines = [line for line in complaint.splitlines() if line.strip()]
    said = lines[-1] if lines else f"the process that does it ended with {code}"
    text = said if said.startswith("cannot ") else f"cannot migrate {database.name}: {said}"
    return StoreError(masked(text, database.secrets), retryable=code == EX_TEMPFAIL or code < 0)


def _end(child: asyncio.subprocess.Process) -> None:
    """Leave nothing behind where we did not wait for its end."""
    if child.returncode is None:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
