"""``crewctl start``, ``stop``, ``restart``, ``reset-failed``: something is done, and one line an instance says what."""

import sys
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import click

from crewd.ctl import exits
from crewd.ctl.client import ANSWER_SEC, Client, Request
from crewd.ctl.command import Doing, complain, output_option, yes_option
from crewd.ctl.outcome import merged, outcome, summary
from crewd.ctl.progress import with_bar
from crewd.ctl.question import make_sure
from crewd.ctl.selection import EVERYTHING, Selection, selecting
from crewd.ctl.session import Session
from crewd.ctl.waiting import Waiting, waiting_options

BATCH_MOST = 1000
"""So many names the API takes at once."""
PATH = "/workers/batch"


@dataclass(frozen=True, slots=True)
class _Action:
    """What is to be done. ``waiting``: None where there is nothing to wait for."""

    verb: str
    waiting: Waiting | None

    def carry_out(self, client: Client, names: list[str]) -> Any:
        """Have it done; return the API's answer."""
        request = Request(PATH, method="POST", body={"action": self.verb, "worker_ids": names})
        if self.waiting is None:
            return client.answer(request)
        request = replace(request, query=[("wait", self.waiting.text)], timeout_sec=self.waiting.sec + ANSWER_SEC)
        return with_bar(client, request, self.verb) if sys.stderr.isatty() else client.answer(request)


@click.command(cls=Doing)
@selecting
@waiting_options
@output_option
@click.pass_context
def start(
    ctx: click.Context, names: tuple[str, ...], output: str, waiting: Waiting | None, *, failed: bool, everything: bool
) -> None:
    """Start what does not run.

    A start by hand is never refused by the limit, and begins a new history.
    """
    selection = Selection.required(names, failed=failed, everything=everything)
    _act(ctx, _Action("start", waiting), selection, output)


@click.command(cls=Doing)
@selecting
@waiting_options
@yes_option
@output_option
@click.pass_context
def stop(
    ctx: click.Context,
    names: tuple[str, ...],
    output: str,
    waiting: Waiting | None,
    *,
    failed: bool,
    everything: bool,
    yes: bool,
) -> None:
    """Stop what runs or waits for its restart.

    It stays down until somebody starts it.
    """
    selection = Selection.required(names, failed=failed, everything=everything)
    _confirm(ctx.obj, "stop", selection, yes=yes)
    _act(ctx, _Action("stop", waiting), selection, output)


@click.command(cls=Doing)
@selecting
@waiting_options
@yes_option
@output_option
@click.pass_context
def restart(
    ctx: click.Context,
    names: tuple[str, ...],
    output: str,
    waiting: Waiting | None,
    *,
    failed: bool,
    everything: bool,
    yes: bool,
) -> None:
    """Stop, then start.

    What does not run is started.
    """
    selection = Selection.required(names, failed=failed, everything=everything)
    _confirm(ctx.obj, "restart", selection, yes=yes)
    _act(ctx, _Action("restart", waiting), selection, output)


@click.command(cls=Doing)
@selecting
@output_option
@click.pass_context
def reset_failed(ctx: click.Context, names: tuple[str, ...], output: str, *, failed: bool, everything: bool) -> None:
    """Forget the exits of what was given up.

    It may run again then, and has its whole budget; nothing is started.
    """
    _act(ctx, _Action("reset-failed", None), Selection.required(names, failed=failed, everything=everything), output)


def _confirm(session: Session, verb: str, selection: Selection, *, yes: bool) -> None:
    """Ask, where everything is meant."""
    if selection.everything:
        make_sure(verb, lambda: len(selection.instances(session.client)), yes=yes)


def _act(ctx: click.Context, action: _Action, selection: Selection, output: str) -> None:
    session: Session = ctx.obj
    names = _named(session.client, selection)
    if not names:
        complain("nothing has failed")
        return
    answer = merged(action.carry_out(session.client, batch) for batch in _batches(names))
    if output == "json":
        session.show_json(answer)
    else:
        session.show(outcome(answer, session.screen))
        complain(summary(answer))
    ctx.exit(exits.of_results(answer["results"]))


def _named(client: Client, selection: Selection) -> list[str]:
    if selection.failed:
        return selection.instances(client)
    return list(selection.names) or [EVERYTHING]


def _batches(names: list[str]) -> list[list[str]]:
    rest = iter(names)
    return list(iter(lambda: list(islice(rest, BATCH_MOST)), []))
