"""``crewctl configs``: what is configured of each worker, and workers made over the API."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import click

from crewd.ctl.client import Request, segment
from crewd.ctl.command import Doing, Showing, complain, output_option
from crewd.ctl.documents import Document, assigned, difference, documents, members_of, written
from crewd.ctl.reload import APPLY_SEC, applied
from crewd.ctl.session import Session
from crewd.wording import Members, plain, table

PATH = "/worker-configs"
COMMAND_LENGTH = 60
_NOTHING = "-"


def revision_option(function: Any) -> Any:
    """Add ``--revision``."""
    return click.option("--revision", type=int, help="Do it only if the revision is still this one.")(function)


@click.group()
def configs() -> None:
    """Show, make, change and delete configurations of workers.

    Those of the file are shown, and changed in the file; all else is done to workers made over the API. What is
    made, changed or deleted here is in force when the command ends.
    """


@configs.command("list", cls=Showing, examples=("crewctl configs list", "crewctl configs list --source api"))
@click.option(
    "--source", type=click.Choice(["file", "api"]), help="Show only those of the file, or those made over the API."
)
@output_option
@click.pass_obj
def list_(session: Session, source: str | None, output: str) -> None:
    """Show in a table what is configured of each worker."""
    found = everything(session, source)
    if output == "json":
        session.show_json(found)
    else:
        session.show(map(session.screen.fit, _table(found)))


@configs.command(cls=Showing, examples=("crewctl configs summary", "crewctl configs summary -o json"))
@output_option
@click.pass_obj
def summary(session: Session, output: str) -> None:
    """Count the configurations, by source and by state."""
    found = session.client.get(f"{PATH}/stats/summary")
    if output == "json":
        session.show_json(found)
    else:
        session.show(map(session.screen.fit, table(("WHAT", "NUMBER"), _counts(found))))


@configs.command(cls=Showing, examples=("crewctl configs show mail",))
@click.argument("worker")
@output_option
@click.pass_obj
def show(session: Session, worker: str, output: str) -> None:
    """Show what is configured of WORKER, as YAML."""
    found = _get(session, worker)
    if output == "json":
        session.show_json(found)
        return
    session.show([*(f"# {line}" for line in _about(found)), *written(_shown(found))])


@configs.command(
    cls=Doing,
    examples=(
        'crewctl configs create mail \'command=["python3","-m","mail"]\' port=4001',
        "crewctl configs create -f mail.yaml",
    ),
)
@click.argument("words", metavar="[WORKER] [KEY=VALUE]...", nargs=-1)
@click.option(
    "-f",
    "--file",
    metavar="FILE",
    help="Read it from a file, YAML or JSON: one with a worker_id, or several below workers. - is standard input.",
)
@output_option
@click.pass_context
def create(ctx: click.Context, words: tuple[str, ...], file: str | None, output: str) -> None:
    """Make a worker over the API, and put it in force.

    It is described by words KEY=VALUE, or in a file. A VALUE that is JSON is taken as that, any other is a text.
    """
    session: Session = ctx.obj
    if bool(words) == bool(file):
        raise click.UsageError("Say WORKER KEY=VALUE..., or -f FILE.")
    found = documents(_text(file), file) if file else {words[0]: assigned(words[1:])}
    answers = [_ask(session, "POST", PATH, {"worker_id": name, **document}) for name, document in found.items()]
    _tell(session, answers, "created", output, several=bool(file))


@configs.command(
    "set",
    cls=Doing,
    examples=("crewctl configs set mail port=4002 --unset umask", "crewctl configs set mail instances=3 --revision 4"),
)
@click.argument("worker")
@click.argument("words", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--unset", "unset", metavar="KEY", multiple=True, help="Take this key away; may be said several times.")
@revision_option
@output_option
@click.pass_obj
def set_(
    session: Session, *, worker: str, words: tuple[str, ...], unset: tuple[str, ...], revision: int | None, output: str
) -> None:
    """Change keys of WORKER, and put that in force.

    It was made over the API. A VALUE that is JSON is taken as that, any other is a text.
    """
    patch = {**assigned(words), **dict.fromkeys(unset)}
    if not patch:
        raise click.UsageError("Say KEY=VALUE, or --unset KEY.")
    _tell(session, [_patch(session, worker, patch, revision)], "changed", output)


@configs.command(cls=Doing, examples=("crewctl configs edit mail",))
@click.argument("worker")
@output_option
@click.pass_context
def edit(ctx: click.Context, worker: str, output: str) -> None:
    """Change WORKER in an editor, and put that in force.

    It was made over the API. VISUAL or EDITOR names the editor. What somebody else changed meanwhile is not
    overwritten.
    """
    session: Session = ctx.obj
    found = _get(session, worker)
    before: Document | None = found["configuration"]
    if before is None:
        raise click.UsageError(f"{worker} is of the file {_place(found['file'])}: change it there.")
    text = "".join(f"{line}\n" for line in written(before))
    edited = click.edit(text, extension=".yaml", require_save=False)
    patch = difference(before, members_of(edited or text, worker)) if edited else {}
    if not patch:
        complain("nothing was changed")
        return
    _tell(session, [_patch(session, worker, patch, found["revision"])], "changed", output)


@configs.command(cls=Doing, examples=("crewctl configs delete mail",))
@click.argument("workers", metavar="WORKER...", nargs=-1, required=True)
@revision_option
@output_option
@click.pass_obj
def delete(session: Session, workers: tuple[str, ...], revision: int | None, output: str) -> None:
    """Stop workers made over the API, and forget them.

    They are stopped as by any stop.
    """
    if revision is not None and len(workers) > 1:
        raise click.UsageError("--revision is of one worker.")
    answers = [_ask(session, "DELETE", f"{PATH}/{segment(name)}", None, revision) for name in workers]
    _tell(session, answers, "deleted", output, several=len(workers) > 1)


def everything(session: Session, source: str | None) -> list[Any]:
    """Return all that is configured, page by page."""
    found: list[Any] = []
    cursor: list[tuple[str, str | int]] = []
    while True:
        page = session.client.get(PATH, [*([("source", source)] if source else []), *cursor])
        found += page["configurations"]
        if not page["next_cursor"]:
            return found
        cursor = [("cursor", page["next_cursor"])]


def _get(session: Session, worker: str) -> Any:
    return session.client.get(f"{PATH}/{segment(worker)}")


def _patch(session: Session, worker: str, patch: Document, revision: int | None) -> Any:
    return _ask(session, "PATCH", f"{PATH}/{segment(worker)}", patch, revision)


def _ask(session: Session, method: str, path: str, body: object, revision: int | None = None) -> Any:
    headers = {} if revision is None else {"If-Match": f'"{revision}"'}
    return session.client.answer(Request(path, method=method, body=body, headers=headers, timeout_sec=APPLY_SEC))


def _text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise click.UsageError(
            f"Cannot read {file}: {getattr(cause, 'strerror', None) or 'it is not UTF-8'}."
        ) from None


def _tell(session: Session, answers: list[Any], done: str, output: str, *, several: bool = False) -> None:
    if output == "json":
        session.show_json(answers if several else answers[0])
        return
    for answer in answers:
        nothing = answer["applied"] is None
        what = "nothing was changed" if nothing else f"{done}, revision {answer['revision']}"
        lines = [] if nothing else applied(answer["applied"])
        session.show([f"{plain(answer['worker_id'])}: {what}", *lines, *(map(_complaint, answer["problems"]))])


def _complaint(problem: Members) -> str:
    return f"not in force: {plain(problem['field'])}: {plain(problem['message'])}"


def _table(found: list[Any]) -> list[str]:
    rows = (
        (
            one["worker_id"],
            one["source"],
            _NOTHING if one["revision"] is None else str(one["revision"]),
            _state(one),
            _NOTHING if one["instances"] is None else str(one["instances"]),
            one["user"] or _NOTHING,
            _command(one),
        )
        for one in found
    )
    return table(("WORKER", "SOURCE", "REVISION", "STATE", "INSTANCES", "USER", "COMMAND"), rows)


def _counts(found: Members) -> list[tuple[str, str]]:
    """Return the rows of a summary; what is counted by kind has a row for each kind."""
    rows: list[tuple[str, str]] = []
    for what, count in found.items():
        kinds = cast("Mapping[str, int]", count).items() if isinstance(count, Mapping) else [("", count)]
        rows += [(" ".join(filter(None, (what.replace("_", " "), plain(kind)))), str(number)) for kind, number in kinds]
    return rows


def _state(one: Members) -> str:
    if one["in_force"]:
        return "in force"
    return "shadowed" if one["shadowed"] else "no command" if one["command"] is None else "left out"


def _command(one: Members) -> str:
    words = " ".join(one["command"] or ()) or _NOTHING
    return words if len(words) <= COMMAND_LENGTH else words[: COMMAND_LENGTH - 1] + "…"


def _about(found: Members) -> list[str]:
    where = "" if found["file"] is None else f", {_place(found['file'])}"
    revision = "" if found["revision"] is None else f", revision {found['revision']}"
    problems = [_complaint(problem) for problem in found["problems"]]
    return [f"{plain(found['worker_id'])}: {_state(found)}, {found['source']}{where}{revision}", *problems]


def _place(place: Mapping[str, Any]) -> str:
    return f"{plain(place['path'])}:{place['line']}"


def _shown(found: Members) -> Document:
    """Return what is written of it; of the file's, what it comes to."""
    if found["configuration"] is not None:
        return found["configuration"]
    keys = ("command", "user", "instances", "name", "host", "port", "max_accounts", "labels", "auto_start")
    return {key: found[key] for key in keys if found[key] not in (None, {})}
