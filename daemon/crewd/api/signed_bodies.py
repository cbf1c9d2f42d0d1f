"""How many bodies are read at once to see whether they are signed: until then anybody may have sent them."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from crewd.api.refusals import too_much

OF_ONE, AT_ONCE = 4, 32
"""So many of one client, and of all together: each may take a MiB, and ten seconds."""


class SignedBodies:
    """Those that are being read, by client."""

    def __init__(self) -> None:
        self._of: Counter[str] = Counter()

    @contextmanager
    def reading(self, client: str) -> Generator[None]:
        """Read one; raises Refused where there are too many."""
        for count, most in ((self._of[client], OF_ONE), (self._of.total(), AT_ONCE)):
            if count >= most:
                raise too_much(f"cannot answer: {most} signed requests are being read")
        self._of[client] += 1
        try:
            yield
        finally:
            self._of[client] -= 1
            self._of += Counter()  # without those that have none
