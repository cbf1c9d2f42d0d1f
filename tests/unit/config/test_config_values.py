"""What is right arrives in the spec: units resolved, defaults filled in, other names understood."""

import grp
import os
import pwd
from math import inf
from pathlib import Path

import pytest

from crewd.config.accounts import Self
from crewd.config.quantities import DATABASE_PARAMETERS, database
from crewd.model.spec import (
    CLEAN_EXITS,
    CrewSpec,
    DaemonSpec,
    EngineSpec,
    ExitStatusSet,
    JournalSync,
    KillMode,
    LogFile,
    Loop,
    OnShutdown,
    RestartMode,
    RestartPolicy,
    Stdin,
    SupervisordOwner,
    WorkerSpec,
)

ROOT = Path(__file__).parents[3]
WHOLE = """\
crewd: {on_shutdown: keep, supervisord: external}
supervisord:
  loop: stock
  journal_sync: pass
  eventlisteners:
    crashmail: {command: /bin/mail -x, events: "PROCESS_STATE,TICK_5", buffer_size: 100, autostart: false, user: root}
workers:
  mail:
    command: [python3, -m, mail, "100%", 'a "b" ;c']
    name: Mail
    instances: 3
    autostart: false
    priority: 5
    directory: /srv
    environment: {QUEUE: mail, N: 010, F: 1.50, WHEN: 2024-01-01, EMPTY: "", ESC: "\\x1b", NO: no}
    environment_file: -/etc/default/mail
    user: root
    group: 0
    umask: 027
    stop_signal: SIGINT
    timeout_stop_sec: 1min 30s
    kill_mode: control-group
    stdin: pipe
    stdout_logfile: /var/log/{instance}.out
    stdout_logfile_maxbytes: 1KiB
    stdout_logfile_backups: 0
    stderr_logfile: none
    labels: {tier: back, rank: 1}
    host: 127.0.0.1
    port: 4001
    max_accounts: 10
    deployment_type: local
    restart: always
    restart_sec: 500ms
    restart_steps: 3
    restart_max_delay_sec: 2m
    restart_randomized_delay_sec: 0.25
    start_limit_burst: 5
    start_limit_interval_sec: infinity
    restart_reset_sec: 1h
    start_success_sec: 2
    success_exit_status: [2, SIGUSR1]
    restart_prevent_exit_status: [78]
    restart_force_exit_status: [TERM, 255]
"""


def test_every_key_arrives_in_the_spec(crew):
    """Each key of the model, set to something else than its default."""
    policy = RestartPolicy(
        restart=RestartMode.ALWAYS,
        restart_sec=0.5,
        restart_steps=3,
        restart_max_delay_sec=120.0,
        restart_randomized_delay_sec=0.25,
        start_limit_burst=5,
        start_limit_interval_sec=inf,
        restart_reset_sec=3600.0,
        start_success_sec=2.0,
        success_exit_status=ExitStatusSet(CLEAN_EXITS.codes | {2}, CLEAN_EXITS.signals | {10}),
        restart_prevent_exit_status=ExitStatusSet(frozenset({78})),
        restart_force_exit_status=ExitStatusSet(frozenset({255}), frozenset({15})),
    )
    mail = WorkerSpec(
        worker_id="mail",
        command=("python3", "-m", "mail", "100%", 'a "b" ;c'),
        name="Mail",
        instances=3,
        autostart=False,
        priority=5,
        directory="/srv",
        environment={
            "QUEUE": "mail",
            "N": "010",
            "F": "1.50",
            "WHEN": "2024-01-01",
            "EMPTY": "",
            "ESC": "\x1b",
            "NO": "no",
        },
        environment_file="-/etc/default/mail",
        user="root",
        group="root",
        umask=0o27,
        stop_signal="INT",
        timeout_stop_sec=90.0,
        kill_mode=KillMode.CONTROL_GROUP,
        stdin=Stdin.PIPE,
        stdout=LogFile("/var/log/{instance}.out", 1024, 0),
        stderr=LogFile("none"),
        policy=policy,
        labels={"tier": "back", "rank": "1"},
        host="127.0.0.1",
        port=4001,
        max_accounts=10,
    )
    listener = {
        "command": "/bin/mail -x",
        "events": "PROCESS_STATE,TICK_5",
        "buffer_size": "100",
        "autostart": "false",
        "user": "root",
    }

    assert crew(WHOLE).spec == CrewSpec(
        {"mail": mail},
        DaemonSpec(OnShutdown.KEEP, SupervisordOwner.EXTERNAL),
        EngineSpec(Loop.STOCK, JournalSync.PASS, {"crashmail": listener}),
    )


def test_a_worker_with_a_command_alone_has_the_spec_s_defaults(crew):
    """There is no second set of defaults."""
    assert crew("workers: {w: {command: x}}").spec == CrewSpec({"w": WorkerSpec("w", ("x",))})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("90", 90.0),
        ("1.5", 1.5),
        ('"5"', 5.0),
        ("500ms", 0.5),
        ("1s", 1.0),
        ("10m", 600.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
        ("2w", 1209600.0),
        ("1min 30s", 90.0),
        ("1h30m", 5400.0),
        ("2 hours 1 second", 7201.0),
        ("0.5 min", 30.0),
        ("3650d", 315360000.0),
    ],
)
def test_durations(text, seconds, crew):
    """A bare number is seconds; units are systemd's."""
    found = crew(f"workers: {{w: {{command: x, restart_randomized_delay_sec: {text}}}}}").spec.workers["w"].policy

    assert found.restart_randomized_delay_sec == seconds


@pytest.mark.parametrize(
    ("text", "count"),
    [("0", 0), ("1024", 1024), ("50MB", 52428800), ("50MiB", 52428800), ("1 kb", 1024), ("1GiB", 1073741824)],
)
def test_sizes(text, count, crew):
    """MB means what supervisor means by it."""
    found = crew(f"workers: {{w: {{command: x, stderr_logfile_maxbytes: {text}}}}}").spec.workers["w"]

    assert found.stderr.maxbytes == count


@pytest.mark.parametrize("text", ["022", '"022"', "0o22", "'0022'"])
def test_a_umask_is_octal_however_it_is_written(text, crew):
    """YAML 1.1 and 1.2 differ on 022: here it is what chmod means by it."""
    assert crew(f"workers: {{w: {{command: x, umask: {text}}}}}").spec.workers["w"].umask == 0o22


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("sleep 5", ("sleep", "5")),
        ("'sh -c \"exit 3\"'", ("sh", "-c", "exit 3")),
        ("\"echo 'a | b' '$HOME'\"", ("echo", "a | b", "$HOME")),
        (r"echo a\|b \$x", ("echo", "a|b", "$x")),
        (">\n      sleep\n      5", ("sleep", "5")),
        ("'a \"\" b'", ("a", "", "b")),
        ("/bin/x --url=http://h/?q", ("/bin/x", "--url=http://h/?q")),
    ],
)
def test_a_string_is_split_into_words(text, argv, crew):
    """Quotes and backslashes mean what they mean to a shell, and a protected sign is only a sign."""
    loaded = crew(f"workers:\n  w:\n    command: {text}\n")

    assert loaded.spec.workers["w"].command == argv


@pytest.mark.parametrize(
    ("alias", "key"),
    [
        ("auto_start: false", "autostart: false"),
        ("auto_restart: true", "restart: always"),
        ("auto_restart: false", "restart: no"),
        ("max_restart_attempts: 3", "start_limit_burst: 4, start_limit_interval_sec: infinity"),
        ("restart_delay_ms: 5000", "restart_sec: 5s"),
        ("cwd: /srv", "directory: /srv"),
    ],
)
def test_other_names_mean_the_same(alias, key, crew):
    """The documents' names are as good as ours."""
    assert crew(f"workers: {{w: {{command: x, {alias}}}}}").spec == crew(f"workers: {{w: {{command: x, {key}}}}}").spec


def test_defaults_stand_below_each_worker(crew):
    """A worker's own value goes first, another name of the key included; variables and labels are added."""
    workers = crew("""\
defaults: {restart_sec: 5, directory: /srv, user: root, environment: {A: "1", B: "1"}, labels: {l: x}, restart: always}
workers:
  a: {command: x}
  b: {command: x, restart_delay_ms: 7, user: null, environment: {B: "2"}, auto_restart: false}
""").spec.workers
    a, b = workers["a"], workers["b"]

    assert (a.policy.restart_sec, a.directory, a.user, a.environment) == (5.0, "/srv", "root", {"A": "1", "B": "1"})
    assert (b.policy.restart_sec, b.directory, b.user, b.environment) == (0.007, "/srv", None, {"A": "1", "B": "2"})
    assert (a.policy.restart, b.policy.restart, b.labels) == (RestartMode.ALWAYS, RestartMode.NO, {"l": "x"})


def test_anchors_and_aliases_may_be_used(crew):
    """YAML's own way of saying a thing twice works, within bounds."""
    workers = crew("workers: {a: &a {command: x, environment: &e {K: v}}, b: *a, c: {command: y, environment: *e}}")

    assert workers.spec.workers["b"].command == ("x",)
    assert workers.spec.workers["c"].environment == {"K": "v"}


def test_who_is_not_root_may_name_nobody_but_themselves(crew, refused):
    """A worker that could not be started as its user is refused when it is written down."""
    other = pwd.getpwnam("nobody")
    group = grp.getgrgid(other.pw_gid).gr_name
    somebody = Self(other.pw_uid, other.pw_gid)
    text = f"workers:\n  w: {{command: x, user: nobody, group: {other.pw_gid}}}\n  v: {{command: x}}\n"

    assert crew(text, somebody).spec.workers["w"].user == "nobody"
    assert refused(text, Self(12345, 12345)) == [
        'crewd.yaml:2:25: workers.w.user: only root can start workers as "nobody": remove it, or run crewd as root',
        (
            f'crewd.yaml:2:40: workers.w.group: only root can start workers in group "{group}": '
            "remove it, or run crewd as root"
        ),
    ]


def test_a_user_by_number_is_known_by_name(crew):
    """What follows deals in names alone."""
    text = f"workers: {{w: {{command: x, user: {os.getuid()}}}}}"

    assert crew(text).spec.workers["w"].user == pwd.getpwuid(os.getuid()).pw_name


@pytest.mark.parametrize("parameter", sorted(DATABASE_PARAMETERS))
def test_a_database_s_url_may_say_what_is_documented(parameter: str) -> None:
    """Each parameter stands in the how-to."""
    url = f"postgresql:///crewd?sslmode=prefer&{parameter}=1"

    assert database(url) == url
    assert f"`{parameter}`" in (ROOT / "docs/how-to/use-postgresql.md").read_text()
