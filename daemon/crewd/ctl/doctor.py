"""``crewctl doctor``: what is wrong with the installation on this machine, where, and what to do about it."""

import os
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

import click

from crewd import __version__
from crewd.ctl import exits
from crewd.ctl.client import Client, Request
from crewd.ctl.command import Showing, output_option
from crewd.ctl.failures import Fault, RequestError, not_crewd
from crewd.ctl.screen import Screen
from crewd.ctl.ways import UnixWay
from crewd.doctor.finding import Area, Finding, Severity, problem
from crewd.errors import ConfigError
from crewd.wording import plain

if TYPE_CHECKING:
    from crewd.ctl.session import Session
    from crewd.doctor.facts import Members

PATIENCE_SEC = 5.0
ANSWER_MOST_BYTES = 16 * 1024 * 1024
SIGNS = {
    Severity.OK: ("✓", "+", "green"),
    Severity.NOTE: ("·", "-", "dim"),
    Severity.WARNING: ("▲", "!", "yellow"),
    Severity.PROBLEM: ("✗", "x", "red"),
}
_INDENT = 4
T = TypeVar("T")


@click.command(
    cls=Showing,
    examples=("crewctl doctor", "crewctl doctor -o json"),
    statuses={
        exits.EXIT_DONE: "There is no problem, though perhaps a warning.",
        exits.EXIT_FAILED: "There is a problem.",
        exits.EXIT_UNKNOWN: "",
    },
)
@click.option(
    "-c",
    "--config",
    type=click.Path(),
    metavar="FILE",
    help="Take this configuration. The default is the one that crewd reads, where it is root's or yours.",
)
@output_option
@click.pass_context
def doctor(ctx: click.Context, config: str | None, output: str) -> None:
    """Find and explain what is wrong with this installation.

    It looks at permissions, sockets, versions, limits, drift, the clock and more, works with the daemon and supervisord
    down, and changes nothing. Whoever is neither root nor the user that all runs as is told what could not be seen.
    """
    session: Session = ctx.obj
    if not isinstance(session.client.way, UnixWay):
        raise click.UsageError("doctor looks at this machine: run it there, without --host.")
    findings = _found(session.client, config, session.client.way.path)
    if output == "json":
        session.show_json(_members(findings))
    else:
        session.show(_lines(findings, session.screen))
    wrong = any(one.severity is Severity.PROBLEM for one in findings)
    ctx.exit(exits.EXIT_FAILED if wrong else exits.EXIT_DONE)


def _found(client: Client, config: str | None, socket: str) -> Sequence[Finding]:
    from crewd.config.home import home_from  # noqa: PLC0415 - the other commands are quick
    from crewd.doctor import examine  # noqa: PLC0415 - as above
    from crewd.doctor.looking import look  # noqa: PLC0415 - as above

    try:
        home = home_from(os.environ)
    except ConfigError as mistakes:
        return [problem(Area.SOCKETS, "home", f"{one.path} {one.message}") for one in mistakes.problems]
    return examine(look(home, config, socket, lambda: _crew(client)))


def _crew(client: Client) -> "Members":
    """Ask the daemon for its crew; raises Unanswered."""
    from crewd.doctor.facts import Reply  # noqa: PLC0415 - as above
    from crewd.doctor.looking import Unanswered  # noqa: PLC0415 - as above

    replies = {Fault.DENIED: Reply.ANSWERS, Fault.ABSENT: Reply.SILENT}
    try:
        return _within(PATIENCE_SEC, lambda: _told_crew(client))
    except TimeoutError:
        raise Unanswered(Reply.SILENT, f"the answer takes longer than {PATIENCE_SEC:g} s") from None
    except RequestError as failure:
        raise Unanswered(replies.get(failure.fault, Reply.FOREIGN), str(failure)) from None


def _told_crew(client: Client) -> "Members":
    """Return the answer with one worker at most: the rest of it is wanted. Who gives it may be anybody."""
    text = b""
    for piece in client.pieces(Request("/workers", (("limit", 1),), timeout_sec=PATIENCE_SEC)):
        text += piece
        if len(text) > ANSWER_MOST_BYTES:
            raise not_crewd(client.way.where)
    crew = client.data(client.parsed(text))
    if not _is_crew(crew):
        raise not_crewd(client.way.where)
    return crew


def _is_crew(data: Any) -> bool:
    """Return whether it has what the checks go by."""
    try:
        daemon, configuration, recording = data.get("daemon", {}), data["configuration"], data["recording"]
        return (
            isinstance(daemon, dict)
            and isinstance(configuration["in_force"], bool)
            and isinstance(configuration["problems"], list)
            and isinstance(recording["lag_events"], int)
            and isinstance(recording["trouble"], str)
        )
    except (AttributeError, TypeError, KeyError):
        return False


def _within(seconds: float, ask: Callable[[], T]) -> T:
    """Return what it comes to; raise TimeoutError where that is not within so long, however slowly it goes on."""
    answer: Future[T] = Future()

    def asked() -> None:
        try:
            answer.set_result(ask())
        except BaseException as failure:  # noqa: BLE001 - it is raised where it is waited for
            answer.set_exception(failure)

    Thread(target=asked, daemon=True).start()
    return answer.result(seconds)


def _members(findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "version": __version__,
        "uid": os.geteuid(),
        "summary": {severity.value: count for severity, count in _counts(findings).items()},
        "findings": [
            {
                "severity": one.severity.value,
                "area": one.area.value,
                "name": one.name,
                "message": one.message,
                "path": one.path or None,
                "line": one.line or None,
                "remedy": one.remedy or None,
            }
            for one in findings
        ],
    }


def _counts(findings: Sequence[Finding]) -> Counter[Severity]:
    counts = Counter(dict.fromkeys(reversed(Severity), 0))
    counts.update(one.severity for one in findings)
    return counts


def _lines(findings: Sequence[Finding], screen: Screen) -> Iterator[str]:
    """What is worst comes first."""
    order = list(Severity)
    for finding in sorted(findings, key=lambda one: -order.index(one.severity)):
        if finding.severity is not Severity.OK:
            yield from _told(finding, screen)
    fine = ", ".join(one.area.value for one in findings if one.severity is Severity.OK)
    if fine:
        symbol, ascii_sign, colour = SIGNS[Severity.OK]
        yield from _wrapped(
            screen.paint(colour, screen.sign(symbol, ascii_sign)), f"nothing is wrong with: {fine}", screen
        )
    yield screen.fit(_summary(findings))


def _told(finding: Finding, screen: Screen) -> Iterator[str]:
    symbol, ascii_sign, colour = SIGNS[finding.severity]
    sign = screen.paint(colour, screen.sign(symbol, ascii_sign))
    place = plain(finding.path) + (f":{finding.line}" if finding.line else "")
    message = f"{place}: {plain(finding.message)}" if place else plain(finding.message)
    yield from _wrapped(sign, f"{finding.area}: {message}", screen)
    if finding.remedy:
        yield from _wrapped(screen.sign("→", ">"), plain(finding.remedy), screen, indent=_INDENT)


def _wrapped(sign: str, text: str, screen: Screen, indent: int = 0) -> Iterator[str]:
    """Give the text behind a sign, in as many lines as it takes: nothing is cut."""
    width = None if screen.width is None else max(20, screen.width - indent - 2)
    lines = [text] if width is None else textwrap.wrap(text, width, break_on_hyphens=False) or [""]
    first, *rest = lines
    yield f"{' ' * indent}{sign} {first}"
    yield from (f"{' ' * (indent + 2)}{line}" for line in rest)


def _summary(findings: Sequence[Finding]) -> str:
    counts = _counts(findings)
    worth = [(counts[one], one.value) for one in (Severity.PROBLEM, Severity.WARNING, Severity.NOTE) if counts[one]]
    return ", ".join(f"{count} {word}" + ("" if count == 1 else "s") for count, word in worth) or "nothing is wrong"
