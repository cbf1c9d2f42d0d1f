"""``crewctl stats``: all workers together, in figures."""

from typing import TYPE_CHECKING

import click

from crewd.ctl import exits
from crewd.ctl.command import Showing, output_option
from crewd.ctl.stats_lines import lines

if TYPE_CHECKING:
    from crewd.ctl.session import Session


@click.command(cls=Showing)
@output_option
@click.pass_context
def stats(ctx: click.Context, output: str) -> None:
    """Show figures of all workers together.

    How many there are of each status, restarts, errors, what they use, and what they report of themselves. The exit
    status is 0, or 4 where this is the last that is known and not how it is now.
    """
    session: Session = ctx.obj
    answer = session.client.get("/workers/stats/overview")
    if output == "json":
        session.show_json(answer)
    else:
        session.show(map(session.screen.fit, lines(answer)))
    ctx.exit(exits.EXIT_UNKNOWN if answer["stale"] else exits.EXIT_DONE)
