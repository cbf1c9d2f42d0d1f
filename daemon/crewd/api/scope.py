"""For which workers somebody may ask: who is limited to some is told nothing of the others, not even that they exist.

Rules:

1. What names a worker that is not covered is refused, whether there is one of that name or not.
2. Lists leave out what is not covered; a name that leaves nothing in one is refused.
3. What can be no name is the name of nothing, and no database is asked for it.
"""

from collections.abc import Iterable

from crewd.api.refusals import Refusal, Refused
from crewd.model.access import Principal
from crewd.policy.access import covers
from crewd.policy.accounting import worker_of
from crewd.reconcile.selecting import NAMED_MOST, UnknownNames, select, select_to_act
from crewd.reconcile.view import View


def within(principal: Principal, worker_ids: Iterable[str]) -> None:
    """Raise Refused where a worker is none that somebody may ask for."""
    beyond = sorted({worker_id for worker_id in worker_ids if not covers(principal, worker_id)})
    if beyond:
        shown = ", ".join(beyond[:NAMED_MOST])
        more = f" and {len(beyond) - NAMED_MOST} more" if len(beyond) > NAMED_MOST else ""
        limits = ", ".join(principal.workers)
        raise Refused(Refusal(403, "AUTH_002", f"cannot let {principal.name} ask for {shown}{more}: only for {limits}"))


def within_one(principal: Principal, view: View, name: str) -> None:
    """Raise Refused where ``name``, of a worker or an instance, is none that somebody may ask for."""
    if principal.workers:
        within(principal, (_worker_of(view, name),))


def can_be_a_name(text: str) -> bool:
    """Return whether there may be, or may have been, a worker or an instance of that name."""
    return text.isascii() and text.isprintable()


def select_within(principal: Principal, view: View, names: Iterable[str]) -> tuple[str, ...]:
    """Return the instances that the names select, to act on them.

    Raises UnknownNames, NotInForce, and Refused where one of them is not covered.
    """
    names = tuple(names)
    try:
        chosen = select(view, names)
    except UnknownNames as unknown:
        for name in unknown.names:
            within_one(principal, view, name)
        return select_to_act(view, names)  # which says whether it is one that is not in force
    if principal.workers:
        within(principal, map(worker_of, chosen))
    return chosen


def select_covered(principal: Principal, view: View, names: Iterable[str]) -> tuple[str, ...]:
    """Return what the names select and somebody may see; no names: all of that."""
    names = tuple(names)
    if not principal.workers:
        return select(view, names) if names else tuple(view.crew.records)
    if not names:
        return tuple(one for one in view.crew.records if covers(principal, worker_of(one)))
    found: dict[str, None] = {}
    for name in names:
        try:
            covered = [one for one in select(view, (name,)) if covers(principal, worker_of(one))]
        except UnknownNames:
            within_one(principal, view, name)
            raise
        if not covered:
            within(principal, (_worker_of(view, name),))
        found.update(dict.fromkeys(covered))
    return tuple(found)


def _worker_of(view: View, name: str) -> str:
    """Return the worker that a name means, as far as it can be told: also of an instance that is no more."""
    if name in view.workers():
        return name
    owner, _, slot = name.removesuffix(":*").rpartition("-")
    return owner if slot.isdecimal() and owner else name.removesuffix(":*")
