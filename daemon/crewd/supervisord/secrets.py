"""What is secret in a configuration, masked: for what is shown, never for what is used.

Secret is every value from an ``environment_file``, every variable whose name says so, and a listener's environment.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from crewd.model.spec import CrewSpec
from crewd.supervisord.surroundings import Surroundings

MASK = "***"
_TELLING = re.compile(r"PASS|SECRET|TOKEN|CREDENTIAL|PRIVATE|AUTH|(^|_)(KEY|DSN|PWD)($|_)", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(://[^/:@\s]*:)[^/@\s]+(?=@)")


def masked(spec: CrewSpec, surroundings: Surroundings) -> tuple[CrewSpec, Surroundings]:
    """Return both with their secrets masked."""
    workers = {
        name: replace(worker, environment=_masked_variables(worker.environment))
        for name, worker in spec.workers.items()
    }
    listeners = {
        name: {key: MASK if key == "environment" else value for key, value in options.items()}
        for name, options in spec.engine.eventlisteners.items()
    }
    files = {name: dict.fromkeys(content, MASK) for name, content in surroundings.environment_files.items()}
    engine = replace(spec.engine, eventlisteners=listeners)
    return replace(spec, workers=workers, engine=engine), replace(surroundings, environment_files=files)


def _masked_variables(variables: Mapping[str, str]) -> dict[str, str]:
    return {
        name: MASK if _TELLING.search(name) else _URL_PASSWORD.sub(rf"\1{MASK}", value)
        for name, value in variables.items()
    }
