"""Something is done to workers, and one line an instance says what: what ``start`` … and ``batch`` have in common.

Rules:

1. A name that is not known spoils the whole: nothing is done for any, however many requests it takes.
2. What was done before something went wrong is shown all the same.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import click

from crewd.ctl import exits
from crewd.ctl.client import ANSWER_SEC, Client, Request
from crewd.ctl.command import complain
from crewd.ctl.failures import Fault, RequestError
from crewd.ctl.outcome import merged, outcome, summary
from crewd.ctl.progress import with_bar
from crewd.ctl.selection import EVERYTHING
from crewd.ctl.session import Session
from crewd.ctl.waiting import Waiting
from crewd.wording import Members, plain

BATCH_MOST = 1000
"""So many names the API takes at once."""
PATH = "/workers/batch"
NAMED_MOST = 5


@dataclass(frozen=True, slots=True)
class Action:
    """What is to be done. ``waiting``: None where there is nothing to wait for."""

    verb: str
    waiting: Waiting | None = None
    force: bool = False
    """What is stopped is killed at once."""

    def request(self, names: Sequence[str]) -> Request:
        """Return what is asked of the API."""
        body: dict[str, object] = {"action": self.verb, "worker_ids": list(names)}
        if self.force:
            body["options"] = {"graceful": False}
        request = Request(PATH, method="POST", body=body)
        if self.waiting is None:
            return request
        return replace(request, query=[("wait", self.waiting.text)], timeout_sec=self.waiting.sec + ANSWER_SEC)

    def carry_out(self, client: Client, names: Sequence[str], label: str) -> Members:
        """Have it done; return the API's answer."""
        request = self.request(names)
        waits = self.waiting is not None
        return with_bar(client, request, label) if waits and sys.stderr.isatty() else client.answer(request)


def act(ctx: click.Context, action: Action, names: Sequence[str], output: str) -> None:
    """Do it to these, show what it came to, and end with the exit status for that."""
    session: Session = ctx.obj
    parts = [names[first : first + BATCH_MOST] for first in range(0, len(names), BATCH_MOST)]
    if len(parts) > 1:
        _check(session.client, action.verb, names)
    answers: list[Members] = []
    try:
        for number, part in enumerate(parts, 1):
            label = action.verb if len(parts) == 1 else f"{action.verb} {number}/{len(parts)}"
            answers.append(action.carry_out(session.client, part, label))
    finally:
        if answers:
            _show(session, merged(answers), output)
    ctx.exit(exits.of_results(one for answer in answers for one in answer["results"]))


def _show(session: Session, answer: dict[str, Any], output: str) -> None:
    if output == "json":
        session.show_json(answer)
    else:
        session.show(outcome(answer, session.screen))
        complain(summary(answer))


def _check(client: Client, verb: str, names: Sequence[str]) -> None:
    """Raise what the daemon would where a name is unknown; it sees no more than a part of them at once."""
    known = {EVERYTHING}
    for worker in client.get("/workers")["workers"]:
        known |= {worker["worker_id"], f"{worker['worker_id']}:*"}
        known |= {f"{key}={value}" for key, value in worker["labels"].items()}
        known |= {one["instance"] for one in worker["instances"]}
    unknown = [name for name in dict.fromkeys(names) if name not in known]
    if unknown:
        more = f" and {len(unknown) - NAMED_MOST} more" if len(unknown) > NAMED_MOST else ""
        shown = ", ".join(map(plain, unknown[:NAMED_MOST]))
        message = f"cannot {verb} {shown}{more}: no worker, instance or label of that name; nothing was done"
        raise RequestError(Fault.UNKNOWN, message, details={"names": unknown[:NAMED_MOST]})
