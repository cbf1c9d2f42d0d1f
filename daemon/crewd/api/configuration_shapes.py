"""CONFIGURATION: what is configured of one worker, of the file or made over the API, as JSON.

Rules:

1. Of a clash there are two: the file's, which is in force, and the API's, which is ``shadowed``.
2. What a document holds of variables is shown to those alone who may write it: they may be secrets.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from crewd.api.envelope import iso
from crewd.api.ports import Ports
from crewd.model.access import Role
from crewd.model.offer import Fate, Offer, Ruling
from crewd.model.spec import RestartMode, WorkerSpec
from crewd.reconcile.configurations import Configuration
from crewd.reconcile.wanted import Place, Wanted

MASK = "***"
LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Shown:
    """One entry of the list: of the file, or made over the API."""

    worker_id: str
    stored: Configuration | None = None
    place: Place | None = None

    @property
    def key(self) -> tuple[str, bool]:
        """The order of the list: by name, the file's first."""
        return self.worker_id, self.stored is not None


class ConfigurationShapes:
    """The shapes of all of them."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def all(self) -> list[Shown]:
        """Return all, by name."""
        stored = await self._ports.configurations.all()
        found = [Shown(one.worker_id, one) for one in stored]
        found += [Shown(worker_id, place=place) for worker_id, place in self._wanted.places.items()]
        return sorted(found, key=lambda one: one.key)

    @property
    def _wanted(self) -> Wanted:
        return self._ports.view.supervision.wanted

    def shape(self, shown: Shown, role: Role | None) -> dict[str, Any]:
        """Return CONFIGURATION, as far as whoever has this role may see it."""
        return self._of_api(shown.stored, role) if shown.stored is not None else self._of_file(shown)

    def state(self, shown: Shown) -> tuple[bool, Fate | None]:
        """Return whether it is in force, and what was ruled on it."""
        if shown.stored is None:
            return self._ports.view.worker(shown.worker_id) is not None, None
        ruling = self._ruling(shown.stored)
        return ruling is not None and ruling.fate is Fate.IN_FORCE, None if ruling is None else ruling.fate

    def spec(self, shown: Shown) -> WorkerSpec | None:
        """Return what it comes to, defaults filled in; None where that is not known."""
        if shown.stored is None or self.state(shown)[0]:
            return self._ports.view.worker(shown.worker_id)
        offer = Offer(shown.worker_id, shown.stored.document)
        return self._wanted.join((offer,)).get(shown.worker_id)

    def _ruling(self, stored: Configuration) -> Ruling | None:
        """Return what was ruled on it as it is stored; None where that was not put in force yet."""
        offer = self._wanted.offers.get(stored.worker_id)
        if offer is None or offer.document != stored.document:
            return None
        return self._wanted.rulings.get(stored.worker_id)

    def _of_file(self, shown: Shown) -> dict[str, Any]:
        in_force, _ = self.state(shown)
        return {
            "worker_id": shown.worker_id,
            "source": "file",
            "revision": None,
            **_effective(self.spec(shown)),
            "in_force": in_force,
            "shadowed": False,
            "problems": [],
            "file": _place(shown.place),
            "created_at": None,
            "created_by": None,
            "updated_at": None,
            "updated_by": None,
            "configuration": None,
        }

    def _of_api(self, stored: Configuration, role: Role | None) -> dict[str, Any]:
        shown = Shown(stored.worker_id, stored)
        in_force, fate = self.state(shown)
        ruling = self._ruling(stored)
        document: dict[str, Any] = json.loads(stored.document)
        return {
            "worker_id": stored.worker_id,
            "source": "api",
            "revision": stored.revision,
            **_effective(self.spec(shown)),
            "in_force": in_force,
            "shadowed": fate is Fate.SHADOWED,
            "problems": _problems(ruling),
            "file": _place(self._wanted.places.get(stored.worker_id)),
            "created_at": iso(stored.created_at),
            "created_by": stored.created_by,
            "updated_at": iso(stored.updated_at),
            "updated_by": stored.updated_by,
            "configuration": document if role is Role.ADMIN else _masked(document),
        }


def _effective(spec: WorkerSpec | None) -> dict[str, Any]:
    """Return the members that the documents know, and who runs what, as it would be."""
    if spec is None:
        keys = ("name", "deployment_type", "command", "user", "instances", "host", "port", "max_accounts", "labels")
        rest = ("essential", "auto_start", "auto_restart", "max_restart_attempts", "restart_delay_ms")
        return dict.fromkeys((*keys, *rest))
    policy = spec.policy
    counted = policy.start_limit_burst > 0 and policy.start_limit_interval_sec > 0
    return {
        "name": spec.name,
        "deployment_type": LOCAL,
        "command": list(spec.command) or None,
        "user": spec.user,
        "instances": spec.instances,
        "host": spec.host,
        "port": spec.port,
        "max_accounts": spec.max_accounts,
        "labels": dict(spec.labels),
        "essential": spec.essential,
        "auto_start": spec.autostart,
        "auto_restart": policy.restart is not RestartMode.NO,
        "max_restart_attempts": policy.start_limit_burst - 1 if counted else None,
        "restart_delay_ms": round(policy.restart_sec * 1000),
    }


def _problems(ruling: Ruling | None) -> list[dict[str, str]]:
    if ruling is None:
        return [{"field": "document", "message": "is not in force yet: the next apply takes it over"}]
    if ruling.fate is Fate.SHADOWED:
        return [{"field": "worker_id", "message": f"{ruling.file}:{ruling.line} has a worker of that name"}]
    if ruling.fate is Fate.WITHOUT_COMMAND:
        return [{"field": "command", "message": "there is none, neither here nor in defaults.local of the file"}]
    return [{"field": one.field, "message": one.message} for one in ruling.complaints]


def _place(place: Place | None) -> dict[str, Any] | None:
    return None if place is None else {"path": place.file, "line": place.line}


def _masked(document: Mapping[str, Any]) -> dict[str, Any]:
    variables = document.get("environment")
    if not isinstance(variables, dict):
        return dict(document)
    return {**document, "environment": dict.fromkeys(cast("dict[str, Any]", variables), MASK)}
