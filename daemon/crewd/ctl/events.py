"""``crewctl events``: what happened, and with ``-f`` what happens.

Following survives the daemon: it waits until one answers again, and goes on after the last event that it has seen. It
begins also while the database is away: without the past, and says so.
"""

import json
import time
from collections.abc import Generator
from typing import Any

import click

from crewd.ctl import completing
from crewd.ctl.client import Client, Query, Request
from crewd.ctl.command import Showing, complain, output_option
from crewd.ctl.failures import Fault, RequestError
from crewd.ctl.paging import COUNT, newest, span
from crewd.ctl.session import Session
from crewd.ctl.story import line
from crewd.ctl.stream import Message, messages
from crewd.wording import Members

PATH = "/events"
SILENCE_SEC = 60.0
"""A stream that is silent for so long has ended: a comment comes every 15 seconds."""
RETRY_SEC = 0.5
DROPPED = "dropped"
"""What a reader hears that did not keep up, and was let go: it comes again, and goes on where it was."""
UNAVAILABLE = 503


@click.command(
    cls=Showing,
    examples=("crewctl events web-0 --since 1h", "crewctl events --type commanded -n 5", "crewctl events -f"),
)
@click.argument("names", metavar="[SEL]...", nargs=-1, shell_complete=completing.names)
@click.option("-f", "--follow", is_flag=True, help="Go on showing what happens, until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    "count",
    type=click.IntRange(0),
    help=f"Show the newest so many. The default is {COUNT}, or all with --since.",
)
@click.option("--since", metavar="WHEN", help="Show what came since then: in ISO 8601, or how long ago, as in 1h.")
@click.option(
    "--type",
    "types",
    metavar="TYPE",
    multiple=True,
    help="Show this type alone, as the journal names it; may be said several times.",
    shell_complete=completing.types,
)
@output_option
@click.pass_obj
def events(
    session: Session,
    *,
    names: tuple[str, ...],
    count: int | None,
    since: str | None,
    types: tuple[str, ...],
    output: str,
    follow: bool,
) -> None:
    """Show what happened, the newest last.

    What happened to all of the crew is shown, or to what is named. SEL is a worker, an instance, worker:*, label=value,
    or * for all.
    """
    query = [*(("instance", name) for name in names if name != "*"), *(("type", word) for word in types)]
    past = _begun(session.client, query, count, since) if follow else _past(session.client, query, count, since)
    _show(session, past if count is None else past[max(0, len(past) - count) :], output)
    if follow:
        for event in _live(session.client, query, _place(past[-1]) if past else ""):
            _show(session, [event], output)


def _show(session: Session, events: list[Members], output: str) -> None:
    told = (json.dumps(event) if output == "json" else line(event, session.screen) for event in events)
    session.show(told)


def _place(event: Members) -> str:
    """Return the place of an event, as a stream is resumed from it."""
    return f"{event['generation']}.{event['sequence']}"


def _begun(client: Client, query: Query, count: int | None, since: str | None) -> list[Members]:
    """Return the past as it is shown before what happens; none, aloud, while the database is away."""
    try:
        return _past(client, query, count, since)
    except RequestError as failure:
        if failure.status != UNAVAILABLE:
            raise
        complain(f"{failure}: what happens is shown from now on")
        return []


def _past(client: Client, query: Query, count: int | None, since: str | None) -> list[Members]:
    """Return the newest ``count`` events, or all since then; page by page, for a page has its limit.

    One at least: it is where following goes on.
    """
    wanted = max(1, count) if count is not None else COUNT if since is None else None
    return newest(client, PATH, [*query, *span(since, None)], "events", wanted)[0]


def _live(client: Client, query: Query, last: str) -> Generator[Any]:
    """Give each event after ``last`` as it happens, for ever; "": from now on."""
    while True:
        try:
            for message in _connected(client, query, last):
                last = message.id or last
                if message.event != DROPPED:
                    yield json.loads(message.data)
        except RequestError as failure:
            if failure.fault is not Fault.ABSENT and failure.status != UNAVAILABLE:
                raise
        time.sleep(RETRY_SEC)


def _connected(client: Client, query: Query, last: str) -> Generator[Message]:
    resumed = {"Last-Event-ID": last} if last else {}
    begin: Query = [] if last else [("limit", 0)]
    whole = [("follow", "true"), *query, *begin]
    return messages(client.lines(Request(PATH, whole, headers=resumed, timeout_sec=SILENCE_SEC)))
