"""``crewctl restart --rolling``: one instance after the other, each when the one before it runs.

Rules:

1. The first that does not come up ends it: those behind it are not touched.
2. Whatever ends it, also Ctrl-C, which were not touched is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from crewd.ctl import exits
from crewd.ctl.acting import Action
from crewd.ctl.command import F, complain
from crewd.ctl.outcome import merged, outcome, summary
from crewd.ctl.session import Session
from crewd.wording import Members, plain

NAMED_MOST = 20


@dataclass(slots=True)
class _Round:
    """How far it is."""

    untouched: list[str]
    answers: list[Members] = field(default_factory=list[Members])

    @property
    def well(self) -> bool:
        """Whether all that were touched came up."""
        return all(one["ok"] for answer in self.answers for one in answer["results"])


def rolling_option(function: F) -> F:
    """Add ``--rolling``."""
    words = "Restart one instance after the other, each when the one before it runs, up to the first that does not."
    return click.option("--rolling", is_flag=True, help=words)(function)


def roll(ctx: click.Context, action: Action, instances: Sequence[str], output: str) -> None:
    """Do it to one after the other, show what each came to, and end with the exit status for that."""
    session: Session = ctx.obj
    width = max(len(plain(name)) for name in instances)
    so_far = _Round(list(instances))
    try:
        while so_far.untouched and so_far.well:
            name = so_far.untouched.pop(0)
            so_far.answers.append(session.client.answer(action.request([name])))
            if output == "text":
                session.show(outcome(so_far.answers[-1], session.screen, width))
    finally:
        _end(session, so_far, output)
    ctx.exit(exits.EXIT_DONE if so_far.well else exits.EXIT_FAILED)


def _end(session: Session, so_far: _Round, output: str) -> None:
    """Say what it came to."""
    if output == "json":
        if so_far.answers:
            session.show_json({**_whole(so_far), "untouched": so_far.untouched})
        return
    if so_far.answers:
        complain(summary(_whole(so_far)))
    if so_far.untouched:
        shown = ", ".join(map(plain, so_far.untouched[:NAMED_MOST]))
        more = len(so_far.untouched) - NAMED_MOST
        complain(f"not touched: {shown}" + (f" and {more} more" if more > 0 else ""))


def _whole(so_far: _Round) -> dict[str, Any]:
    return merged(so_far.answers)
