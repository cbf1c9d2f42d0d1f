"""``crewctl why``: why an instance is as it is, in sentences."""

import click

from crewd import wording
from crewd.ctl.client import segment
from crewd.ctl.command import Showing, complain, output_option
from crewd.ctl.selection import Selection, selecting
from crewd.ctl.session import Session


@click.command(cls=Showing, examples=("crewctl why web-0", "crewctl why --failed"))
@selecting
@output_option
@click.pass_obj
def why(session: Session, names: tuple[str, ...], output: str, *, failed: bool, everything: bool) -> None:
    """Explain why instances are as they are.

    It shows the last exits, the verdict on each with its reason, what the limit leaves, and the next try.
    SEL is a worker, an instance, worker:*, label=value, or * for all.
    """
    selection = Selection.required(names, failed=failed, everything=everything)
    found = selection.instances(session.client)
    answers = [session.client.get(f"/workers/{segment(name)}/why") for name in found]
    if output == "json":
        session.show_json(answers)
        return
    for number, answer in enumerate(answers):
        session.show([""] * bool(number) + wording.why(answer, reset_verb="reset-failed"))
    if not found:
        complain("nothing has failed")
