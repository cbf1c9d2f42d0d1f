"""What a reset did, one line for each action. Pure: the screen is an argument.

Rules:

1. An action that failed has its reason in a line of its own below it, whole: on a terminal it is broken between words.
2. No line is wider than the screen.
"""

import textwrap
from collections.abc import Sequence

from crewd.ctl.screen import Screen, cells, cut
from crewd.wording import Members, duration, plain

GAP = "  "
INDENT = "    "
LEAST = 20
"""An object is not cut below so many cells."""


def table(actions: Sequence[Members], screen: Screen) -> list[str]:
    """Return the lines."""
    words = max((cells(plain(one["action"])) for one in actions), default=0)
    objects = max((cells(_object(one)) for one in actions), default=0)
    if screen.width is not None:
        objects = max(LEAST, min(objects, screen.width - words - 2 - len(GAP)))
    return [line for one in actions for line in _lines(one, words, objects, screen)]


def closing(answer: Members) -> str:
    """Return what to say at the end."""
    summary, took = answer["summary"], duration(round(answer["duration"] / 1000, 3))
    done, total = summary["successful_actions"], summary["total_actions"]
    name = plain(answer["worker_id"])
    if answer["success"]:
        return f"{name}: {total} of {total} done in {took}"
    return f"{name}: {summary['failed_actions']} of {total} failed, {done} done in {took}"


def _lines(one: Members, words: int, objects: int, screen: Screen) -> list[str]:
    sign, colour = (("✓", "+"), "green") if one["success"] else (("✗", "x"), "red")
    name = cut(_object(one), objects, screen.sign("…", "~"))
    word = plain(one["action"])
    head = f"{screen.paint(colour, screen.sign(*sign))} {word}{' ' * (words - cells(word))}{GAP}{name}"
    room = None if screen.width is None else screen.width - words - 2 - 2 * len(GAP) - objects
    detail = _detail(one)
    if detail and (room is None or room > 0):
        shown = detail if room is None else cut(detail, room, screen.sign("…", "~"))
        head = f"{head}{' ' * (objects - cells(name))}{GAP}{screen.paint('dim', shown)}"
    return [head.rstrip(), *_reason(one, screen)]


def _object(one: Members) -> str:
    """Return what the action was about."""
    return f"wallet {plain(one['wallet'])}" if "wallet" in one else plain(one.get("key") or "")


def _detail(one: Members) -> str:
    """Return what came of an action that succeeded, where that says more than that it did."""
    if not one["success"]:
        return ""
    if one.get("kept"):
        return "kept: the limiter of restarts"
    if "deleted" in one:
        return f"{one['deleted']} deleted"
    if "released" in one:
        return f"was held: {plain(one.get('old_value', ''))}" if one["released"] else "was not held"
    if "late" in one:
        return f"not up in time: {', '.join(map(plain, one['late']))}"
    return ", ".join(map(plain, one.get("instances", ())))


def _reason(one: Members, screen: Screen) -> list[str]:
    if one["success"]:
        return []
    text = plain(one.get("error") or "no reason was given")
    room = None if screen.width is None else max(LEAST, screen.width - len(INDENT))
    lines = [text] if room is None else textwrap.wrap(text, room)
    return [INDENT + screen.paint("red", line) for line in lines]
