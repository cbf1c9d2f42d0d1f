"""What ``crewctl status`` says above the table: what is wrong with crewd itself, then the crew in one line. Pure."""

from collections import Counter
from collections.abc import Sequence

from crewd.ctl.crew_table import SIGNS
from crewd.ctl.screen import Screen
from crewd.wording import Members, counted, plain

PROBLEMS_MOST = 5
"""So many mistakes of a configuration are shown; the rest is counted."""
LAG_MOST = 1000
"""Recording that is no more than so many events behind is no trouble."""


def headlines(answer: Members, screen: Screen) -> list[str]:
    """Return a line for each trouble, and one on the crew: of the answer to ``GET /workers``."""
    lines = [_trouble(line, screen) for line in troubles(answer)]
    return [*lines, _crew(answer["workers"], screen)]


def troubles(answer: Members) -> list[str]:
    """Return what is wrong with crewd itself, the picture, the configuration in force, and the record of what happened.

    Lines that begin with a blank go with the line above.
    """
    return [
        *(f"crewd is not ready: {plain(reason)}" for reason in answer["daemon"].get("not_ready") or ()),
        *_picture(answer["stale"], answer["supervisord"]),
        *_configuration(answer["configuration"]),
        *_recording(answer["recording"]),
    ]


def _picture(stale: bool, supervisord: Members) -> list[str]:
    if not stale:
        return []
    what = "supervisord is not there" if not supervisord["up"] else "supervisord is not heard"
    words = plain(supervisord.get("words") or "")
    return [f"{what}: this is the last known state" + (f" ({words})" if words else "")]


def _configuration(configuration: Members) -> list[str]:
    lines = [f"drift: {plain(sentence)}" for sentence in configuration["drift"]]
    if configuration["in_force"]:
        return lines
    problems: Sequence[str] = configuration["problems"]
    shown = [f"  {plain(problem)}" for problem in problems[:PROBLEMS_MOST]]
    more = len(problems) - PROBLEMS_MOST
    rest = [f"  and {more} more: `crewctl check` lists all"] if more > 0 else []
    return ["the configuration is not in force:", *shown, *rest, *lines]


def _recording(recording: Members) -> list[str]:
    trouble, lag = plain(recording["trouble"]), recording["lag_events"]
    if trouble:
        return [f"what happens is not recorded: {trouble}"]
    return [f"recording is {lag} events behind"] if lag > LAG_MOST else []


def _trouble(line: str, screen: Screen) -> str:
    sign = "  " if line.startswith(" ") else f"{screen.sign('▲', '!')} "
    return screen.paint("yellow", screen.fit(sign + line))


def _crew(workers: Sequence[Members], screen: Screen) -> str:
    statuses = Counter(one["status"] for worker in workers for one in worker["instances"])
    if not statuses:
        return "no workers"
    whole = f"{counted(len(workers), 'worker')}, {counted(statuses.total(), 'instance')}: "
    order = {word: place for place, word in enumerate(SIGNS)}
    counts = [(word, statuses[word]) for word in sorted(statuses, key=lambda word: order.get(word, len(order)))]
    text = whole + ", ".join(f"{number} {plain(word)}" for word, number in counts)
    if screen.fit(text) != text:
        return screen.fit(text)
    return whole + ", ".join(_painted(word, number, screen) for word, number in counts)


def _painted(word: str, number: int, screen: Screen) -> str:
    return screen.paint(SIGNS.get(word, ("", "", ""))[2], f"{number} {plain(word)}")
