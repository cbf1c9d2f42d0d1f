"""The dashboard of a worker: what its instances were when, why they ended, what they use, when the next try comes."""

from pieces import (
    OF_INSTANCE,
    OF_WORKER,
    RANGE,
    STATES,
    STEP,
    UNCOUNTED,
    Json,
    choice,
    chosen_by,
    column,
    dashboard,
    most,
    override,
    row,
    series,
    stat,
    steps,
    table,
    target,
    timeline,
    words,
)
from restarts import RESULTS, by_reason, counted, durations, manual, running, starts, totals

BY = "by (exported_instance)"
LEGEND = "{{exported_instance}}"
END = " @ end()"
CHANGED_MOST = f'sum {BY} (changes(crewd_worker_state{{{OF_INSTANCE},state="RUNNING"}}[{RANGE}]{END}))'
STATE_WORDS = words(dict(enumerate(STATES.items())))
NEXT_TRY = f"crewd_worker_next_restart_timestamp_seconds{{{OF_INSTANCE}}}"
STARTS_LEFT = f"crewd_worker_restart_budget_remaining{{{OF_INSTANCE}}}"


def of_the_restless(query: str) -> str:
    """Return the query for the $top instances that went up and down most often."""
    return most(f"({query})", CHANGED_MOST, "exported_instance")


def state_number() -> str:
    """Return the query for an instance's state as a number. UNKNOWN is 0: it has a series only while it is so."""
    found = [
        f'{number} * sum {BY} (crewd_worker_state{{{OF_INSTANCE},state="{name}"}})'
        for number, name in enumerate(STATES)
        if number
    ]
    return " + ".join(found)


def now() -> list[Json]:
    """What one number says."""
    return [
        running(5),
        stat(
            "Next try",
            (4, 4),
            target(f"min({NEXT_TRY}) * 1000", instant=True),
            about="When the next restart comes that is due.",
            unit="dateTimeFromNow",
            empty="none is due",
            thresholds=steps(below="orange"),
        ),
        stat(
            "Starts left",
            (3, 4),
            target(f"min({STARTS_LEFT})"),
            about="How many starts the limit leaves now to the instance that has the fewest.",
            empty="no limit",
            thresholds=steps((1, "orange"), (2, "green"), below="red"),
        ),
        *totals(4),
    ]


def instances() -> list[Json]:
    """Each instance, over time and now."""
    listed = {
        "State": state_number(),
        "Next try": f"max {BY} ({NEXT_TRY}) * 1000",
        "Started": f"max {BY} (crewd_worker_start_time_seconds{{{OF_INSTANCE}}}) * 1000",
        "Last exit": f"max {BY} (crewd_worker_last_exit_code{{{OF_INSTANCE}}})",
        "Starts left": f"min {BY} ({STARTS_LEFT})",
        "Memory": f'sum {BY} (crewd_worker_memory_bytes{{{OF_INSTANCE},kind="rss"}})',
        "CPU": f"sum {BY} (rate(crewd_worker_cpu_seconds_total{{{OF_INSTANCE}}}[{STEP}]))",
        "Open files": f"sum {BY} (crewd_worker_open_fds{{{OF_INSTANCE}}})",
    }
    return [
        timeline(
            "State",
            (24, 8),
            target(of_the_restless(state_number()), LEGEND),
            about="The process state of each instance; of many, those that went up and down most often.",
            mappings=STATE_WORDS,
        ),
        table(
            "Instances",
            (24, 9),
            {name: column(of_the_restless(query)) for name, query in listed.items()},
            about="Minus a number is the signal that ended the last run.",
            key={"exported_instance": "Instance"},
            overrides=[
                override("State", mappings=STATE_WORDS, custom__cellOptions={"type": "color-text"}),
                override("Next try", unit="dateTimeFromNow"),
                override("Started", unit="dateTimeFromNow"),
                override("Memory", unit="bytes"),
                override("CPU", unit="percentunit", decimals=1),
            ],
        ),
    ]


def ends() -> list[Json]:
    """Why runs ended, and what became of it."""
    return [
        row("Exits and restarts"),
        series(
            "Exits by reason",
            (8, 8),
            target(counted("crewd_worker_exits_total", by=" by (reason)"), "{{reason}}"),
            about="Runs that ended, those that somebody asked to end included, and starts that failed.",
            bars=True,
        ),
        by_reason(),
        series(
            "What became of restarts",
            (8, 8),
            target(counted("crewd_worker_restart_attempts_total", by=" by (result)"), "{{result}}"),
            about="A success has run for start_success_sec, a failure ended before that.",
            bars=True,
            overrides=RESULTS,
        ),
        *durations(),
        series(
            "Starts left",
            (8, 8),
            target(of_the_restless(f"min {BY} ({STARTS_LEFT})"), LEGEND),
            about="How many starts the limit leaves. At 0 the next end is the last.",
            empty="no limit",
        ),
    ]


def of_the_largest(query: str, ranked: str) -> str:
    """Return the query for the $top instances that have most of something at the end."""
    return most(query, ranked, "exported_instance")


def resources() -> list[Json]:
    """What instances use: each quantity over time, of those that have most of it at the end."""
    memory = f'sum {BY} (crewd_worker_memory_bytes{{{OF_INSTANCE},kind="%s"}}%s)'
    processor = f"sum {BY} (rate(crewd_worker_cpu_seconds_total{{{OF_INSTANCE}}}[%s]%s))"
    files = f"sum {BY} (crewd_worker_open_fds{{{OF_INSTANCE}}}%s)"
    largest = memory % ("rss", END)
    return [
        row("What instances use"),
        series(
            "Memory",
            (8, 8),
            target(of_the_largest(memory % ("rss", ""), largest), LEGEND),
            target(of_the_largest(memory % ("pss", ""), largest), f"{LEGEND}, pss"),
            about="Resident, and pss: each shared page counted by its share. With all that descends from the process.",
            unit="bytes",
        ),
        series(
            "CPU",
            (8, 8),
            target(of_the_largest(processor % (STEP, ""), processor % (RANGE, END)), LEGEND),
            about="Of one core, with all that descends from the process.",
            unit="percentunit",
        ),
        series(
            "Open files",
            (8, 8),
            target(of_the_largest(files % "", files % END), LEGEND),
            about="Open descriptors, with all that descends from the process.",
            empty=UNCOUNTED,
        ),
    ]


def reports() -> list[Json]:
    """What workers say of themselves."""
    nobody = "nobody reports"
    said = {"accounts": "assigned_accounts", "tasks": "active_tasks", "errors": "reported_errors"}
    return [
        row("What workers report"),
        series(
            "Last heartbeat",
            (8, 8),
            target(f"max(crewd_worker_heartbeat_age_seconds{{{OF_WORKER}}})", "age"),
            about="How long ago the last one came, of the instance that is silent longest.",
            unit="s",
            empty=nobody,
        ),
        series(
            "Busy with",
            (8, 8),
            *(target(f"sum(crewd_worker_{name}{{{OF_WORKER}}})", legend) for legend, name in said.items()),
            about="As the instances that run last said.",
            empty=nobody,
        ),
        manual(),
    ]


def build() -> Json:
    """Return the dashboard."""
    names = f"label_values(crewd_worker_state{{{OF_WORKER}}}, exported_instance)"
    started = f"max {BY} (crewd_worker_start_time_seconds{{{OF_INSTANCE}}}) * 1000"
    return dashboard(
        "crewd-worker",
        "crewd: worker",
        "One worker, or a few: states, exits, outages, memory, CPU, what it reports, and when the next try comes.",
        [*now(), *instances(), *ends(), *resources(), *reports()],
        variables=chosen_by(choice("instance", "Instance", names)),
        annotations=[starts(of_the_restless(started), "exported_instance")],
    )
