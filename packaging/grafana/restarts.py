"""What both dashboards show: how many run, how often they are restarted, how well, and how long they are away."""

from pieces import (
    OF_WORKER,
    RANGE,
    STEP,
    Json,
    annotation,
    colours,
    heatmap,
    quantile,
    quotient,
    series,
    stat,
    steps,
    target,
)

DURATION = "crewd_worker_restart_duration_seconds"
NO_RESTARTS = "no restarts"
SUCCESS = steps((0.5, "orange"), (0.9, "green"), below="red")
OUTAGE = steps((5, "orange"), (60, "red"))
RESULTS = colours({"success": "green", "failure": "red"})


def in_state(states: str, by: str = "") -> str:
    """Return the query for how many instances are in one of the states."""
    return f'sum{by} (crewd_worker_state{{{OF_WORKER},state=~"{states}"}})'


def counted(metric: str, window: str = STEP, by: str = "") -> str:
    """Return the query for how much a counter of workers grew within a window."""
    return f"sum{by} (increase({metric}{{{OF_WORKER}}}[{window}]))"


def success(by: str = "") -> str:
    """Return the query for what part of the restarts succeeded, within the time shown."""
    attempts = "crewd_worker_restart_attempts_total"
    chosen = f'sum{by} (increase({attempts}{{{OF_WORKER},result="success"}}[{RANGE}]))'
    return quotient(chosen, counted(attempts, RANGE, by))


def outage(by: str = "") -> str:
    """Return the query for how long 95 of 100 outages last at most, within the time shown."""
    return quantile(0.95, DURATION, OF_WORKER, RANGE, by)


def running(width: int) -> Json:
    """Return how many run, of how many."""
    return stat(
        "Instances",
        (width, 4),
        target(in_state("RUNNING"), "running"),
        target(in_state(".+"), "in all"),
        about="How many processes run, and how many there would be if all did.",
    )


def totals(width: int) -> list[Json]:
    """Return the three rates as a number each."""
    return [
        stat(
            "Restarts",
            (width, 4),
            target(counted("crewd_worker_restarts_total", RANGE), instant=True),
            about="Starts that the restart policy ordered, within the time shown.",
            decimals=0,
        ),
        stat(
            "Succeeded",
            (width, 4),
            target(success(), instant=True),
            about="What part of the restarts that are decided succeeded, within the time shown.",
            unit="percentunit",
            empty=NO_RESTARTS,
            thresholds=SUCCESS,
        ),
        stat(
            "Outage, 95 of 100",
            (width, 4),
            target(outage(), instant=True),
            about="From the exit to the next process, the policy's delay included: 95 of 100 took no longer.",
            unit="s",
            empty=NO_RESTARTS,
            thresholds=OUTAGE,
        ),
    ]


def by_reason() -> Json:
    """Return why there were restarts."""
    return series(
        "Restarts by reason",
        (8, 8),
        target(counted("crewd_worker_restarts_total", by=" by (reason)"), "{{reason}}"),
        about="Starts that the restart policy ordered, by why the run before ended.",
        bars=True,
    )


def durations() -> list[Json]:
    """Return how long outages are, over time."""
    return [
        heatmap(
            "Outages",
            (8, 8),
            target(counted(f"{DURATION}_bucket", by=" by (le)"), "{{le}}", form="heatmap"),
            about="Successful restarts by how long they took, from exit to spawn.",
        ),
        series(
            "Outages, quantiles",
            (8, 8),
            *(target(quantile(q, DURATION, OF_WORKER, STEP), f"{q * 100:.0f} of 100") for q in (0.5, 0.95, 0.99)),
            about="So many of the restarts took no longer.",
            unit="s",
            empty=NO_RESTARTS,
        ),
    ]


def manual() -> Json:
    """Return the restarts that somebody asked for."""
    return series(
        "Manual restarts",
        (8, 8),
        target(counted("crewd_manual_restarts_total", by=" by (result)"), "{{result}}"),
        about="Restarts with a reset, that somebody asked for.",
        bars=True,
        overrides=RESULTS,
        empty="nobody has a reset",
    )


def starts(query: str, who: str) -> Json:
    """Return a mark at each start of a process that is among those asked for."""
    return annotation("Restarts", query, "orange", f"{{{{{who}}}}}: a process was started")
