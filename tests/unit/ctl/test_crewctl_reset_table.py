"""What ``crewctl reset`` shows: pure, so each line is looked at."""

from typing import Any

from crewd.ctl.reset_table import closing, table
from crewd.ctl.screen import Screen, cells

ACTIONS: list[dict[str, Any]] = [
    {"action": "release_lock", "key": "a_lock", "success": True, "released": True, "old_value": "ingest-0:17"},
    {"action": "release_lock", "key": "b_lock", "success": True, "released": False},
    {"action": "release_wallet_lock", "wallet": "e16", "success": True, "released": True, "old_value": "x\x1b[31m"},
    {"action": "clear_ratelimit", "key": "ratelimit:/:", "success": True, "deleted": 12},
    {"action": "clear_ratelimit", "key": "ratelimit:/restart:", "success": True, "deleted": 0, "kept": True},
    {"action": "call_restart", "key": "https://w/restart", "success": False, "error": "cannot call it: " + "x y " * 40},
    {"action": "restart_process", "key": "ingest", "success": True, "instances": ["ingest-0", "ingest-1"]},
    {"action": "log_restart_event", "success": True},
]


def test_a_line_for_each_action_and_why_one_failed() -> None:
    """Through a pipe nothing is cut."""
    lines = table(ACTIONS, Screen())

    assert lines == [
        "✓ release_lock         a_lock               was held: ingest-0:17",
        "✓ release_lock         b_lock               was not held",
        "✓ release_wallet_lock  wallet e16           was held: x[31m",
        "✓ clear_ratelimit      ratelimit:/:         12 deleted",
        "✓ clear_ratelimit      ratelimit:/restart:  kept: the limiter of restarts",
        "✗ call_restart         https://w/restart",
        f"    cannot call it: {'x y ' * 40}".rstrip(),
        "✓ restart_process      ingest               ingest-0, ingest-1",
        "✓ log_restart_event",
    ]


def test_processes_that_are_not_up_in_time_are_named() -> None:
    """It was done, and may still come."""
    late = {"action": "restart_process", "key": "w", "success": True, "instances": ["w-0", "w-1"], "late": ["w-1"]}

    assert table([late], Screen()) == ["✓ restart_process  w  not up in time: w-1"]


def test_no_line_is_wider_than_the_terminal() -> None:
    """At any width; reasons are broken between words, and whole."""
    for width in range(30, 130):
        lines = table(ACTIONS, Screen(width=width, symbols=False))

        assert max(map(cells, lines)) <= max(width, 44)
        assert " ".join(line.strip() for line in lines if line.startswith("    ")).count("x y") == 40
        assert lines[0].startswith("+ release_lock")


def test_colour_says_what_the_sign_says() -> None:
    """And is left out where there is none."""
    lines = table(ACTIONS, Screen(colour=True))

    assert lines[0].startswith("\x1b[32m✓\x1b[0m release_lock")
    assert lines[5].startswith("\x1b[31m✗\x1b[0m call_restart")


def test_the_end_counts() -> None:
    """How many of how many, and how long it took."""
    summary = {"total_actions": 8, "successful_actions": 7, "failed_actions": 1}
    answer = {"success": False, "worker_id": "ingest", "duration": 1130, "summary": summary}
    done = {"success": True, "summary": {**summary, "successful_actions": 8, "failed_actions": 0}}

    assert closing(answer) == "ingest: 1 of 8 failed, 7 done in 1.1 s"
    assert closing({**answer, **done}) == "ingest: 8 of 8 done in 1.1 s"
