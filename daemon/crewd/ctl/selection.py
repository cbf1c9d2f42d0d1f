"""Which workers and instances are meant: SEL is a worker, an instance, ``worker:*``, ``label=value``; ``*`` is all."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from crewd.ctl import completing
from crewd.ctl.client import Client, Query
from crewd.wording import Members

F = TypeVar("F", bound=Callable[..., Any])
EVERYTHING = "*"
FAILED = frozenset({"crashed", "error"})
"""The statuses that ``--failed`` means."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What was named on the command line."""

    names: tuple[str, ...]
    failed: bool = False
    """Of these, only what has failed."""

    @classmethod
    def of(cls, names: tuple[str, ...], *, failed: bool, everything: bool) -> "Selection":
        """Return what is meant; no names mean everything. Both names and ``--all`` are a contradiction."""
        if names and everything:
            raise click.UsageError("Name workers, or say --all: not both.")
        return cls(() if EVERYTHING in names else names, failed)

    @classmethod
    def required(cls, names: tuple[str, ...], *, failed: bool, everything: bool) -> "Selection":
        """Return what is meant, where everything has to be said."""
        if not (names or failed or everything):
            raise click.UsageError("Name workers or instances, or say --failed or --all.")
        return cls.of(names, failed=failed, everything=everything)

    @property
    def everything(self) -> bool:
        """Whether all of the crew is meant."""
        return not self.names and not self.failed

    def ask(self, client: Client, more: Query = ()) -> dict[str, Any]:
        """Return the daemon's answer on the named workers, with what has failed alone where that is meant."""
        answer = client.get("/workers", [*(("worker", name) for name in self.names), *more])
        return {**answer, "workers": only_failed(answer["workers"])} if self.failed else answer

    def instances(self, client: Client) -> list[str]:
        """Return the names of all instances that are meant."""
        return [one["instance"] for worker in self.ask(client)["workers"] for one in worker["instances"]]


def has_failed(instance: Members) -> bool:
    """Return whether ``--failed`` means this one."""
    return instance["status"] in FAILED


def only_failed(workers: Iterable[Members]) -> list[Members]:
    """Return the workers that have failed instances, with these alone."""
    found: list[Members] = []
    for worker in workers:
        instances: list[Members] = worker["instances"]
        if failed := [one for one in instances if has_failed(one)]:
            found.append({**worker, "instances": failed})
    return found


def selecting(function: F) -> F:
    """Add ``SEL…``, ``--failed`` and ``--all``."""
    named = click.argument("names", metavar="[SEL]...", nargs=-1, shell_complete=completing.names)
    failed = click.option("--failed", is_flag=True, help="Take those alone that have crashed or were given up.")
    everything = click.option("--all", "everything", is_flag=True, help="Take all of the crew.")
    return named(failed(everything(function)))
