"""What the configuration on the disk says: joined with the workers of the API, rendered and verified; not applied."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from crewd import apply
from crewd.apply.admitting import admit
from crewd.doctor.facts import Configuration
from crewd.errors import ConfigError, CrewdError
from crewd.model.home import Home
from crewd.model.spec import SQLITE, CrewSpec


def rehearse(source: str, home: Home) -> Configuration:
    """Return what an apply would come to."""
    try:
        loaded, surroundings = apply.load_here(source, home)
        admitted = admit(loaded, surroundings, home, apply.kept_offers(home))
        outcome = apply.check(admitted.spec, admitted.surroundings, home, source)
    except ConfigError as mistakes:
        return Configuration(source, mistakes=mistakes.problems)
    except (CrewdError, OSError) as cause:
        return Configuration(source, failure=str(cause))
    plan = outcome.plan
    changes = {
        "added": plan.added,
        "removed": plan.removed,
        "restarted": plan.restarted,
        "changed in place": plan.changed,
    }
    return Configuration(
        source,
        doubts=loaded.warnings,
        spec=admitted.spec,
        rendering=outcome.name,
        changes={what: tuple(names) for what, names in changes.items()},
        rulings=admitted.rulings,
    )


def secrets_of(source: str, spec: CrewSpec | None) -> Iterator[str]:
    """Yield the files that hold secrets, as far as the configuration tells."""
    if spec is None:
        return
    if spec.daemon.database != SQLITE and urlsplit(spec.daemon.database).password:
        yield source
    for worker in spec.workers.values():
        if worker.environment_file is not None:
            yield worker.environment_file.removeprefix("-")


def keys_of(spec: CrewSpec | None) -> Iterator[str]:
    """Yield the files with keys and certificates, which the daemon reads itself."""
    if spec is None:
        return
    if (tls := spec.daemon.tls) is not None:
        yield from (path for path in (tls.certificate, tls.key, tls.client_ca) if path is not None)
    yield from (key.secret_file for key in spec.daemon.hmac_keys.values())


def logs_of(spec: CrewSpec | None) -> Iterator[str]:
    """Yield the directories that workers' output goes to, where that is not crewd's own."""
    for worker in spec.workers.values() if spec is not None else ():
        for log in (worker.stdout, worker.stderr):
            if log.path.startswith("/"):
                yield str(Path(log.path).parent)
