"""What is allowed and probably not meant is a warning: at its place, and silent where nothing is wrong."""

# ruff: noqa: E501 - a message stands in one line, as it is printed

import pytest

from crewd.model.spec import RestartPolicy
from crewd.policy.restart import Ending, GiveUp, History, Restart, decide

NEVER = "the limit can never fire: the delays before"

WARNINGS = [
    ("directory: /nowhere", '4:16: workers.w.directory: "/nowhere" is no directory now: starts fail until it is there'),
    (
        "stderr_logfile: /nowhere/x.log",
        '4:21: workers.w.stderr_logfile: "/nowhere" is no directory now: starts fail until it is there',
    ),
    (
        "restart_max_delay_sec: 50ms",
        (
            "4:28: workers.w.restart_max_delay_sec: 50ms is less than restart_sec (100ms), so the delay does not grow: "
            "raise it, or remove it"
        ),
    ),
    (
        "start_limit_interval_sec: 4m",
        (
            f"4:31: workers.w.start_limit_interval_sec: {NEVER} 10 restarts add up to 271.5 s, no less than the interval of "
            "240 s; widen it, or lower start_limit_burst or the delays"
        ),
    ),
    (
        "restart_sec: 1m",
        (
            f"2:3: workers.w.start_limit_interval_sec: {NEVER} 10 restarts add up to 600 s, no less than the interval of "
            "600 s; widen it, or lower start_limit_burst or the delays"
        ),
    ),
    (
        "restart_reset_sec: 59s",
        (
            "4:24: workers.w.restart_reset_sec: the limit cannot fire for workers that run 59s each time: their starts are "
            "forgotten; make it 60 s (interval / burst) or more"
        ),
    ),
    (
        "restart_force_exit_status: [3]\n    restart_prevent_exit_status: [3, 4]",
        "4:32: workers.w.restart_force_exit_status: shares a status with restart_prevent_exit_status, which goes before it",
    ),
    (
        "restart_force_exit_status: [3]\n    restart: always",
        "4:32: workers.w.restart_force_exit_status: changes nothing: `restart: always` restarts after every end",
    ),
    (
        "stderr_logfile: /srv/x\n    redirect_stderr: true",
        "4:21: workers.w.stderr_logfile: is not used: redirect_stderr sends standard error to standard output",
    ),
    (
        "port: 1\n    environment: {PORT: 2, HOST: x}",
        "5:18: workers.w.environment: PORT is also set by `port`, which goes before it: remove one",
    ),
]

SILENT = [
    "directory: /",
    "environment_file: -/nowhere",
    "restart_sec: 2s",
    "start_limit_interval_sec: infinity",
    "start_limit_interval_sec: 0",
    "start_limit_burst: 0",
    "restart_sec: 1m\n    restart: no",
    "restart_sec: 5m\n    start_limit_interval_sec: 1h",
    "restart_reset_sec: 60s",
    "max_restart_attempts: 3",
    "port: 1\n    environment: {HOST: x}",
    "stdout_logfile: /dev/stdout\n    stdout_logfile_maxbytes: 0\n    instances: 3",
]


@pytest.mark.parametrize(("settings", "warning"), WARNINGS, ids=[row[0] for row in WARNINGS])
def test_a_doubtful_setting_is_warned_of(settings, warning, warned):
    """One doubt makes one warning, at the setting, or at the worker where a default is in doubt."""
    assert warned(f"workers:\n  w:\n    command: x\n    {settings}\n") == [f"crewd.yaml:{warning}"]


@pytest.mark.parametrize("settings", SILENT)
def test_what_is_sensible_is_not_warned_of(settings, warned):
    """A warning that means nothing teaches to overlook warnings."""
    assert warned(f"workers:\n  w:\n    command: x\n    {settings}\n") == []


@pytest.mark.parametrize("interval", [271, 272])
def test_the_limit_s_warning_agrees_with_the_policy(interval, warned):
    """A worker that dies at once is given up by the policy exactly where there is no warning."""
    policy = RestartPolicy(start_limit_interval_sec=interval)
    now, starts = 0.0, [0.0]
    verdict = None
    for _ in range(40):
        verdict = decide(policy, History(tuple(starts), len(starts) - 1), Ending(code=1), now, 0.0)
        if not isinstance(verdict, Restart):
            break
        now += verdict.after_sec
        starts.append(now)

    warnings = warned(f"workers: {{w: {{command: x, start_limit_interval_sec: {interval}}}}}")

    assert isinstance(verdict, GiveUp) == (warnings == [])


@pytest.mark.parametrize(
    ("program", "state"), [("/nowhere/x", "does not exist"), ("/etc/passwd", "cannot be executed")]
)
def test_a_program_that_cannot_be_run_is_warned_of(program, state, warned):
    """It may come with a later mount or package, so it is no error."""
    assert warned(f"workers: {{w: {{command: [{program}]}}}}") == [
        f'crewd.yaml:1:24: workers.w.command: "{program}" {state} now: starts fail until that changes'
    ]


def test_wildcards_are_warned_of_unless_quoted(warned):
    """No shell expands them; where that is meant, quotes say so."""
    text = "workers: {a: {command: 'ls *.txt ~/x'}, b: {command: \"ls '*.txt' '~'\"}}"

    assert warned(text) == [
        f"crewd.yaml:1:24: workers.a.command: {sign} reaches the program as it stands, for no shell expands it: "
        "quote it if that is meant"
        for sign in "*~"
    ]


def test_a_doubt_about_a_default_is_told_once_at_the_default(warned):
    """Not once for each worker that it concerns."""
    text = "defaults: {directory: /nowhere}\nworkers: {a: {command: x}, b: {command: x}}"

    assert warned(text) == [
        'crewd.yaml:1:23: defaults.directory: "/nowhere" is no directory now: starts fail until it is there'
    ]


def test_a_crew_without_workers_is_warned_of(warned):
    """An empty mapping says that none are wanted; no word of them says nothing."""
    assert warned("crewd: {}\n") == [
        "crewd.yaml:1:1: workers: there are no workers: write them here or into conf.d/*.yaml"
    ]
    assert warned("workers: {}\n") == []


SHARED = [
    (
        "a: {command: x, stdout_logfile: /srv/l}\n  b: {command: x, stderr_logfile: /srv//l}",
        (
            '3:35: workers.b.stderr_logfile: workers.a.stdout_logfile writes into the same file "/srv/l": '
            "put {instance} into it, or name another"
        ),
    ),
    (
        "a: {command: x, stdout_logfile: /srv/l, stderr_logfile: /srv/l}",
        (
            '2:59: workers.a.stderr_logfile: workers.a.stdout_logfile writes into the same file "/srv/l": '
            "use redirect_stderr: true, or name another"
        ),
    ),
    (
        "a: {command: x, stdout_logfile: /srv/l, instances: 2}",
        "2:35: workers.a.stdout_logfile: 2 instances would share a file: put {instance} into its name",
    ),
    (
        "a: {command: x, stdout_logfile: '/srv/{instance}', instances: 3}\n  b: {command: x, stdout_logfile: /srv/a-2}",
        (
            '3:35: workers.b.stdout_logfile: workers.a.stdout_logfile writes into the same file "/srv/a-2": '
            "put {instance} into it, or name another"
        ),
    ),
]


@pytest.mark.parametrize(("workers", "problem"), SHARED)
def test_two_streams_never_share_a_file(workers, problem, refused):
    """Each would rotate the file under the other."""
    assert refused(f"workers:\n  {workers}\n") == [f"crewd.yaml:{problem}"]


def test_streams_may_share_by_redirection_and_by_placeholder(warned):
    """The two ways that the refusal advises."""
    assert (
        warned("""\
defaults: {stdout_logfile: "/srv/{instance}.log"}
workers:
  a: {command: x, instances: 3, redirect_stderr: true}
  b: {command: x}
""")
        == []
    )
