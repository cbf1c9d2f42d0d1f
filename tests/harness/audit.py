"""What must be true of every journal, whatever happened: numbers without holes, each start and exit once."""

from collections import Counter

from crewd.model.facts import Exited, Gap, Lost, Spawned, SpawnFailed, Starting
from harness.journal import Entry


def audit(entries: list[Entry]) -> None:
    """Assert it. A segment's opening line repeats nothing, so it counts as any other line."""
    _contiguous(entries)
    _once(entries)


def _contiguous(entries: list[Entry]) -> None:
    numbers: dict[str, list[int]] = {}
    for entry in entries:
        numbers.setdefault(entry.generation, []).append(entry.event.sequence)
    for generation, found in numbers.items():
        assert found == list(range(found[0], found[0] + len(found))), f"{generation} has holes"

    assert [entry for entry in entries if isinstance(entry.event.fact, Gap)] == []


def _once(entries: list[Entry]) -> None:
    facts = [entry.event.fact for entry in entries]
    started = Counter(fact.token for fact in facts if isinstance(fact, Starting))
    spawned = Counter(fact.token for fact in facts if isinstance(fact, Spawned))
    ended = Counter(fact.token for fact in facts if isinstance(fact, Exited | Lost | SpawnFailed))

    assert [token for token, count in (started + spawned).items() if count > 2] == []
    assert [token for counts in (started, spawned, ended) for token, count in counts.items() if count > 1] == []
    assert spawned.keys() <= started.keys()
    assert ended.keys() <= started.keys()
    _nothing_doubled(entries)


def _nothing_doubled(entries: list[Entry]) -> None:
    """An instance is started only after its last run ended."""
    running: dict[str, str] = {}
    for entry in entries:
        fact = entry.event.fact
        if isinstance(fact, Starting):
            assert fact.instance not in running, f"{fact.instance} was started twice: {running[fact.instance]}, {fact}"
            running[fact.instance] = fact.token
        elif isinstance(fact, Exited | Lost | SpawnFailed):
            running.pop(fact.instance, None)
