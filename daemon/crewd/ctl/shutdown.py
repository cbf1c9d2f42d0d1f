"""``crewctl shutdown``: the daemon ends, and with it supervisord and all workers, also where they would be kept."""

import click

from crewd.ctl.client import Request
from crewd.ctl.command import Doing, output_option, yes_option
from crewd.ctl.question import make_sure
from crewd.ctl.selection import Selection
from crewd.ctl.session import Session


@click.command(cls=Doing, examples=("crewctl shutdown --yes",))
@yes_option
@output_option
@click.pass_obj
def shutdown(session: Session, output: str, *, yes: bool) -> None:
    """End crewd, its supervisord and all workers.

    Also a supervisord that on_shutdown would keep, or that was taken over.
    """
    make_sure("shut down", lambda: len(Selection(()).instances(session.client)), yes=yes)
    answer = session.client.answer(Request("/shutdown", method="POST", body={"keep": False}))
    if output == "json":
        session.show_json(answer)
    else:
        session.show(["crewd ends, and supervisord and all workers with it"])
