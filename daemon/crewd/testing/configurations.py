"""Workers made over the API, in memory."""

from crewd.errors import StoreError
from crewd.reconcile.configurations import Configuration


class FakeConfigurations:
    """Implements ``reconcile.configurations.Configurations``. ``trouble``: why each call fails; empty: none does."""

    def __init__(self) -> None:
        self.stored: dict[str, Configuration] = {}
        self.trouble = ""

    async def all(self) -> tuple[Configuration, ...]:
        """Return all, by worker."""
        self._usable("read")
        return tuple(self.stored[name] for name in sorted(self.stored))

    async def find(self, worker_id: str) -> Configuration | None:
        """Return one."""
        self._usable("read")
        return self.stored.get(worker_id)

    async def add(self, configuration: Configuration) -> bool:
        """Store a new one."""
        self._usable("write to")
        return self.stored.setdefault(configuration.worker_id, configuration) is configuration

    async def replace(self, configuration: Configuration, revision: int) -> bool:
        """Store it in the place of that revision."""
        self._usable("write to")
        if not self._is(configuration.worker_id, revision):
            return False
        self.stored[configuration.worker_id] = configuration
        return True

    async def remove(self, worker_id: str, revision: int) -> bool:
        """Remove that revision."""
        self._usable("write to")
        if not self._is(worker_id, revision):
            return False
        del self.stored[worker_id]
        return True

    def _is(self, worker_id: str, revision: int) -> bool:
        found = self.stored.get(worker_id)
        return found is not None and found.revision == revision

    def _usable(self, verb: str) -> None:
        if self.trouble:
            raise StoreError(f"cannot {verb} the fake database: {self.trouble}", retryable=True)
