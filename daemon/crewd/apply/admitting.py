"""Which of the workers made over the API join the crew of the file: ruled on one by one.

Rules:

1. Whatever is wrong with one concerns that one: it is left out, and the ruling says why. The others go on.
2. The file goes first: a worker of its name shadows one made over the API.
3. What the daemon says of a worker counts for nothing here: all of it is read, judged and looked up again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from crewd.config import Loaded
from crewd.config.accounts import Self
from crewd.config.admission import Admission
from crewd.config.checks import check_worker
from crewd.config.loading import place_of
from crewd.config.offered import complaints, read_offered
from crewd.config.taken import Taken
from crewd.config.worker import Worker
from crewd.errors import ConfigError
from crewd.model.home import Home
from crewd.model.offer import Complaint, Fate, Offer, Ruling
from crewd.model.spec import CrewSpec, WorkerSpec
from crewd.supervisord.escape import RefusedError
from crewd.supervisord.offered import check_rendering
from crewd.supervisord.surroundings import Identity, Surroundings, gather


@dataclass(frozen=True, slots=True)
class Admitted:
    """The crew of the file and those who joined it, and what was ruled on each."""

    spec: CrewSpec
    surroundings: Surroundings
    rulings: Mapping[str, Ruling]


def admit(loaded: Loaded, surroundings: Surroundings, home: Home, offers: Sequence[Offer]) -> Admitted:
    """Return the whole crew. Whoever calls has read the file; never raises for what an offer says."""
    admitting = _Admitting(loaded, home)
    rulings = {offer.worker_id: admitting.rule(offer) for offer in offers}
    spec = replace(loaded.spec, workers={**loaded.spec.workers, **admitting.joined})
    return Admitted(spec, surroundings.joined(admitting.found), rulings)


class _Admitting:
    """Those who joined by now, and what was found on this machine of them."""

    def __init__(self, loaded: Loaded, home: Home) -> None:
        self.joined: dict[str, WorkerSpec] = {}
        self._identities: dict[str, Identity] = {}
        self._files: dict[str, Mapping[str, str]] = {}
        self._loaded = loaded
        self._home = home
        self._reader = Self.now()
        self._rules = loaded.spec.daemon.api_workers
        self._admission = Admission(self._rules, self._reader)
        self._taken = Taken(loaded.crew)

    @property
    def found(self) -> Surroundings:
        """Accounts and environment files of those who joined."""
        return Surroundings(identities=self._identities, environment_files=self._files)

    def rule(self, offer: Offer) -> Ruling:
        """Return the ruling; a worker that is in force has joined the crew by then."""
        read = read_offered(offer, self._loaded.crew)
        if read.worker is None:
            return Ruling(Fate.REFUSED, complaints(read.report))
        worker, file = read.worker, self._loaded.crew.workers.get(offer.worker_id)
        if worker.spec.command:
            check_worker(worker, self._reader)
        self._admission.judge(worker)
        if wrong := complaints(worker.report):
            return Ruling(Fate.REFUSED, wrong)
        if file is not None:
            return Ruling(Fate.SHADOWED, file=file.place.file, line=file.place.line)
        if not worker.spec.command:
            return Ruling(Fate.WITHOUT_COMMAND)
        return self._join(worker)

    def _join(self, worker: Worker) -> Ruling:
        spec = worker.spec
        alone = CrewSpec({spec.worker_id: spec})
        try:
            own = gather(alone, self._home, lambda _, key: place_of(worker, key), self._rules.roots)
            check_rendering(spec, self._home, own)
        except ConfigError as mistakes:
            return Ruling(Fate.REFUSED, tuple(Complaint(one.path, one.message) for one in mistakes.problems))
        except RefusedError as refused:
            return Ruling(Fate.REFUSED, (Complaint(refused.key, refused.why),))
        if not self._taken.join(worker):
            return Ruling(Fate.REFUSED, complaints(worker.report))
        self.joined[spec.worker_id] = spec
        self._identities.update(own.identities)
        self._files.update(own.environment_files)
        return Ruling(Fate.IN_FORCE)
