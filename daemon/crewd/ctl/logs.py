"""``crewctl logs``: what a worker wrote.

Rules:

1. On a terminal each line is stripped of what a terminal would obey; through a pipe the bytes go as they are.
2. Following ends when the daemon ends: what was written meanwhile would be missing without a word.
"""

import json
import sys
from collections.abc import Iterable
from typing import Any

import click

from crewd.ctl import completing
from crewd.ctl.client import ANSWER_SEC, Query, Request, segment
from crewd.ctl.command import Showing, output_option
from crewd.ctl.screen import harmless
from crewd.ctl.session import Session

COUNT = 100


@click.command(cls=Showing)
@click.argument("name", metavar="SEL", shell_complete=completing.names)
@click.option("-f", "--follow", is_flag=True, help="Go on showing what is written, until Ctrl-C.")
@click.option(
    "-n", "--lines", "count", type=click.IntRange(0), default=COUNT, help=f"The newest so many; else {COUNT}."
)
@click.option("--stderr", "stream", flag_value="stderr", default="stdout", help="Standard error instead of output.")
@click.option("--grep", metavar="RE", help="Only lines in which this regular expression is found.")
@output_option
@click.pass_obj
def logs(session: Session, *, name: str, output: str, follow: bool, **options: Any) -> None:
    """Show what an instance wrote.

    A worker may be named instead that has one instance.
    """
    request = Request(
        f"/workers/{segment(name)}/logs", _query(**options, follow=follow), timeout_sec=None if follow else ANSWER_SEC
    )
    if output == "json" or session.screen.terminal:
        _show(session, session.client.lines(request), output)
    else:
        _pass_on(session.client.pieces(request))


def _query(*, stream: str, count: int, grep: str | None, follow: bool) -> Query:
    pattern = [] if grep is None else [("grep", grep)]
    return [("stream", stream), ("lines", count), *pattern, *([("follow", "true")] if follow else [])]


def _show(session: Session, lines: Iterable[bytes], output: str) -> None:
    for raw in lines:
        line = raw.decode("utf-8", "replace").removesuffix("\n")
        session.show([json.dumps({"line": line}) if output == "json" else harmless(line)])


def _pass_on(pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
