"""Which instances are meant: by instance, by worker, ``worker:*``, ``label=value``, or ``*`` for all.

The same words select what is acted on now and what is listened to from now on, so they are made in one place.
"""

from collections.abc import Callable, Iterable, Sequence

from crewd.errors import CrewdError
from crewd.model.offer import Fate, Ruling
from crewd.policy.accounting import worker_of
from crewd.reconcile.view import View

EVERYTHING = "*"

NAMED_MOST = 5
"""So many unknown names stand in the message; all of them are in ``names``."""


class UnknownNames(CrewdError):  # noqa: N818 - a mistake of who asks, not of crewd's
    """Some names select nothing of the crew as it is."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        shown = ", ".join(self.names[:NAMED_MOST])
        more = f" and {len(self.names) - NAMED_MOST} more" if len(self.names) > NAMED_MOST else ""
        super().__init__(f"cannot find {shown}{more}: no worker, instance or label of that name")


class NotInForce(CrewdError):  # noqa: N818 - what was asked for cannot be
    """A worker made over the API has no instances: it has no command, or was left out."""

    def __init__(self, worker_id: str, ruling: Ruling) -> None:
        self.ruling = ruling
        if ruling.fate is Fate.WITHOUT_COMMAND:
            why = "it has no command, and defaults.local of the file has none"
        else:
            why = "; ".join(map(str, ruling.complaints))
        super().__init__(f"cannot act on {worker_id}: it is not in force: {why}")


class SeveralInstances(CrewdError):  # noqa: N818 - a mistake of who asks, not of crewd's
    """One instance was asked for, and the worker has several."""

    def __init__(self, name: str, instances: Sequence[str]) -> None:
        self.instances = tuple(instances)
        shown = ", ".join(self.instances[:NAMED_MOST])
        super().__init__(f"cannot choose an instance of {name}: it has {len(self.instances)}, name one: {shown}")


def select(view: View, names: Iterable[str]) -> tuple[str, ...]:
    """Return the instances, each once, in the order in which they are named; raises UnknownNames."""
    index = _index(view)
    names = tuple(dict.fromkeys(names))
    unknown = [name for name in names if name not in index and name != EVERYTHING]  # a crew may be empty
    if unknown:
        raise UnknownNames(unknown)
    return tuple(dict.fromkeys(instance for name in names for instance in index.get(name, ())))


def select_to_act(view: View, names: Iterable[str]) -> tuple[str, ...]:
    """As ``select``; raises NotInForce where that is why there is nothing of a name."""
    try:
        return select(view, names)
    except UnknownNames as unknown:
        rulings = view.supervision.wanted.rulings
        for name in unknown.names:
            if name in rulings and rulings[name].fate in (Fate.WITHOUT_COMMAND, Fate.REFUSED):
                raise NotInForce(name, rulings[name]) from None
        raise


def select_one(view: View, name: str) -> str:
    """Return the instance, or the only one of the worker; raises UnknownNames or SeveralInstances."""
    chosen = view.workers().get(name) if name not in view.crew.records else [name]
    if chosen is None:
        raise UnknownNames((name,))
    if len(chosen) != 1:
        raise SeveralInstances(name, chosen)
    return chosen[0]


def matcher(view: View, names: Iterable[str]) -> Callable[[str], bool]:
    """Return whether an instance is meant, also one that joins the crew later; no names mean all."""
    wanted = frozenset(names)

    def matches(instance: str) -> bool:
        return not wanted or instance in wanted or not wanted.isdisjoint(_words(view, worker_of(instance)))

    return matches


def _index(view: View) -> dict[str, list[str]]:
    """Return the instances by every word that selects them."""
    index: dict[str, list[str]] = {}
    for worker_id, instances in view.workers().items():
        for word in _words(view, worker_id):
            index.setdefault(word, []).extend(instances)
        index.update((instance, [instance]) for instance in instances)
    return index


def _words(view: View, worker_id: str) -> tuple[str, ...]:
    """Return what selects all instances of a worker."""
    spec = view.worker(worker_id)
    labels = () if spec is None else spec.labels.items()
    return EVERYTHING, worker_id, f"{worker_id}:*", *(f"{key}={value}" for key, value in labels)
