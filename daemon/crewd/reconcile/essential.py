"""Essential workers: which of their instances are lost, and the sentence that says so."""

from collections.abc import Collection, Mapping
from dataclasses import asdict

from crewd.model.record import Record
from crewd.policy.accounting import worker_of
from crewd.policy.essential import loss
from crewd.wording import ending


def lost(essential: Collection[str], records: Mapping[str, Record]) -> tuple[str, ...]:
    """Return the instances of these workers that are lost."""
    return tuple(name for name in records if worker_of(name) in essential and loss(records[name]))


def sentence(instance: str, record: Record) -> str:
    """Return what happened to an instance that is lost, and why."""
    words = f"{instance} of the essential worker {worker_of(instance)} {loss(record)}"
    if not record.exits:
        return words
    last = record.exits[-1]
    return f"{words}: {ending(asdict(last))} ({last.reason} -> {last.verdict})"
