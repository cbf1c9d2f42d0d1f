"""``crewctl start``, ``stop``, ``restart``, ``reset-failed``: something is done to what is named."""

from typing import TYPE_CHECKING, Any

import click

from crewd.ctl.acting import Action, act
from crewd.ctl.client import Client
from crewd.ctl.command import Doing, complain, output_option, yes_option
from crewd.ctl.question import make_sure
from crewd.ctl.selection import EVERYTHING, Selection, selecting
from crewd.ctl.waiting import Waiting, waiting_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from crewd.ctl.session import Session


def _acting(verb: str, words: str, *, waits: bool = True, asks: bool = False) -> click.Command:
    """Return the command. ``waits``: there is something to wait for; ``asks``: before everything is meant."""

    def command(
        ctx: click.Context,
        *,
        names: tuple[str, ...],
        output: str,
        failed: bool,
        everything: bool,
        waiting: Waiting | None = None,
        yes: bool = True,
    ) -> None:
        session: Session = ctx.obj
        selection = Selection.required(names, failed=failed, everything=everything)
        if selection.everything:
            make_sure(verb, lambda: len(selection.instances(session.client)), yes=yes)
        meant = _named(session.client, selection)
        if not meant:
            complain("nothing has failed")
            return
        act(ctx, Action(verb, waiting), meant, output)

    decorated: Callable[..., Any] = output_option(click.pass_context(command))
    decorated = yes_option(decorated) if asks else decorated
    decorated = waiting_options(decorated) if waits else decorated
    return click.command(verb, cls=Doing, help=words)(selecting(decorated))


def _named(client: Client, selection: Selection) -> list[str]:
    if selection.failed:
        return selection.instances(client)
    return list(selection.names) or [EVERYTHING]


start = _acting(
    "start",
    """Start what does not run.

    A start by hand is never refused by the limit, and begins a new history.""",
)
stop = _acting(
    "stop",
    """Stop what runs or waits for its restart.

    It stays down until somebody starts it.""",
    asks=True,
)
restart = _acting(
    "restart",
    """Stop, then start.

    What does not run is started.""",
    asks=True,
)
reset_failed = _acting(
    "reset-failed",
    """Forget the exits of what was given up.

    It may run again then, and has its whole budget; nothing is started.""",
    waits=False,
)
