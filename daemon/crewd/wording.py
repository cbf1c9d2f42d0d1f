"""What is printed of an instance: the engine's answers (docs/reference/engine-rpc.md) in tables and sentences.

Rules:

1. Pure: a member that a newer engine words differently is shown as it is, one that is missing is left out.
2. Text from outside (messages, names) is stripped of everything that a terminal could take for a command.
"""

import signal
import time
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Members = Mapping[str, Any]

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_NOTHING = "-"


def plain(text: object) -> str:
    """Return the text in one line, without control, formatting or unassigned characters and lone surrogates."""
    words = str(text)
    return " ".join((words if words.isprintable() else "".join(map(_shown, words))).split())


def _shown(sign: str) -> str:
    if sign.isspace():
        return " "
    return "" if unicodedata.category(sign).startswith("C") else sign


def counted(number: int, thing: str) -> str:
    """Return ``1 problem``, ``2 problems``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def duration(seconds: float | str | None) -> str:
    """Return a length of time for people, in its two largest units."""
    if seconds is None:
        return _NOTHING
    if isinstance(seconds, str):
        return plain(seconds)
    if seconds < 1:
        return f"{max(0.0, seconds):.3g} s"
    if seconds < _MINUTE:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    for most, large, small in ((_HOUR, _MINUTE, 1), (_DAY, _HOUR, _MINUTE), (float("inf"), _DAY, _HOUR)):
        if seconds < most:
            whole, rest = divmod(int(seconds), large)
            return f"{whole} {_UNITS[large]}" + (f" {rest // small} {_UNITS[small]}" if rest // small else "")
    return "for ever"


_UNITS = {1: "s", _MINUTE: "min", _HOUR: "h", _DAY: "d"}


def moment(unix: float | None) -> str:
    """Return a time of day, local, as the terminal's clock shows it."""
    return _NOTHING if unix is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix))


def signal_name(number: int) -> str:
    """Return ``SIGKILL`` for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the rows in columns, no wider than what is in them."""
    lines = [tuple(head), *(tuple(map(plain, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def restarts(instances: Iterable[Members]) -> list[str]:
    """Return a table: one line for each instance."""
    return table(
        ("INSTANCE", "STATE", "RESTARTS", "BUDGET", "LAST EXIT", "NEXT TRY"),
        (
            (
                one["instance"],
                one["process_state"],
                str(one["restart_count"]),
                _NOTHING if one.get("budget") is None else str(one["budget"]),
                _last_exit(one.get("last_exit")),
                _NOTHING if one.get("due_in_sec") is None else f"in {duration(max(0.0, one['due_in_sec']))}",
            )
            for one in instances
        ),
    )


def _last_exit(past: Members | None) -> str:
    return _NOTHING if past is None else f"{ending({**past, 'message': ''})}, {moment(past['at'])}"


def history(answers: Iterable[Members]) -> list[str]:
    """Return a table: one line for each remembered exit, the newest last."""
    return table(
        ("INSTANCE", "AT", "RAN", "REASON", "HOW", "VERDICT", "DELAY"),
        (
            (
                one["instance"],
                moment(past["at"]),
                duration(past["ran_sec"]),
                past["reason"],
                ending(past),
                past.get("verdict") or _NOTHING,
                duration(past.get("delay_sec")),
            )
            for one in answers
            for past in one["exits"]
        ),
    )


def ending(past: Members) -> str:
    """Return how a run ended, in a few words."""
    if past.get("signal") is not None:
        core = " with a core dump" if past["reason"] == "CoreDump" else ""
        return signal_name(past["signal"]) + core
    if past.get("code") is not None:
        return f"exit code {past['code']}"
    how = {"SpawnFailed": "could not be started", "SupervisorLost": "lost with its supervisord"}
    message = f": {plain(past['message'])}" if past.get("message") else ""
    return how.get(past["reason"], plain(past["reason"])) + message


def why(one: Members, *, reset_verb: str = "reset_failed") -> list[str]:
    """Return sentences: how the instance is, its last exits with the verdicts, what the limit leaves.

    ``reset_verb``: what the command line that shows them calls the verb that forgets the exits.
    """
    lines = [_standing(one, reset_verb), ""]
    if one["exits"]:
        lines.append("Its last exits, the newest last:")
        lines.extend(f"  {moment(past['at'])}  {_exit(past, one['policy'])}" for past in one["exits"])
    else:
        lines.append("It has not ended since it was added.")
    lines += ["", _count(one), _budget(one)]
    return lines


def _standing(one: Members, reset_verb: str) -> str:
    name, state, standing = plain(one["instance"]), one["process_state"], one["standing"]
    word = f"({plain(state)})"
    match state:
        case "RUNNING":
            return f"{name} is running {word}: pid {one['pid']}, for {duration(one.get('uptime_sec'))}."
        case "STARTING":
            return f"{name} was started {duration(one.get('uptime_sec'))} ago {word}: pid {one['pid']}."
        case "STOPPING":
            return f"{name} is being stopped {word}: pid {one['pid']}."
        case "BACKOFF" if one.get("due_in_sec") is not None:
            in_time = duration(max(0.0, one["due_in_sec"]))
            return f"{name} waits for its restart {word}: next try in {in_time}, at {moment(one['restart_at'])}."
        case "FATAL":
            ways = f"`start {name}`, or `{reset_verb} {name}` and a start"
            return f"{name} was given up {word}: it stays down until {ways}."
        case "EXITED":
            return f"{name} has ended, and no restart is wanted {word}."
        case "STOPPED" if standing == "stopped":
            return f"{name} was {_put_down(one)} by an operator {word}: it stays down until `start {name}`."
        case "STOPPED" if standing == "new":
            return f"{name} was never started {word}."
        case _:
            return f"{name} is {plain(state)}; its last word is {plain(standing)}."


def _put_down(one: Members) -> str:
    """Return what an operator did to one that is down: no verdict falls on what is stopped; a reset leaves one."""
    last = one.get("last_exit")
    return "stopped" if last and last.get("verdict") in {None, "OperatorStop"} else "stopped, or reset,"


def _exit(past: Members, policy: Members) -> str:
    ran = "" if past["reason"] == "SpawnFailed" else f" after {duration(past['ran_sec'])}"
    words = " -> ".join(filter(None, [past["reason"], past.get("verdict")]))
    return f"{ending(past)}{ran}; {_verdict(past, policy)} ({plain(words)})."


def _verdict(past: Members, policy: Members) -> str:
    match past.get("verdict"):
        case None:
            return "it was being stopped, so nothing was decided"
        case "Restarted":
            return f"to be started again after {duration(past.get('delay_sec'))}"
        case "NotWanted":
            return f"no restart, for `restart: {plain(policy['restart'])}` asks for none"
        case "Prevented":
            return "no restart, for its status is in restart_prevent_exit_status"
        case "StartLimitHit":
            return f"given up, for {_limit(policy)} are the limit"
        case "OperatorStop":
            return "no restart, for an operator stopped it"
        case other:
            return plain(other)


def _limit(policy: Members) -> str:
    interval = policy["start_limit_interval_sec"]
    within = "all in all" if interval == "infinity" else f"within {duration(interval)}"
    return f"{policy['start_limit_burst']} starts {within}"


def _count(one: Members) -> str:
    count = one["restart_count"]
    times = {0: "never restarted", 1: "restarted once", 2: "restarted twice"}.get(count, f"restarted {count} times")
    return f"It was {times} since it was added."


def _budget(one: Members) -> str:
    left = one.get("budget")
    if left is None:
        return "There is no limit to its starts."
    starts = {0: "no start", 1: "one start"}.get(left, f"{left} starts")
    return f"The limit leaves {starts} now: {_limit(one['policy'])}."
