"""``crewctl reload``: the configuration is read again, and the difference applied."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from crewd.ctl.client import Request
from crewd.ctl.command import Doing, output_option
from crewd.ctl.exits import EXIT_FAILED
from crewd.ctl.failures import RequestError
from crewd.wording import Members, plain

if TYPE_CHECKING:
    from crewd.ctl.session import Session

APPLY_SEC = 300.0
"""How long an apply may take: it renders and verifies everything."""
NAMES_MOST = 10
"""So many instances are named; the rest is counted."""
REFUSED = "RESTART_004"


@click.command(
    cls=Doing,
    examples=("crewctl check && crewctl reload", "crewctl reload -o json"),
    statuses={EXIT_FAILED: "It failed, or the configuration is wrong: nothing was changed."},
)
@output_option
@click.pass_context
def reload(ctx: click.Context, output: str) -> None:
    """Read the configuration again, and apply what changed.

    What did not change is not touched. A mistake in it changes nothing.
    """
    session: Session = ctx.obj
    try:
        answer = session.client.answer(Request("/reload", method="POST", timeout_sec=APPLY_SEC))
    except RequestError as failure:
        if failure.code != REFUSED:
            raise
        click.echo("\n".join(map(plain, (*failure.details.get("problems", ()), failure))), err=True)
        ctx.exit(EXIT_FAILED)
    if output == "json":
        session.show_json(answer)
    else:
        session.show(applied(answer))


def applied(answer: Members) -> list[str]:
    """Return what a reload did, in lines. Pure."""
    warnings = [f"warning: {plain(warning)}" for warning in answer["warnings"]]
    plan = answer["plan"]
    touched = [f"{what}: {_names(plan[what])}" for what in ("added", "changed", "restarted", "removed") if plan[what]]
    return [*warnings, *(touched or ["nothing changed"]), f"kept: {plan['kept']}", *_doubts(answer)]


def _doubts(answer: Members) -> list[str]:
    """Return what is to be said where supervisord has not taken it over, or has not said so."""
    if answer.get("unconfirmed"):
        return [f"supervisord did not confirm it: {plain(answer['unconfirmed'])}"]
    return [] if answer["told"] else ["supervisord does not run: it starts with this configuration"]


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(map(plain, names[:NAMES_MOST]))
    return shown if len(names) <= NAMES_MOST else f"{shown} and {len(names) - NAMES_MOST} more"
