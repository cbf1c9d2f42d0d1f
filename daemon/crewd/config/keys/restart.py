"""The keys of a worker: whether, when and how often it is started again, and what a manual restart clears."""

from crewd.config.key import Key
from crewd.config.kinds import Choice, Duration, Whole
from crewd.config.resets import Resets
from crewd.config.worker_kinds import Statuses
from crewd.model.spec import CLEAN_EXITS, START_LIMIT_BURST_MOST, RestartMode

RESTART = (
    Key(
        "restart",
        Choice(RestartMode, {"on-watchdog": "needs a watchdog, which this version does not have"}),
        "policy.restart",
        "After which ends it is started again, as systemd's Restart=.",
        elsewhere=("autorestart", "restart_policy"),
    ),
    Key(
        "restart_sec",
        Duration(),
        "policy.restart_sec",
        "The delay before the first restart. A worker that ended within start_success_sec waits 100ms at least.",
        elsewhere=("restart_delay",),
    ),
    Key(
        "restart_steps",
        Whole(0, 100),
        "policy.restart_steps",
        "In how many steps the delay grows from restart_sec to restart_max_delay_sec; 0: it does not grow.",
    ),
    Key(
        "restart_max_delay_sec",
        Duration(),
        "policy.restart_max_delay_sec",
        "What the delay grows to. Where restart_sec is longer, the delay does not grow.",
    ),
    Key(
        "restart_randomized_delay_sec",
        Duration(),
        "policy.restart_randomized_delay_sec",
        "A random part of up to this is added to each delay, so that many workers do not come back at once.",
    ),
    Key(
        "start_limit_burst",
        Whole(0, START_LIMIT_BURST_MOST),
        "policy.start_limit_burst",
        "How many starts, the first included, may lie within start_limit_interval_sec; one more, and it is given up. "
        "0: no limit.",
        elsewhere=("startretries", "max_restarts"),
    ),
    Key(
        "start_limit_interval_sec",
        Duration(endless=True),
        "policy.start_limit_interval_sec",
        "The sliding window of start_limit_burst; infinity: starts are counted until a run of restart_reset_sec. "
        "0: no limit.",
    ),
    Key(
        "restart_reset_sec",
        Duration(above=True, endless=True),
        "policy.restart_reset_sec",
        "A run of this length begins a new history: earlier starts no longer count, the delay begins at restart_sec.",
    ),
    Key(
        "start_success_sec",
        Duration(most=86400.0, above=True),
        "policy.start_success_sec",
        "A start has succeeded when the worker ran this long.",
        elsewhere=("startsecs",),
    ),
    Key(
        "success_exit_status",
        Statuses(CLEAN_EXITS),
        "policy.success_exit_status",
        "Exit codes and signals that count as a clean end, beside 0, HUP, INT, PIPE and TERM.",
        elsewhere=("exitcodes",),
    ),
    Key(
        "restart_prevent_exit_status",
        Statuses(),
        "policy.restart_prevent_exit_status",
        "Exit codes and signals after which it is never restarted, whatever `restart` says.",
    ),
    Key(
        "restart_force_exit_status",
        Statuses(),
        "policy.restart_force_exit_status",
        "Exit codes and signals after which it is always restarted, unless prevented.",
    ),
)

RESET = (
    Key(
        "reset",
        Resets(),
        "reset",
        "What a manual restart (`POST /restart`, `crewctl reset`) clears, and whether it restarts the process. A "
        "worker without it has no such restart.",
        example="{actions: [{type: command, argv: [/bin/true]}]}",
    ),
)
