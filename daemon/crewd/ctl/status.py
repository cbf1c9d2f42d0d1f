"""``crewctl status``: the crew in a table."""

import time

import click

from crewd.ctl import exits
from crewd.ctl.command import Showing, output_option
from crewd.ctl.crew_table import table
from crewd.ctl.headlines import headlines
from crewd.ctl.selection import Selection, only_failed, selecting
from crewd.ctl.session import Session
from crewd.wording import Members


@click.command(
    cls=Showing,
    examples=("crewctl status", "crewctl status --failed", "crewctl status web tier=front", "crewctl status -o json"),
    statuses={
        exits.EXIT_DONE: "All of them run.",
        exits.EXIT_NOT_RUNNING: "One of them does not run.",
        exits.EXIT_UNKNOWN: "Nobody can tell: a name is unknown, or crewd or supervisord cannot be reached.",
    },
)
@selecting
@output_option
@click.pass_context
def status(ctx: click.Context, names: tuple[str, ...], output: str, *, failed: bool, everything: bool) -> None:
    """Show how the crew is, a line for each instance.

    All of it is shown, or what is named. SEL is a worker, an instance, worker:*, label=value, or * for all.
    """
    session: Session = ctx.obj
    selection = Selection.of(names, failed=failed, everything=everything)
    answer = Selection(selection.names).ask(session.client)
    workers = only_failed(answer["workers"]) if failed else answer["workers"]
    instances = [one for worker in workers for one in worker["instances"]]
    if output == "json":
        session.show_json({**answer, "workers": workers})
    else:
        session.show([*headlines(answer, session.screen), *_listed(instances, session)])
    ctx.exit(exits.of_status(instances, stale=answer["stale"]))


def _listed(instances: list[Members], session: Session) -> list[str]:
    return ["", *table(instances, time.time(), session.screen)] if instances else []
