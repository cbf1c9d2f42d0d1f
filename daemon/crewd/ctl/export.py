"""``crewctl export``: workers made over the API, as YAML for ``conf.d``, where they behave the same."""

from collections.abc import Iterator
from typing import Any

import click

from crewd.ctl.command import Showing, complain, output_option
from crewd.ctl.configs import everything
from crewd.ctl.documents import Document, written
from crewd.ctl.exits import EXIT_UNKNOWN
from crewd.wording import plain

MASK = "***"


@click.command(cls=Showing)
@click.argument("workers", metavar="[WORKER]...", nargs=-1)
@output_option
@click.pass_context
def export(ctx: click.Context, workers: tuple[str, ...], output: str) -> None:
    """Print workers made over the API as YAML, all or those that are named.

    In a file of conf.d they shadow those that they came from, and behave the same.
    """
    found = {one["worker_id"]: one for one in everything(ctx.obj, "api")}
    if unknown := [name for name in workers if name not in found]:
        click.echo(f"cannot find {', '.join(map(plain, unknown))}: no worker made over the API", err=True)
        ctx.exit(EXIT_UNKNOWN)
    chosen = [found[name] for name in dict.fromkeys(workers)] if workers else list(found.values())
    if output == "json":
        ctx.obj.show_json({"workers": {one["worker_id"]: exported(one) for one in chosen if one["command"]}})
    else:
        ctx.obj.show(_lines(chosen))
    for one in chosen:
        if not one["command"]:
            complain(f"{plain(one['worker_id'])} is left out: it has no command")
        if MASK in (one["configuration"].get("environment") or {}).values():
            complain(f"the variables of {plain(one['worker_id'])} are masked: only an admin is shown them")


def _lines(chosen: list[Any]) -> Iterator[str]:
    yield "workers:" if any(one["command"] for one in chosen) else "workers: {}"
    for one in chosen:
        if one["command"]:
            yield f"  {one['worker_id']}:"
            yield from written(exported(one), "    ")


def exported(one: Any) -> Document:
    """Return what stands in the file: what was written, and what came from ``crewd.api_workers`` and ``defaults``."""
    document: Document = dict(one["configuration"])
    for key in ("command", "user"):
        if one[key] is not None:
            document.setdefault(key, one[key])
    return document
