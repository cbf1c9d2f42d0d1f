"""Making, changing and removing workers over the API: checked, stored and put in force, or left as it was.

What a change goes through, in words:

- CHECKED: ``crewd-apply --check-only`` has seen the whole set as it would be, and admits the worker.
- STORED: the database has it.
- IN FORCE: an apply that began after that has put it in force. Where it could not, what was stored is taken back.

Rules:

1. One change at a time: the next begins when the one before is in force or undone.
2. Who asked may be gone by then: a change that was begun goes through all the same.
3. A daemon that ends between STORED and IN FORCE puts it in force at its next start: it was checked.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import structlog

from crewd.errors import CrewdError, StoreError
from crewd.model.offer import Complaint, Fate, Offer, Ruling
from crewd.reconcile.configurations import Configuration, Configurations
from crewd.reconcile.offering import offers_of
from crewd.reconcile.port import Applied, ApplyRefused, ApplyResult, Clock, Renderer
from crewd.reconcile.wanted import Place

T = TypeVar("T")
Document = Mapping[str, Any]
_UNSEEN = Ruling(Fate.REFUSED, (Complaint("document", "crewd-apply did not rule on it"),))

_log: Any = structlog.get_logger("crewd")


class NoConfiguration(CrewdError):  # noqa: N818 - an answer
    """There is none of that worker."""

    def __init__(self, worker_id: str) -> None:
        super().__init__(f"cannot find a configuration of {worker_id}: no such worker")


class ConfigurationExists(CrewdError):  # noqa: N818 - an answer
    """There is one already. ``place``: where the file has it."""

    def __init__(self, worker_id: str, place: Place | None = None) -> None:
        self.place = place
        where = "" if place is None else f" in {place.file}:{place.line}"
        super().__init__(f"cannot create {worker_id}: there is a worker of that name{where}")


class OfTheFile(CrewdError):  # noqa: N818 - an answer
    """The file has it: it is changed there."""

    def __init__(self, verb: str, worker_id: str, place: Place) -> None:
        self.place = place
        super().__init__(f"cannot {verb} {worker_id}: it is of the file {place.file}:{place.line}, change it there")


class ChangedMeanwhile(CrewdError):  # noqa: N818 - an answer
    """Somebody else changed it since it was looked at. ``revision``: what it is by now."""

    def __init__(self, verb: str, worker_id: str, revision: int) -> None:
        self.revision = revision
        super().__init__(f"cannot {verb} {worker_id}: it was changed meanwhile, and is revision {revision} now")


class WrongConfiguration(CrewdError):  # noqa: N818 - an answer
    """The document is wrong, or not admitted."""

    def __init__(self, worker_id: str, complaints: Sequence[Complaint]) -> None:
        self.complaints = tuple(complaints)
        first, others = str(next(iter(complaints), "refused")), len(self.complaints) - 1
        super().__init__(f"cannot configure {worker_id}: {first}" + (f" (and {others} more)" if others > 0 else ""))


class NotApplied(CrewdError):  # noqa: N818 - an answer
    """It could not be put in force, and is as it was. ``result``: why."""

    def __init__(self, verb: str, worker_id: str, result: ApplyResult, undone: str) -> None:
        self.problems = result.problems if isinstance(result, ApplyRefused) else ()
        self.of_file = isinstance(result, ApplyRefused)
        why = "the configuration file is wrong" if self.of_file else getattr(result, "message", "it was left out")
        super().__init__(f"cannot {verb} {worker_id}: {why}; {undone}")


@dataclass(frozen=True, slots=True)
class Change:
    """What became of it."""

    configuration: Configuration
    applied: Applied | None
    """None where nothing had to be done."""


@dataclass(slots=True)
class Configuring:
    """Changes configurations.

    ``faults`` reads a document by itself, cheaply; ``superseded`` returns the members that say the same as another;
    ``reload`` applies, and returns what came of it.
    """

    stored: Configurations
    renderer: Renderer
    reload: Callable[[], Awaitable[ApplyResult]]
    faults: Callable[[Offer], Sequence[Complaint]]
    superseded: Callable[[str], frozenset[str]]
    places: Callable[[], Mapping[str, Place]]
    clock: Clock
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set[asyncio.Task[Any]])

    async def create(self, worker_id: str, document: Document, who: str) -> Change:
        """Make a worker. Raises what is above, and StoreError."""
        return await self._whole(self._create(worker_id, document, who))

    async def change(self, worker_id: str, patch: Document, who: str, seen: frozenset[int] | None) -> Change:
        """Merge the patch (RFC 7396) into what is stored. ``seen``: the revisions that may be changed; None: any."""
        return await self._whole(self._change(worker_id, patch, who, seen))

    async def remove(self, worker_id: str, seen: frozenset[int] | None) -> Change:
        """Stop the worker, and forget its configuration."""
        return await self._whole(self._remove(worker_id, seen))

    async def _whole(self, work: Awaitable[T]) -> T:
        """Let it go through also where nobody waits for it any more, one at a time."""

        async def in_turn() -> T:
            async with self._turn:
                return await work

        task = asyncio.create_task(in_turn())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _create(self, worker_id: str, document: Document, who: str) -> Change:
        now = self.clock.time()
        new = Configuration(worker_id, _text(document), 1, now, who, now, who)
        self._read(new)
        before = await self.stored.all()
        if any(one.worker_id == worker_id for one in before):
            raise ConfigurationExists(worker_id)
        if place := self.places().get(worker_id):
            raise ConfigurationExists(worker_id, place)
        ruling = await self._check("create", new, (*before, new))
        if ruling.fate is Fate.SHADOWED:  # by a file that is not in force yet
            raise ConfigurationExists(worker_id, Place(ruling.file, ruling.line))
        if not await self.stored.add(new):
            raise ConfigurationExists(worker_id)
        return Change(new, await self._put("create", new, lambda: self.stored.remove(worker_id, new.revision)))

    async def _change(self, worker_id: str, patch: Document, who: str, seen: frozenset[int] | None) -> Change:
        old = await self._seen("change", worker_id, seen)
        document = _text(merged(json.loads(old.document), patch, self.superseded))
        if document == old.document:
            return Change(old, None)
        new = replace(old, document=document, revision=old.revision + 1, updated_at=self.clock.time(), updated_by=who)
        self._read(new)
        others = [one for one in await self.stored.all() if one.worker_id != worker_id]
        await self._check("change", new, (*others, new))
        if not await self.stored.replace(new, old.revision):
            raise ChangedMeanwhile("change", worker_id, new.revision)
        return Change(new, await self._put("change", new, lambda: self.stored.replace(old, new.revision)))

    async def _remove(self, worker_id: str, seen: frozenset[int] | None) -> Change:
        old = await self._seen("delete", worker_id, seen)
        if not await self.stored.remove(worker_id, old.revision):
            raise ChangedMeanwhile("delete", worker_id, old.revision + 1)
        return Change(old, await self._put("delete", old, lambda: self.stored.add(old), gone=True))

    async def _seen(self, verb: str, worker_id: str, seen: frozenset[int] | None) -> Configuration:
        found = await self.stored.find(worker_id)
        if found is None:
            if place := self.places().get(worker_id):
                raise OfTheFile(verb, worker_id, place)
            raise NoConfiguration(worker_id)
        if seen is not None and found.revision not in seen:
            raise ChangedMeanwhile(verb, worker_id, found.revision)
        return found

    def _read(self, new: Configuration) -> None:
        """Refuse what is wrong in itself: that needs nobody else."""
        if faults := self.faults(Offer(new.worker_id, new.document)):
            raise WrongConfiguration(new.worker_id, faults)

    async def _check(self, verb: str, new: Configuration, proposed: tuple[Configuration, ...]) -> Ruling:
        """Have the whole set looked at as it would be; return the ruling on the new one."""
        ordered = tuple(sorted(proposed, key=lambda one: one.worker_id))
        result = await self.renderer.check(offers_of(ordered))
        if not isinstance(result, Applied):
            raise NotApplied(verb, new.worker_id, result, "nothing was changed")
        ruling = _ruling(result, new)
        if ruling.fate is Fate.REFUSED:
            raise WrongConfiguration(new.worker_id, ruling.complaints)
        return ruling

    async def _put(
        self, verb: str, new: Configuration, undo: Callable[[], Awaitable[bool]], *, gone: bool = False
    ) -> Applied:
        """Put it in force, or take back what was stored."""
        result = await self.reload()
        if isinstance(result, Applied) and (gone or _ruling(result, new).fate is not Fate.REFUSED):
            return result
        raise NotApplied(verb, new.worker_id, result, await self._undone(new.worker_id, undo, result))

    async def _undone(self, worker_id: str, undo: Callable[[], Awaitable[bool]], result: ApplyResult) -> str:
        try:
            done = await undo()
        except StoreError as error:
            done, why = False, str(error)
        else:
            why = "it was changed meanwhile"
        if not done:
            _log.error("cannot take back a configuration", worker=worker_id, why=why)
            return f"and it could not be taken back: {why}"
        if not isinstance(result, ApplyRefused):
            await self.reload()  # it, or the others of that apply, may be in force; so shall be what this one was
        return "nothing was changed"


def _ruling(applied: Applied, new: Configuration) -> Ruling:
    return applied.rulings.get(new.worker_id, _UNSEEN)


def merged(document: Document, patch: Document, superseded: Callable[[str], frozenset[str]]) -> dict[str, Any]:
    """Return the document with the patch in it: RFC 7396, but that a member replaces its other names as well."""
    gone = frozenset(name for key, value in patch.items() if value is not None for name in superseded(key))
    result = {key: value for key, value in document.items() if key not in gone}
    return _merged(result, patch)


def _merged(document: Document, patch: Document) -> dict[str, Any]:
    result = dict(document)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            inner = result.get(key)
            result[key] = _merged(_members(inner), _members(cast("object", value)))
        else:
            result[key] = value
    return result


def _members(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(document: Document) -> str:
    return json.dumps(document, separators=(",", ":"), allow_nan=False)
