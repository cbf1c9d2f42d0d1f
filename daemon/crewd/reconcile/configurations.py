"""Workers made over the API, as they are stored: a port. ``crewd.store`` has the real one, ``crewd.testing`` the fake.

Rules:

1. A document is an object of JSON as text, without the worker's id. What it means is not the store's business.
2. They can be read from the first moment on, whether the store is open or not; a database without tables has none.
3. ``revision`` grows with every change of a configuration: who changes one names the revision that was seen.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Configuration:
    """One of them. Times are unix seconds; ``…_by`` the name of a principal."""

    worker_id: str
    document: str
    revision: int = 1
    created_at: float = 0.0
    created_by: str = ""
    updated_at: float = 0.0
    updated_by: str = ""


class Configurations(Protocol):
    """All of them. Raises StoreError."""

    async def all(self) -> tuple[Configuration, ...]:
        """Return all, by worker."""
        ...

    async def find(self, worker_id: str) -> Configuration | None:
        """Return one; None where there is none."""
        ...

    async def add(self, configuration: Configuration) -> bool:
        """Store a new one; return False where there is one of that worker already."""
        ...

    async def replace(self, configuration: Configuration, revision: int) -> bool:
        """Store it in the place of that revision; return False where that is not the one that is stored."""
        ...

    async def remove(self, worker_id: str, revision: int) -> bool:
        """Remove that revision; return False where that is not the one that is stored."""
        ...
