"""``crewctl worker-logs``: what happened to workers, and what they had written down, in one list."""

import click

from crewd.ctl import completing
from crewd.ctl.command import Showing, complain, output_option
from crewd.ctl.paging import newest, newest_options, show_json, span, wanted
from crewd.ctl.session import Session
from crewd.ctl.story import entry
from crewd.model.report import Level, LogKind

PATH = "/worker-logs"


@click.command(
    "worker-logs",
    cls=Showing,
    examples=("crewctl worker-logs web --level error --since 1h", "crewctl worker-logs --kind task -n 100 -o json"),
)
@click.argument("names", metavar="[SEL]...", nargs=-1, shell_complete=completing.names)
@newest_options
@click.option(
    "--level",
    "levels",
    type=click.Choice([*map(str, Level)]),
    multiple=True,
    help="Show this level alone; may be said several times.",
)
@click.option(
    "--kind",
    "kinds",
    type=click.Choice([*map(str, LogKind)]),
    multiple=True,
    help="Show this kind alone: lifecycle is crewd's own, task and error are the workers'.",
)
@output_option
@click.pass_obj
def worker_logs(
    session: Session,
    *,
    names: tuple[str, ...],
    count: int | None,
    since: str | None,
    until: str | None,
    levels: tuple[str, ...],
    kinds: tuple[str, ...],
    output: str,
) -> None:
    """Show what happened to workers and what they wrote down.

    The newest comes last. That of all of the crew is shown, or of what is named. What workers write to their
    standard output is shown by `crewctl logs`. SEL is a worker, an instance, worker:*, label=value, or * for all.
    """
    query = [*(("instance", name) for name in names if name != "*"), *span(since, until)]
    query += [*(("level", word) for word in levels), *(("kind", word) for word in kinds)]
    found, _ = newest(session.client, PATH, query, "entries", wanted(count, since))
    if output == "json":
        show_json(session, found)
    elif found:
        session.show(entry(one, session.screen) for one in found)
    else:
        complain("there is no such entry")
