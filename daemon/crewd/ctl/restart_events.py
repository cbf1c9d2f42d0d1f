"""``crewctl restart-events``: the manual restarts with a reset, as they are stored."""

import click

from crewd.ctl import completing
from crewd.ctl.command import Showing, complain, output_option
from crewd.ctl.crew_table import seconds
from crewd.ctl.paging import newest, newest_options, show_json, show_table, span, wanted
from crewd.ctl.session import Session
from crewd.ctl.suggestions import near
from crewd.wording import Members, duration, moment, plain

PATH = "/restart-events"
HEAD = ("AT", "WORKER", "RESULT", "TOOK", "BY", "REASON")
NOTHING = "-"


@click.command(
    "restart-events", cls=Showing, examples=("crewctl restart-events", "crewctl restart-events ingest --since 7d")
)
@click.argument("names", metavar="[WORKER]...", nargs=-1, shell_complete=completing.names)
@newest_options
@output_option
@click.pass_obj
def restart_events(
    session: Session, *, names: tuple[str, ...], count: int | None, since: str | None, until: str | None, output: str
) -> None:
    """Show the manual restarts with a reset, the newest last.

    They are those of `crewctl reset` and of the API: when, by whom, and what came of it. Restarts that crewd makes by
    itself are shown by `crewctl events`.
    """
    query = [*(("worker", name) for name in names), *span(since, until)]
    found, _ = newest(session.client, PATH, query, "restart_events", wanted(count, since))
    if output == "json":
        show_json(session, found)
    elif found:
        show_table(session, HEAD, found, _row, well=lambda one: one["success"])
    else:
        complain("there is no such restart" + _suggestion(session, names))


def _suggestion(session: Session, names: tuple[str, ...]) -> str:
    """Return what may have been meant by names that no worker has now: they may be misspelt, or of the past."""
    known = [worker["worker_id"] for worker in session.client.get("/workers")["workers"]] if names else []
    found = near((name for name in names if name not in known), known)
    return f"; did you mean {' or '.join(map(plain, found))}?" if found else ""


def _row(one: Members) -> tuple[str, ...]:
    at = None if one["at"] is None else seconds(one["at"])
    claimed = f" (says: {one['user']})" if one["user"] else ""
    took = duration(round(one["duration"] / 1000, 3))
    return (moment(at), one["worker_id"], _result(one["summary"]), took, one["by"] + claimed, one["reason"] or NOTHING)


def _result(summary: Members) -> str:
    total, failed = summary["total_actions"], summary["failed_actions"]
    return f"{failed} of {total} failed" if failed else f"{total} done"
