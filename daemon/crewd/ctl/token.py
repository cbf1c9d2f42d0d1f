"""``crewctl token``: who may ask, without being root: tokens are made, listed and revoked.

A new token is the only thing on standard output, so that it goes into a file or a variable as it is.
"""

import click

from crewd.ctl.client import Request, segment
from crewd.ctl.command import Doing, Showing, complain, output_option
from crewd.ctl.crew_table import seconds
from crewd.ctl.session import Session
from crewd.wording import Members, moment, plain, table

PATH = "/tokens"
PAGE_MOST = 1000
ROLES = ("viewer", "operator", "admin", "node", "worker")
HEAD = ("ID", "ROLE", "NAME", "WORKERS", "CREATED", "BY", "EXPIRES", "STATE")

NOT_STORED = "it would again if crewd were started anew before that is stored, which it tries on its own"


@click.group()
def token() -> None:
    """Make, list and revoke the tokens of programs."""


@token.command(
    cls=Doing, examples=("crewctl token create --role operator --name deployment --workers 'web*' --expires 30d",)
)
@click.option("--role", type=click.Choice(ROLES), required=True, help="Say what may be done with it.")
@click.option("--name", required=True, help="Say in your words what it is for.")
@click.option(
    "--workers", metavar="GLOB", multiple=True, help="Make it for these workers alone; may be said several times."
)
@click.option("--expires", metavar="DURATION", help="Let it last so long, as in 30d. The default is for ever.")
@output_option
@click.pass_obj
def create(
    session: Session, *, role: str, name: str, workers: tuple[str, ...], expires: str | None, output: str
) -> None:
    """Make a token, and print it: once.

    It is kept by nobody but you.
    """
    if role == "admin" and workers:
        raise click.UsageError("An admin is one for all workers: leave --workers out, or say --role operator.")
    expiry = {} if expires is None else {"expires_in": expires}
    body = {"role": role, "name": name, "workers": list(workers), **expiry}
    made = session.client.answer(Request(PATH, method="POST", body=body))
    if output == "json":
        session.show_json(made)
        return
    session.show([made["token"]])
    complain(f"this is the only time that it is shown; `crewctl token revoke {plain(made['id'])}` ends it")


@token.command("list", cls=Showing, examples=("crewctl token list", "crewctl token list --all -o json"))
@click.option("--all", "everything", is_flag=True, help="List also those that were revoked or have expired.")
@output_option
@click.pass_obj
def show(session: Session, *, everything: bool, output: str) -> None:
    """List the tokens, without what they are."""
    found = [one for one in _all(session) if everything or one["valid"]]
    if output == "json":
        session.show_json(found)
    elif found:
        session.show(map(session.screen.fit, table(HEAD, map(_row, found))))
    else:
        complain("there is no token")


@token.command(cls=Doing, examples=("crewctl token revoke 7f3a9c01b2d4",))
@click.argument("token_ids", metavar="ID...", nargs=-1, required=True)
@output_option
@click.pass_obj
def revoke(session: Session, token_ids: tuple[str, ...], output: str) -> None:
    """Let tokens be worth nothing, from now on."""
    answers: list[Members] = []
    for token_id in token_ids:
        answers.append(session.client.answer(Request(f"{PATH}/{segment(token_id)}", method="DELETE")))
        if output == "text":
            session.show([_revoked(answers[-1])])
        if not answers[-1]["stored"]:
            complain(f"{plain(answers[-1]['id'])} lets nobody in now, but the database is away: {NOT_STORED}")
    if output == "json":
        session.show_json(answers)


def _all(session: Session) -> list[Members]:
    found: list[Members] = []
    query: list[tuple[str, str | int]] = [("limit", PAGE_MOST)]
    while True:
        page = session.client.get(PATH, query)
        found += page["tokens"]
        if not page["next_cursor"]:
            return found
        query = [("limit", PAGE_MOST), ("cursor", page["next_cursor"])]


def _row(one: Members) -> tuple[str, ...]:
    return (
        one["id"],
        one["role"],
        one["name"],
        " ".join(one["workers"]) or "*",
        _when(one["created_at"]),
        one["created_by"],
        _when(one["expires_at"]) if one["expires_at"] else "never",
        _state(one),
    )


def _state(one: Members) -> str:
    if one["revoked_at"]:
        return f"revoked {_when(one['revoked_at'])}"
    return "valid" if one["valid"] else "expired"


def _revoked(one: Members) -> str:
    words = "revoked" if one["changed"] else "was worth nothing already"
    return f"{plain(one['id'])}  {words} ({plain(one['name'])})"


def _when(at: str | None) -> str:
    return moment(None if at is None else seconds(at))
