"""``crewctl top``: what the crew uses, again and again; one request for each look.

On a terminal it is drawn in place until ``q`` or Ctrl-C; elsewhere, and with ``-n``, tables come one below the other.
"""

import time
from collections.abc import Callable
from typing import Any

import click

from crewd.ctl.command import Showing, output_option
from crewd.ctl.selection import Selection, selecting
from crewd.ctl.session import Session
from crewd.ctl.top_screen import Shot, plain_table
from crewd.ctl.usage import Order, Remembered, flat, ordered

EVERY_SEC, EVERY_LEAST_SEC, EVERY_MOST_SEC = 2.0, 1.0, 3600.0


@click.command(cls=Showing, examples=("crewctl top", "crewctl top web --sort memory", "crewctl top -n 5 -d 2 -o json"))
@selecting
@click.option(
    "--sort", "order", type=click.Choice([*map(str, Order)]), default="cpu", show_default=True, help="Sort by this."
)
@click.option(
    "-n",
    "--count",
    type=click.IntRange(1),
    help="Show so many tables. The default is one, or on a terminal to go on until Ctrl-C.",
)
@click.option(
    "-d",
    "--delay",
    "every_sec",
    metavar="SECONDS",
    type=click.FloatRange(EVERY_LEAST_SEC, EVERY_MOST_SEC),
    default=EVERY_SEC,
    help=f"Let so much time pass between two looks. The default is {EVERY_SEC:g}.",
)
@output_option
@click.pass_obj
def top(
    session: Session,
    *,
    names: tuple[str, ...],
    order: str,
    count: int | None,
    every_sec: float,
    output: str,
    failed: bool,
    everything: bool,
) -> None:
    """Show what the crew uses: CPU, memory, restarts.

    All of the crew is shown, or what is named. SEL is a worker, an instance, worker:*, label=value, or * for all.
    On a terminal the keys c, m, r and n sort, the arrows scroll, and q ends it.
    """
    selection = Selection.of(names, failed=failed, everything=everything)

    def ask() -> dict[str, Any]:
        return selection.ask(session.client, [("fresh", f"{every_sec:g}s")])

    if output == "text" and count is None and session.screen.drawable:
        from crewd.ctl.top_drawing import Drawing  # noqa: PLC0415 - a pipe needs no terminal's parts

        Drawing(session, ask, Order(order), every_sec).run()
    else:
        looks = count or (None if session.screen.terminal else 1)
        _list(session, ask, _json if output == "json" else _table, Order(order), looks=looks, every_sec=every_sec)


def _list(
    session: Session,
    ask: Callable[[], dict[str, Any]],
    show: Callable[[Session, Shot], None],
    order: Order,
    *,
    looks: int | None,
    every_sec: float,
) -> None:
    """Show one look below the other; None: for ever."""
    remembered, number = Remembered(), 0
    while True:
        begun, answer = time.monotonic(), ask()
        remembered.look(answer)
        if number and show is _table:
            session.show([""])
        show(session, Shot(answer, time.time(), remembered, order))
        number += 1
        if number == looks:
            return
        time.sleep(max(0.0, begun + every_sec - time.monotonic()))


def _table(session: Session, shot: Shot) -> None:
    session.show(plain_table(shot, session.screen))


def _json(session: Session, shot: Shot) -> None:
    found = {name: shot.answer[name] for name in ("sampled_at", "stale", "summary")}
    session.show_json({**found, "instances": ordered(flat(shot.answer), shot.order)})
