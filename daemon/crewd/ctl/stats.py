"""``crewctl stats``: all workers together, in figures."""

from typing import TYPE_CHECKING

import click

from crewd.ctl import exits
from crewd.ctl.command import Showing, output_option
from crewd.ctl.stats_lines import lines

if TYPE_CHECKING:
    from crewd.ctl.session import Session


@click.command(
    cls=Showing,
    examples=("crewctl stats", "crewctl stats -o json"),
    statuses={exits.EXIT_UNKNOWN: "This is the last that is known, or the daemon cannot be reached."},
)
@output_option
@click.pass_context
def stats(ctx: click.Context, output: str) -> None:
    """Show figures of all workers together.

    How many there are of each status, how often they were restarted and failed, what they use, and what they report of
    themselves. What nobody knows is left out.
    """
    session: Session = ctx.obj
    answer = session.client.get("/workers/stats/overview")
    if output == "json":
        session.show_json(answer)
    else:
        session.show(map(session.screen.fit, lines(answer)))
    ctx.exit(exits.EXIT_UNKNOWN if answer["stale"] else exits.EXIT_DONE)
