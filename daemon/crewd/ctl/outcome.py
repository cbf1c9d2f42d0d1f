"""What became of an action, one line for each instance. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

from crewd.ctl.screen import Screen
from crewd.wording import Members, plain

DONE = {"start": "started", "stop": "stopped", "restart": "restarted", "reset-failed": "reset"}


def outcome(answer: Members, screen: Screen, least: int = 0) -> list[str]:
    """Return the lines: of the API's answer to an action. ``least``: how wide the names are at least."""
    results: Sequence[Members] = answer["results"]
    width = max(least, *(len(plain(one["instance"])) for one in results), 0)
    return [_line(one, answer, width, screen) for one in results]


def _line(one: Members, answer: Members, width: int, screen: Screen) -> str:
    name = f"{plain(one['instance']):{width}}"
    if one["ok"]:
        return f"{screen.paint('green', screen.sign('✓', '+'))} {name}  {_done(one, answer)}"
    return f"{screen.paint('red', screen.sign('✗', 'x'))} {name}  {screen.paint('red', _failure(one, answer))}"


def _done(one: Members, answer: Members) -> str:
    """Return the engine's words where nobody waited, or nothing had to be done; else what it came to."""
    if answer["waited"] and one["changed"]:
        return DONE[answer["action"]]
    return plain(one["done"])


def _failure(one: Members, answer: Members) -> str:
    reason = plain(one["message"])
    if not reason:
        reason = "not in time" if answer["timed_out"] else plain(one["done"])
    now = f" (now {plain(one['status'])})" if one["status"] else ""
    return f"not {DONE[answer['action']]}: {reason}{now}"


def summary(answer: Members) -> str:
    """Return what to say at the end where something failed, "" where nothing did."""
    failed = [plain(one["instance"]) for one in answer["results"] if not one["ok"]]
    if not failed:
        return ""
    count = len(answer["results"])
    many = f"{len(failed)} of {count} not {DONE[answer['action']]}; " if count > 1 else ""
    return f"{many}`crewctl why {failed[0]}` tells more"


def merged(answers: Iterable[Members]) -> dict[str, Any]:
    """Return several answers to one action as one."""
    parts = list(answers)
    return {
        "action": parts[0]["action"],
        "results": [one for part in parts for one in part["results"]],
        "waited": any(part["waited"] for part in parts),
        "timed_out": any(part["timed_out"] for part in parts),
    }
