"""``crewctl batch``: the same is done to many, whose names come from a file or a pipe."""

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, cast

import click

from crewd.ctl.acting import Action, act
from crewd.ctl.command import Doing, complain, force_option, output_option, yes_option
from crewd.ctl.outcome import DONE
from crewd.ctl.question import make_sure
from crewd.ctl.selection import EVERYTHING, Selection
from crewd.ctl.waiting import Waiting, waiting_options

if TYPE_CHECKING:
    from crewd.ctl.session import Session

NAMES_MOST = 10_000
BYTES_MOST = 4 * 1024 * 1024
COMMENT = "#"
FORCED = ("stop", "restart")


@click.command(cls=Doing, examples=("crewctl batch restart < names.txt", "crewctl batch stop --force < names.json"))
@click.argument("action", type=click.Choice(list(DONE)))
@click.argument("file", type=click.File("rb"), default="-")
@waiting_options
@force_option
@yes_option
@output_option
@click.pass_context
def batch(
    ctx: click.Context, *, action: str, file: BinaryIO, waiting: Waiting | None, force: bool, output: str, yes: bool
) -> None:
    """Start, stop, restart or reset-failed what a FILE names.

    One name a line, or JSON: a list of names, or {"worker_ids": […]}. Without a FILE, or as -, they are read from
    standard input. Blank lines and what begins with # are passed over.
    """
    if force and action not in FORCED:
        raise click.UsageError(f"Say --force with {' or '.join(FORCED)}.")
    if file is sys.stdin.buffer and sys.stdin.isatty():
        complain("names, one a line; Ctrl-D ends")
    names = read(file.read(BYTES_MOST + 1))
    session: Session = ctx.obj
    if EVERYTHING in names and action != "start":
        make_sure(action, lambda: len(Selection(()).instances(session.client)), yes=yes)
    if not names:
        complain("no name was given: nothing was done")
        return
    act(ctx, Action(action, waiting if action != "reset-failed" else None, force), names, output)


def read(content: bytes) -> list[str]:
    """Return the names, each once; raises click.BadParameter where these are none, or too many. Pure."""
    if len(content) > BYTES_MOST:
        _refuse(f"more than {BYTES_MOST // 2**20} MiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        _refuse("it is no text")
    names = _of_json(text) if text.lstrip()[:1] in {"[", "{"} else _of_lines(text)
    found = list(dict.fromkeys(names))
    if len(found) > NAMES_MOST:
        _refuse(f"{len(found)} names; at most {NAMES_MOST}")
    return found


def _of_lines(text: str) -> Iterable[str]:
    stripped = (line.strip() for line in text.splitlines())
    return (line for line in stripped if line and not line.startswith(COMMENT))


def _of_json(text: str) -> Iterable[str]:
    try:
        value: Any = json.loads(text)
    except ValueError as wrong:
        _refuse(f"it is no JSON: {wrong}")
    except RecursionError:
        _refuse("it is no list of names")
    if isinstance(value, dict):
        value = cast("dict[str, Any]", value).get("worker_ids")
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in cast("list[object]", value)):
        _refuse('it is no list of names: write ["web", "mail-0"]')
    return cast("list[str]", value)


def _refuse(why: str) -> NoReturn:
    raise click.BadParameter(f"cannot read the names: {why}", param_hint="FILE")
