"""``crewctl reset``: a manual restart with a reset. What a worker holds is cleared, then it is restarted."""

from typing import TYPE_CHECKING

import click

from crewd.ctl.client import Request, segment
from crewd.ctl.command import Doing, complain, output_option
from crewd.ctl.exits import EXIT_FAILED
from crewd.ctl.failures import refused
from crewd.ctl.reset_table import closing, table
from crewd.ctl.waiting import Waiting, waiting_options

if TYPE_CHECKING:
    from crewd.ctl.session import Session

RESET_SEC = 700.0
"""How long it may take: the longest deadline that an entry may have, and one more in the queue before it."""
INCOMPLETE = 502
"""The status of a reset of which an action failed: its answer is whole all the same."""


@click.command(cls=Doing, examples=("crewctl reset ingest --reason 'the scan lock hangs'",))
@click.argument("worker")
@click.option("--reason", metavar="TEXT", help="Say why; it is kept with the restart.")
@waiting_options
@output_option
@click.pass_context
def reset(ctx: click.Context, worker: str, reason: str | None, output: str, waiting: Waiting | None) -> None:
    """Clear what WORKER holds, then restart it.

    What is cleared are the locks, rate limits and whatever else its `reset` in the configuration names.
    """
    session: Session = ctx.obj
    request = Request(
        f"/workers/{segment(worker)}/reset",
        [("wait", waiting.text)] if waiting else (),
        "POST",
        {"reason": reason} if reason is not None else {},
        timeout_sec=RESET_SEC + (waiting.sec if waiting else 0.0),
    )
    answer = session.client.members(request, also=(INCOMPLETE,))
    if "actions" not in answer:
        raise refused(INCOMPLETE, answer)
    if output == "json":
        session.show_json(answer)
    else:
        session.show(table(answer["actions"], session.screen))
        complain(closing(answer))
    late = any("late" in one for one in answer["actions"])
    ctx.exit(0 if answer["success"] and not late else EXIT_FAILED)
