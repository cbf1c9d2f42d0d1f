"""Whose a lock is: the values that a worker's instances write into their locks. Pure.

An owner is written as a text with ``{instance}`` and ``{worker_id}`` for what they stand for, and ``*`` for whatever
may stand there: ``{instance}:*``.
"""

import re

from crewd.plugin import Occasion, OptionError

_PLACEHOLDERS = ("{instance}", "{worker_id}")


def check_owner(owner: str | None, *, star: bool) -> None:
    """Raise OptionError for what is no owner; ``star``: whether ``*`` may stand in it."""
    if owner is None:
        return
    bare = owner
    for placeholder in _PLACEHOLDERS:
        bare = bare.replace(placeholder, "")
    if "{" in bare or "}" in bare:
        raise OptionError("owner", "has an unknown placeholder: {instance} and {worker_id} are all there are")
    if "*" in owner and not star:
        raise OptionError("owner", "has a *: a statement compares whole values")
    if not owner.replace("*", ""):
        raise OptionError("owner", "would be anybody: write what the worker's locks begin with, such as {instance}:*")


def owners(owner: str, occasion: Occasion) -> tuple[str, ...]:
    """Return the owner for each instance; once where it names none."""
    text = owner.replace("{worker_id}", occasion.worker_id)
    if "{instance}" not in text:
        return (text,)
    return tuple(text.replace("{instance}", instance) for instance in occasion.instances)


def owns(owner: str, occasion: Occasion, value: str) -> bool:
    """Return whether the value of a lock is that of an instance of the worker."""
    return any(_pattern(one).fullmatch(value) for one in owners(owner, occasion))


def _pattern(owner: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, owner.split("*"))), re.DOTALL)
