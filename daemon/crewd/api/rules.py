"""What the configuration in force says of who may come in, made out: names are numbers, secrets are read.

Rules:

1. Made in a thread, when the configuration changes; while requests are judged nothing is asked of files or accounts.
2. A key whose secret cannot be read now lets nobody in, and that is logged; all else holds.
"""

import asyncio
import grp
import ipaddress
import pwd
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from crewd.model.access import HmacKey, Role
from crewd.model.spec import CrewSpec, WorkerSpec
from crewd.policy.provenance import Network

_log: Any = structlog.get_logger("crewd")

Secret = Callable[[str], bytes]
"""Reads a secret from its file; raises ValueError."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key that requests are signed with."""

    secret: bytes = field(repr=False)
    role: Role
    workers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """All of it."""

    hosts: frozenset[str] = frozenset()
    groups: Mapping[int, Role] = field(default_factory=dict[int, Role])
    certificates: Mapping[str, Role] = field(default_factory=dict[str, Role])
    keys: Mapping[str, Key] = field(default_factory=dict[str, Key])
    proxies: tuple[Network, ...] = ()
    users: Mapping[int, frozenset[str]] = field(default_factory=dict[int, frozenset[str]])
    """The workers that are configured to run as somebody else, by uid."""

    @property
    def for_others(self) -> bool:
        """Whether others than root and the daemon's own user have something to ask over the Unix socket."""
        return bool(self.groups or self.users)


class Rulebook:
    """The rules of now. ``configured`` returns what is in force: the same object as long as it is the same."""

    def __init__(self, configured: Callable[[], CrewSpec], secret: Secret) -> None:
        self._configured = configured
        self._secret = secret
        self._of: CrewSpec | None = None
        self._rules = Rules()
        self._making = asyncio.Lock()

    async def now(self) -> Rules:
        """Return them."""
        if self._configured() is self._of:
            return self._rules
        async with self._making:
            spec = self._configured()
            if spec is not self._of:
                self._rules = await asyncio.to_thread(made_out, spec, self._secret)
                self._of = spec
            return self._rules


def made_out(spec: CrewSpec, secret: Secret) -> Rules:
    """Return the rules of a configuration; blocking."""
    daemon = spec.daemon
    groups = {gid: role for name, role in daemon.roles.groups.items() if (gid := _gid(name)) is not None}
    keys = {name: made for name, key in daemon.hmac_keys.items() if (made := _key(name, key, secret)) is not None}
    return Rules(
        frozenset(host.lower() for host in daemon.allowed_hosts),
        groups,
        dict(daemon.roles.certificates),
        keys,
        tuple(ipaddress.ip_network(network) for network in daemon.trusted_proxies),
        _users(spec.workers.values()),
    )


def _key(name: str, key: HmacKey, secret: Secret) -> Key | None:
    try:
        return Key(secret(key.secret_file), key.role, key.workers)
    except ValueError as why:
        _log.error("cannot use an HMAC key", key=name, file=key.secret_file, why=str(why))
        return None


def _gid(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        _log.error("cannot give a group its role: there is no such group any more", group=name)
        return None


def _users(workers: Any) -> dict[int, frozenset[str]]:
    found: dict[int, set[str]] = {}
    worker: WorkerSpec
    for worker in workers:
        if worker.user is None:
            continue
        try:
            found.setdefault(pwd.getpwnam(worker.user).pw_uid, set()).add(worker.worker_id)
        except KeyError:
            pass  # the start of that worker says it
    return {uid: frozenset(ids) for uid, ids in found.items()}
