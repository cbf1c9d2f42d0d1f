"""What may stand where names do, asked of the daemon while somebody types.

Rules:

1. It is quick or it is nothing: no longer than PATIENCE_SEC is waited for any part of the answer.
2. It is silent: whatever goes wrong, there are no suggestions, and that is all.
3. Only names that mean nothing to a shell or a terminal are suggested.
"""

import os
import re
from collections.abc import Iterator
from typing import Any

import click
from click.shell_completion import CompletionItem

from crewd.wording import Members

PATIENCE_SEC = 0.1
_HARMLESS = re.compile(r"[\w.@%+:=/-]+", re.ASCII)
ADDRESS = ("socket", "host", "token_file", "ca", "cert", "key")


def names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    """Suggest workers, labels, and instances where there are several of a worker or one is begun."""
    already: Any = ctx.params.get("names") or ()
    found = dict.fromkeys(_names(workers(ctx), incomplete))
    return [CompletionItem(name) for name in found if name.startswith(incomplete) and name not in already]


def types(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    """Suggest types of the journal."""
    from typing import get_args  # noqa: PLC0415 - for this alone

    from crewd.model.facts import Fact  # noqa: PLC0415 - as above
    from crewd.model.journal_line import type_word  # noqa: PLC0415 - as above

    return [CompletionItem(word) for word in map(type_word, get_args(Fact)) if word.startswith(incomplete)]


def _names(crew: list[Members], incomplete: str) -> Iterator[str]:
    """Give all that may be meant, whole crews of instances left out until their worker is typed."""
    yield from (worker["worker_id"] for worker in crew)
    labels = {f"{key}={value}" for worker in crew for key, value in worker["labels"].items()}
    yield from sorted(label for label in labels if _HARMLESS.fullmatch(label))
    for worker in crew:
        if incomplete.startswith(worker["worker_id"]):
            yield from (one["instance"] for one in worker["instances"])


def workers(ctx: click.Context) -> list[Members]:
    """Return the crew; empty where it is not to be had at once."""
    from crewd.ctl.address import Address, way  # noqa: PLC0415 - `crewctl --version` is quick
    from crewd.ctl.client import Client, Request  # noqa: PLC0415 - as above

    try:
        said = {name: ctx.find_root().params.get(name) for name in ADDRESS}
        client = Client(way(Address(**said), os.environ))
        return client.answer(Request("/workers", timeout_sec=PATIENCE_SEC))["workers"]
    except Exception:  # noqa: BLE001 - nobody who types wants to read of it
        return []
