"""``crewctl start``, ``stop``, ``restart``, ``reset-failed``: something is done to what is named."""

from typing import TYPE_CHECKING, Any

import click

from crewd.ctl.acting import Action, act
from crewd.ctl.client import Client
from crewd.ctl.command import Doing, complain, force_option, output_option, yes_option
from crewd.ctl.question import make_sure
from crewd.ctl.rolling import roll, rolling_option
from crewd.ctl.selection import EVERYTHING, Selection, selecting
from crewd.ctl.waiting import Waiting, waiting_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from crewd.ctl.session import Session


def _acting(
    verb: str, words: str, *examples: str, waits: bool = True, ends: bool = False, rolls: bool = False
) -> click.Command:
    """Return the command.

    ``waits``: there is something to wait for; ``ends``: processes, so everything is asked about, and it may be done by
    force; ``rolls``: it may be done to one after the other.
    """

    def command(
        ctx: click.Context,
        *,
        names: tuple[str, ...],
        output: str,
        failed: bool,
        everything: bool,
        waiting: Waiting | None = None,
        yes: bool = True,
        force: bool = False,
        rolling: bool = False,
    ) -> None:
        session: Session = ctx.obj
        if rolling and waiting is None:
            raise click.UsageError("Say --rolling or --no-wait: not both.")
        selection = Selection.required(names, failed=failed, everything=everything)
        if selection.everything:
            make_sure(verb, lambda: len(selection.instances(session.client)), yes=yes)
        meant = _in_order(session.client, selection) if rolling else _named(session.client, selection)
        if not meant:
            complain("nothing has failed" if failed else "there is nothing of that")
            return
        (roll if rolling else act)(ctx, Action(verb, waiting, force), meant, output)

    decorated: Callable[..., Any] = output_option(click.pass_context(command))
    decorated = force_option(yes_option(decorated)) if ends else decorated
    decorated = rolling_option(decorated) if rolls else decorated
    decorated = waiting_options(decorated) if waits else decorated
    return click.command(verb, cls=Doing, help=words, examples=examples)(selecting(decorated))


def _named(client: Client, selection: Selection) -> list[str]:
    if selection.failed:
        return selection.instances(client)
    return list(selection.names) or [EVERYTHING]


def _in_order(client: Client, selection: Selection) -> list[str]:
    """Return the instances that are meant, in the order in which they were named."""
    each = [Selection((name,), selection.failed) for name in selection.names] or [selection]
    return list(dict.fromkeys(instance for one in each for instance in one.instances(client)))


start = _acting(
    "start",
    """Start what does not run.

    A start by hand is never refused by the limit, and begins a new history.
    SEL is a worker, an instance, worker:*, label=value, or * for all.""",
    "crewctl start web",
    "crewctl start --failed --timeout 2m",
)
stop = _acting(
    "stop",
    """Stop what runs or waits for its restart.

    It stays down until somebody starts it.
    SEL is a worker, an instance, worker:*, label=value, or * for all.""",
    "crewctl stop web-0 tier=front",
    "crewctl stop web --force",
    "crewctl stop --all --yes",
    ends=True,
)
restart = _acting(
    "restart",
    """Stop what runs, then start it.

    What does not run is started. SEL is a worker, an instance, worker:*, label=value, or * for all.""",
    "crewctl restart web",
    "crewctl restart --rolling web mail",
    "crewctl restart web --no-wait",
    ends=True,
    rolls=True,
)
reset_failed = _acting(
    "reset-failed",
    """Forget the exits of what was given up.

    It may run again then, and has its whole budget; nothing is started.
    SEL is a worker, an instance, worker:*, label=value, or * for all.""",
    "crewctl reset-failed web",
    "crewctl reset-failed --failed",
    waits=False,
)
