"""``crewctl logs``: what a worker wrote.

Rules:

1. On a terminal each line is stripped of what a terminal would obey; through a pipe the bytes go as they are.
2. Following ends when the daemon ends: what was written meanwhile would be missing without a word.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import click

from crewd.ctl import completing
from crewd.ctl.client import ANSWER_SEC, Query, Request, segment
from crewd.ctl.command import Showing, output_option
from crewd.ctl.screen import harmless
from crewd.ctl.session import Session

COUNT = 100


@click.command(cls=Showing, examples=("crewctl logs web-0 -n 500 --grep timeout", "crewctl logs -f --stream all web-0"))
@click.argument("name", metavar="SEL", shell_complete=completing.names)
@click.option("-f", "--follow", is_flag=True, help="Go on showing what is written, until Ctrl-C.")
@click.option(
    "-n", "--lines", "count", type=click.IntRange(0), default=COUNT, show_default=True, help="Show the newest so many."
)
@click.option("--stderr", "stream", flag_value="stderr", help="Show standard error; the same as --stream stderr.")
@click.option(
    "--stream",
    type=click.Choice(["stdout", "stderr", "all"]),
    default="stdout",
    show_default=True,
    help="Show this stream, or both.",
)
@click.option(
    "--since", metavar="WHEN", help="Show what is not known to be older: in ISO 8601, or how long ago, as in 1h."
)
@click.option("--grep", metavar="RE", help="Show only lines in which this regular expression is found.")
@output_option
@click.pass_obj
def logs(session: Session, *, name: str, output: str, follow: bool, **options: Any) -> None:
    """Show what an instance wrote.

    SEL is an instance, or a worker that has one instance. A pipe is handed the bytes as they were written.
    """
    query, form = _query(**options, follow=follow), {"Accept": "text/plain"}
    request = Request(f"/workers/{segment(name)}/logs", query, headers=form, timeout_sec=None if follow else ANSWER_SEC)
    if output == "json":
        _show_json(session, session.client.lines(request), options["stream"])
    elif session.screen.terminal:
        for text in _texts(session.client.lines(request)):
            session.show([harmless(text)])
    else:
        _pass_on(session.client.pieces(request))


def _query(*, stream: str, count: int, grep: str | None, since: str | None, follow: bool) -> Query:
    given = [(name, value) for name, value in (("grep", grep), ("since", since)) if value is not None]
    return [("stream", stream), ("tail", count), *given, *([("follow", "true")] if follow else [])]


def _texts(lines: Iterable[bytes]) -> Iterator[str]:
    return (raw.decode("utf-8", "replace").removesuffix("\n") for raw in lines)


def _show_json(session: Session, lines: Iterable[bytes], stream: str) -> None:
    """One object a line; of several streams each line has the name of its own before it."""
    for text in _texts(lines):
        of, _, line = text.partition(": ") if stream == "all" else (stream, "", text)
        session.show([json.dumps({"stream": of, "line": line})])


def _pass_on(pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
