"""The dashboard of all crews: who runs, who does not, what restarts cost, and whether crewd itself is well."""

from pieces import (
    OF_CREWD,
    OF_WORKER,
    RANGE,
    STATES,
    STEP,
    UNCOUNTED,
    Json,
    annotation,
    chosen_by,
    colours,
    column,
    dashboard,
    most,
    override,
    quantile,
    quotient,
    ranking,
    row,
    series,
    stat,
    steps,
    table,
    target,
    timeline,
    words,
)
from restarts import (
    NO_RESTARTS,
    OUTAGE,
    SUCCESS,
    by_reason,
    counted,
    durations,
    in_state,
    manual,
    outage,
    running,
    starts,
    success,
    totals,
)

BY_WORKER = " by (worker)"
RESTARTED_MOST = f"sum by (worker) (increase(crewd_worker_restarts_total{{{OF_WORKER}}}[{RANGE}] @ end()))"
TO_WORKER = {
    "title": "Everything about ${__value.text}",
    "url": "/d/crewd-worker?var-worker=${__value.text}&${datasource:queryparam}&${job:queryparam}&${crewd:queryparam}"
    "&${__url_time_range}",
}
IN_ORDER = words({1: ("in order", "green"), 0: ("out of order", "red")})
COLOURED = {"type": "color-text"}


def now() -> list[Json]:
    """What one number says."""
    return [
        running(4),
        stat(
            "A restart is due",
            (3, 4),
            target(in_state("BACKOFF")),
            about="Instances that ended and wait for their next start.",
            thresholds=steps((1, "orange")),
        ),
        stat(
            "Given up",
            (3, 4),
            target(in_state("FATAL")),
            about="Instances that reached their start limit: they stay down until somebody starts them.",
            thresholds=steps((1, "red")),
        ),
        *totals(3),
        stat(
            "Silent",
            (2, 4),
            target(f"sum(crewd_worker_heartbeat_stale{{{OF_WORKER}}})"),
            about="Instances that run and whose heartbeat is overdue.",
            empty="no reports",
            thresholds=steps((1, "red")),
        ),
        stat(
            "crewd",
            (3, 4),
            target(
                f"min(crewd_supervisord_up{{{OF_CREWD}}}) * min(crewd_store_up{{{OF_CREWD}}})"
                f" * (1 - max(crewd_picture_stale{{{OF_CREWD}}}))"
            ),
            about="Whether supervisord answers, the database takes what happens, and what is shown is of now.",
            empty="not scraped",
            mappings=IN_ORDER,
        ),
    ]


def states() -> list[Json]:
    """Who is in what state."""
    troubled = f'topk($top, crewd_worker_state{{{OF_WORKER},state=~"BACKOFF|FATAL|UNKNOWN"}} == 1)'
    its = "and on (job, instance, worker, exported_instance)"
    return [
        series(
            "Instances by state",
            (12, 8),
            target(in_state(".+", " by (state)"), "{{state}}"),
            about="How many instances are in each process state.",
            stacked=True,
            overrides=colours(STATES),
        ),
        table(
            "Not running as it should",
            (12, 8),
            {
                "": column(troubled),
                "Last exit": column(f"crewd_worker_last_exit_code{{{OF_WORKER}}} {its} {troubled}"),
                "Next try": column(
                    f"crewd_worker_next_restart_timestamp_seconds{{{OF_WORKER}}} * 1000 {its} {troubled}"
                ),
            },
            about="Given up, or waiting for the next start. Minus a number is the signal that ended it.",
            key={"exported_instance": "Instance", "worker": "Worker", "state": "State"},
            overrides=[override("Next try", unit="dateTimeFromNow"), override("Worker", links=[TO_WORKER])],
            empty="all is well",
        ),
    ]


def workers() -> list[Json]:
    """A line for each worker that is restarted most."""
    listed = {
        "Instances": in_state(".+", BY_WORKER),
        "Running": in_state("RUNNING", BY_WORKER),
        "Given up": in_state("FATAL", BY_WORKER),
        "Restarts": counted("crewd_worker_restarts_total", RANGE, BY_WORKER),
        "Succeeded": success(BY_WORKER),
        "Outage, 95 of 100": outage(", worker"),
        "Memory": f'sum by (worker) (crewd_worker_memory_bytes{{{OF_WORKER},kind="rss"}})',
        "CPU": f"sum by (worker) (rate(crewd_worker_cpu_seconds_total{{{OF_WORKER}}}[{STEP}]))",
    }
    return [
        row("Workers"),
        table(
            "Restarted most",
            (24, 8),
            {name: column(most(query, RESTARTED_MOST)) for name, query in listed.items()},
            about="The workers with the most restarts within the time shown; as many as `Show at most` says.",
            key={"worker": "Worker"},
            overrides=[
                override("Worker", links=[TO_WORKER]),
                override("Given up", thresholds=steps((1, "red"), below="text"), custom__cellOptions=COLOURED),
                override("Restarts", decimals=0),
                override("Succeeded", unit="percentunit", thresholds=SUCCESS, custom__cellOptions=COLOURED),
                override("Outage, 95 of 100", unit="s"),
                override("Memory", unit="bytes"),
                override("CPU", unit="percentunit", decimals=1),
            ],
        ),
    ]


def rates() -> list[Json]:
    """How often, why, how well, and for how long."""
    return [
        row("Restarts"),
        series(
            "Restarts by worker",
            (8, 8),
            target(most(counted("crewd_worker_restarts_total", by=BY_WORKER), RESTARTED_MOST), "{{worker}}"),
            about="Those with the most restarts; as many as `Show at most` says.",
            bars=True,
        ),
        by_reason(),
        ranking(
            "Succeeded least",
            (8, 8),
            target(f"bottomk($top, {success(BY_WORKER)})", "{{worker}}", instant=True),
            about="What part of its restarts succeeded, of the workers for which that is least, within the time shown.",
            unit="percentunit",
            empty=NO_RESTARTS,
            thresholds=SUCCESS,
            top=1,
        ),
        row("How long workers are away"),
        *durations(),
        ranking(
            "Away longest",
            (8, 8),
            target(f"topk($top, {outage(', worker')})", "{{worker}}", instant=True),
            about="How long an outage lasts in 95 of 100 cases, of the workers for which that is longest.",
            unit="s",
            empty=NO_RESTARTS,
            thresholds=OUTAGE,
        ),
    ]


def resources() -> list[Json]:
    """What workers use: each quantity over time, of those that have most of it at the end."""
    memory = f'sum by (worker) (crewd_worker_memory_bytes{{{OF_WORKER},kind="rss"}}%s)'
    processor = f"sum by (worker) (rate(crewd_worker_cpu_seconds_total{{{OF_WORKER}}}[%s]%s))"
    files = f"sum by (worker) (crewd_worker_open_fds{{{OF_WORKER}}}%s)"
    end = " @ end()"
    shown = [
        ("Memory", "bytes", most(memory % "", memory % end)),
        ("CPU", "percentunit", most(processor % (STEP, ""), processor % (RANGE, end))),
        ("Open files", "short", most(files % "", files % end)),
    ]
    empty = {"Open files": UNCOUNTED}
    about = "All instances of a worker together, with all that descends from them; the workers that have the most."
    return [
        row("What workers use"),
        *(
            series(title, (8, 8), target(query, "{{worker}}"), about=about, unit=unit, empty=empty.get(title, ""))
            for title, unit, query in shown
        ),
    ]


def crewd_itself() -> list[Json]:
    """Whether what is seen is true, and what crewd costs."""
    rpc = "sum by (method) (rate(crewd_supervisord_rpc_duration_seconds_%s{%s}[$__range]))"
    health = {
        "supervisord": f"min(crewd_supervisord_up{{{OF_CREWD}}})",
        "database": f"min(crewd_store_up{{{OF_CREWD}}})",
        "picture": f"1 - max(crewd_picture_stale{{{OF_CREWD}}})",
        "configuration": f"min(crewd_config_last_apply_successful{{{OF_CREWD}}})",
    }
    behind = {
        "events not stored": f"sum(crewd_journal_lag_events{{{OF_CREWD}}})",
        "audit not stored": f"sum(crewd_audit_lag_entries{{{OF_CREWD}}})",
        "events lost": f"sum(increase(crewd_journal_lost_events_total{{{OF_CREWD}}}[{STEP}]))",
        "audit lost": f"sum(increase(crewd_audit_lost_total{{{OF_CREWD}}}[{STEP}]))",
    }
    lag = {q: quantile(q, "crewd_engine_restart_lag_seconds", OF_CREWD, STEP) for q in (0.5, 0.99)}
    return [
        row("crewd itself"),
        timeline(
            "In order?",
            (8, 8),
            *(target(query, name) for name, query in health.items()),
            about="supervisord answers; the database takes what happens; states are of now; the file is in force.",
            mappings=IN_ORDER,
        ),
        series(
            "How late restarts were spawned",
            (8, 8),
            *(target(query, f"{q * 100:.0f} of 100") for q, query in lag.items()),
            about="From the moment a start was due to its spawn: what crewd itself costs.",
            unit="s",
            empty=NO_RESTARTS,
        ),
        series(
            "Not stored yet, and lost",
            (8, 8),
            *(target(query, name) for name, query in behind.items()),
            about="How far the database is behind, and what it will never have.",
        ),
        series(
            "Events",
            (8, 8),
            target(f"sum by (type) (increase(crewd_events_total{{{OF_CREWD}}}[{STEP}])) > 0", "{{type}}"),
            about="Lines of the journal that were stored.",
            bars=True,
        ),
        series(
            "Calls of supervisord",
            (8, 8),
            target(quotient(rpc % ("sum", OF_CREWD), rpc % ("count", OF_CREWD)), "{{method}}"),
            about="How long they take on average.",
            unit="s",
        ),
        manual(),
    ]


def build() -> Json:
    """Return the dashboard."""
    started = f"max by (job, instance, worker) (crewd_worker_start_time_seconds{{{OF_WORKER}}} * 1000)"
    applied = f"crewd_config_last_apply_timestamp_seconds{{{OF_CREWD}}} * 1000"
    return dashboard(
        "crewd-overview",
        "crewd: overview",
        "All workers of all crews that are scraped: states, restarts, outages, and crewd itself.",
        [*now(), *states(), *workers(), *rates(), *resources(), *crewd_itself()],
        variables=chosen_by(),
        annotations=[
            starts(most(started, f"{RESTARTED_MOST} > 0"), "worker"),
            annotation("Configurations", applied, "blue", "a configuration was applied"),
        ],
    )
