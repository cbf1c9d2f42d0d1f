"""``crewctl health``: whether workers are as they are to be, and why not."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from crewd.ctl import exits
from crewd.ctl.client import segment
from crewd.ctl.command import Showing, complain, output_option
from crewd.ctl.health_lines import lines
from crewd.ctl.selection import Selection, selecting

if TYPE_CHECKING:
    from crewd.ctl.session import Session


@click.command(
    cls=Showing,
    examples=("crewctl health", "crewctl health web mail-0", "crewctl health --failed -o json"),
    statuses={
        exits.EXIT_DONE: "All of them are healthy.",
        exits.EXIT_NOT_RUNNING: "One of them is not healthy.",
        exits.EXIT_UNKNOWN: "Nobody can tell: a name is unknown, or crewd or supervisord cannot be reached.",
    },
)
@selecting
@output_option
@click.pass_context
def health(ctx: click.Context, names: tuple[str, ...], output: str, *, failed: bool, everything: bool) -> None:
    """Tell whether workers are healthy, and why not.

    A worker is healthy where each of its instances runs, or has done what it was there for, and owes no heartbeat. All
    of the crew is looked at, or what is named. SEL is a worker, an instance, worker:*, label=value, or * for all.
    """
    session: Session = ctx.obj
    selection = Selection.of(names, failed=failed, everything=everything)
    crew = selection.ask(session.client)["workers"]
    answers = [session.client.get(f"/workers/{segment(name)}/health") for name in _meant(crew, selection)]
    if output == "json":
        session.show_json(answers)
    elif answers:
        session.show(lines(answers, session.screen))
    else:
        complain("nothing has failed" if failed else "there are no workers")
    ctx.exit(exits.of_health(answers))


def _meant(crew: Sequence[Any], selection: Selection) -> Iterator[str]:
    """Give the names to ask for: workers, and instances where these were named themselves."""
    for worker in crew:
        instances = [one["instance"] for one in worker["instances"]]
        if selection.failed or set(instances) <= set(selection.names):
            yield from instances
        else:
            yield worker["worker_id"]
