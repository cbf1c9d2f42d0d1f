"""The pulses of all instances: what they last said of themselves, and who is silent for too long.

Rules:

1. One writer, on the event loop. A pulse never changes: another takes its place. Any thread may read.
2. What is in memory is what counts; the database is told afterwards, and may be away.
3. An instance's silence begins with its process. Nothing is expected of one that never reported, unless its
   configuration says how long it may be silent.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from crewd.model.record import Record
from crewd.model.report import Heartbeat, Pulse
from crewd.policy.accounting import worker_of

NO_PULSE = Pulse()


class Heartbeats:
    """All of them; ``loaded`` once the database told what it knows. Until then no count is whole."""

    def __init__(self) -> None:
        self.loaded = False
        self._of: dict[str, Pulse] = {}
        self._changed: set[str] = set()
        """Whose pulse the database does not know."""

    @property
    def of(self) -> Mapping[str, Pulse]:
        """The pulses, by instance; also of instances that are no more, for a while; see ``gone``."""
        return self._of

    def hear(self, instance: str, heartbeat: Heartbeat) -> None:
        """Take note of a heartbeat."""
        before = self._of.get(instance, NO_PULSE)
        self._set(instance, Pulse(heartbeat, stale=False, stale_count=before.stale_count))

    def load(self, pulses: Mapping[str, Pulse]) -> None:
        """Take over what the database knows; of whom something was heard meanwhile, only how often one was missed.

        Whom nothing was heard of may have been found silent meanwhile: what the database knows decides about that anew.
        """
        for instance, kept in pulses.items():
            now = self._of.get(instance, NO_PULSE)
            if now.heartbeat is None:
                self._of[instance] = kept
                self._changed.discard(instance)
            elif kept.stale_count:
                self._set(instance, replace(now, stale_count=now.stale_count + kept.stale_count))
        self.loaded = True

    def look(self, whose: Iterable[str], stale_at: Callable[[str, Pulse], float], now: float) -> tuple[str, ...]:
        """See who of these is silent for too long now, by CLOCK_BOOTTIME; return those who were not before."""
        fallen: list[str] = []
        for instance in whose:
            pulse = self._of.get(instance, NO_PULSE)
            stale = stale_at(instance, pulse) <= now
            if stale != pulse.stale:
                self._set(instance, replace(pulse, stale=stale, stale_count=pulse.stale_count + stale))
            if stale and not pulse.stale:
                fallen.append(instance)
        return tuple(fallen)

    def gone(self, records: Mapping[str, Record], before: float) -> tuple[str, ...]:
        """Return instances that are no more, and were last heard before then, in unix seconds.

        Not those that missed a heartbeat while their worker has others: it counts for the worker's total.
        """
        past = [
            instance
            for instance, pulse in self._of.items()
            if instance not in records and (pulse.heartbeat is None or pulse.heartbeat.at < before)
        ]
        workers = set(map(worker_of, records)) if past else set[str]()
        return tuple(name for name in past if not self._of[name].stale_count or worker_of(name) not in workers)

    def forget(self, instances: tuple[str, ...]) -> None:
        """Know nothing of these any more."""
        for instance in instances:
            self._of.pop(instance, None)
            self._changed.discard(instance)

    def take_changed(self) -> dict[str, Pulse]:
        """Return what the database is to be told; where that fails, ``give_back`` it."""
        changed = {instance: self._of[instance] for instance in self._changed}
        self._changed = set()
        return changed

    def give_back(self, instances: Mapping[str, Pulse]) -> None:
        """Let these be told again: as they are by then."""
        self._changed |= instances.keys() & self._of.keys()

    def _set(self, instance: str, pulse: Pulse) -> None:
        self._of[instance] = pulse
        self._changed.add(instance)
