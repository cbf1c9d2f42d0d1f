"""``crewctl export``: workers made over the API, as YAML for ``conf.d``, where they behave the same."""

from collections.abc import Iterator
from typing import Any

import click

from crewd.ctl.command import Showing, complain, output_option
from crewd.ctl.configs import everything
from crewd.ctl.documents import Document, written
from crewd.ctl.exits import EXIT_FAILED, EXIT_UNKNOWN
from crewd.wording import plain

MASK = "***"


@click.command(
    cls=Showing,
    examples=("crewctl export > /etc/crewd/conf.d/from-the-api.yaml", "crewctl export mail --masked"),
    statuses={EXIT_FAILED: "It failed, or there are variables whose values are not shown to you."},
)
@click.argument("workers", metavar="[WORKER]...", nargs=-1)
@click.option("--masked", is_flag=True, help=f"Print {MASK} for values of variables that you are not shown.")
@output_option
@click.pass_context
def export(ctx: click.Context, workers: tuple[str, ...], *, masked: bool, output: str) -> None:
    """Print workers made over the API as YAML.

    All of them are printed, or those that are named. In a file of conf.d they shadow those that they came from, and
    behave the same. The values of variables are shown to an admin alone: for anybody else this fails where there
    are any, unless --masked is said.
    """
    found = {one["worker_id"]: one for one in everything(ctx.obj, "api")}
    if unknown := [name for name in workers if name not in found]:
        click.echo(f"cannot find {', '.join(map(plain, unknown))}: no worker made over the API", err=True)
        ctx.exit(EXIT_UNKNOWN)
    chosen = [found[name] for name in dict.fromkeys(workers)] if workers else list(found.values())
    whole = [one for one in chosen if one["command"]]
    if not masked:
        _refuse_masked(ctx, whole)
    if output == "json":
        ctx.obj.show_json({"workers": {one["worker_id"]: exported(one) for one in whole}})
    else:
        ctx.obj.show(_lines(whole))
    for one in chosen:
        if not one["command"]:
            complain(f"{plain(one['worker_id'])} is left out: it has no command")


def _refuse_masked(ctx: click.Context, chosen: list[Any]) -> None:
    """End where a file made of these would set variables to the mask."""
    names = [one["worker_id"] for one in chosen if MASK in (one["configuration"].get("environment") or {}).values()]
    if names:
        who = "their values are shown to the role admin alone"
        complain(
            f"cannot export the variables of {', '.join(map(plain, names))}: {who}; --masked prints {MASK} instead"
        )
        ctx.exit(EXIT_FAILED)


def _lines(whole: list[Any]) -> Iterator[str]:
    yield "workers:" if whole else "workers: {}"
    for one in whole:
        yield f"  {one['worker_id']}:"
        yield from written(exported(one), "    ")


def exported(one: Any) -> Document:
    """Return what stands in the file: what was written, and what came from ``crewd.api_workers`` and ``defaults``."""
    document: Document = dict(one["configuration"])
    for key in ("command", "user"):
        if one[key] is not None:
            document.setdefault(key, one[key])
    return document
