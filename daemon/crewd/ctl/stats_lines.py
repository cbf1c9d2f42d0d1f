"""What ``crewctl stats`` says: a line for each figure. Pure. What nobody knows is left out."""

from collections.abc import Iterator

from crewd.ctl.bars import size
from crewd.wording import Members

WIDTH = 12


def lines(answer: Members) -> list[str]:
    """Return the lines: of the API's answer."""
    return [f"{name:{WIDTH}}  {text}" for name, text in _figures(answer)]


def _figures(answer: Members) -> Iterator[tuple[str, str]]:
    if answer["stale"]:
        yield "stale", "supervisord is not heard: this is the last known state"
    yield "workers", _counted(answer["workers"], answer["by_status"])
    yield "instances", _counted(answer["instances"], answer["instances_by_status"])
    yield "restarts", str(answer["restart_count"])
    if answer["error_count"] is not None or answer["reported_errors"] is not None:
        yield "errors", _errors(answer["error_count"], answer["reported_errors"])
    if answer["active_tasks"] is not None:
        yield "tasks", str(answer["active_tasks"])
    yield from _used(answer)
    yield from _accounts(answer)
    if answer["heartbeats"]["reporting"] or answer["heartbeats"]["stale"]:
        yield "heartbeats", _heartbeats(answer["heartbeats"])


def _counted(count: int, by_status: Members) -> str:
    parts = [f"{number} {status}" for status, number in by_status.items() if number]
    return f"{count}: {', '.join(parts)}" if parts else str(count)


def _errors(seen: int | None, reported: int | None) -> str:
    words = [] if seen is None else [f"{seen} ended badly"]
    words += [] if reported is None else [f"{reported} reported by the workers"]
    return ", ".join(words)


def _used(answer: Members) -> Iterator[tuple[str, str]]:
    if answer["cpu_usage"] is not None:
        yield "CPU", f"{answer['cpu_usage']:.1f} % of one core"
    if answer["memory_usage"] is not None:
        yield "memory", size(answer["memory_usage"])


def _accounts(answer: Members) -> Iterator[tuple[str, str]]:
    assigned, most = answer["assigned_accounts"], answer["max_accounts"]
    if assigned is not None or most is not None:
        yield "accounts", f"{assigned or 0}" + ("" if most is None else f" of {most}")


def _heartbeats(heartbeats: Members) -> str:
    late = heartbeats["stale"]
    overdue = f", {late} overdue" if late else ""
    return f"from {heartbeats['reporting']}{overdue}; missed so far {heartbeats['stale_count']}"
