"""What is meant for one instance, and which changes of it need a restart."""

from dataclasses import fields, replace

import pytest

from crewd.model.home import Home
from crewd.model.spec import ExitStatusSet, KillMode, LogFile, RestartMode, RestartPolicy, Stdin, WorkerSpec
from crewd.supervisord.program import fingerprint, program, settings
from crewd.supervisord.surroundings import Account, Identity, Surroundings

HOME = Home.under("/srv/crew")
WEB = WorkerSpec("web", ("serve",))
APP = Account("app", 1001, 1002, "/home/app", "/bin/sh")

NEED_A_RESTART = {
    "command": ("serve", "--more"),
    "directory": "/srv",
    "environment": {"A": "1"},
    "umask": 0o27,
    "stdin": Stdin.PIPE,
    "stdout": LogFile("none"),
    "stderr": LogFile("/dev/null"),
    "redirect_stderr": True,
    "name": "Web",  # these are in its environment
    "host": "::1",
    "port": 80,
    "max_accounts": 3,
}
NEED_NONE = {
    "autostart": False,
    "priority": 3,
    "stop_signal": "INT",
    "timeout_stop_sec": 99.5,
    "kill_mode": KillMode.PROCESS,
    "policy": RestartPolicy(restart=RestartMode.ALWAYS, success_exit_status=ExitStatusSet(frozenset({3}))),
}
LOOKED_UP = {"user", "group", "environment_file"}
"""Their meaning, not their name, comes into the fingerprint: see below."""
NOBODYS_BUSINESS = {"worker_id", "instances", "labels", "reset", "heartbeat_stale_sec", "essential"}


def digests(worker, surroundings=None):
    meant = program(worker, 0, HOME, surroundings or Surroundings("box"))
    return fingerprint(meant, worker), settings(meant, worker)


def test_every_setting_of_a_worker_is_in_one_of_the_lists():
    """A new setting has to be decided on."""
    names = {field.name for field in fields(WorkerSpec)}

    assert names == NEED_A_RESTART.keys() | NEED_NONE.keys() | LOOKED_UP | NOBODYS_BUSINESS


@pytest.mark.parametrize("key", NEED_A_RESTART)
def test_a_change_that_needs_a_restart_changes_the_fingerprint(key):
    """The engine restarts the instance."""
    before, after = digests(WEB), digests(replace(WEB, **{key: NEED_A_RESTART[key]}))

    assert before[0] != after[0]
    assert before[1] != after[1]


@pytest.mark.parametrize("key", NEED_NONE)
def test_a_change_that_needs_none_changes_the_settings_alone(key):
    """The engine takes it over in place."""
    before, after = digests(WEB), digests(replace(WEB, **{key: NEED_NONE[key]}))

    assert before[0] == after[0]
    assert before[1] != after[1]


@pytest.mark.parametrize("policy_key", [field.name for field in fields(RestartPolicy)])
def test_every_key_of_the_policy_is_in_the_settings(policy_key):
    """A worker that was given up is started when its policy changes."""
    other = RestartPolicy(
        RestartMode.ALWAYS, 9, 9, 9, 9, 9, 9, 9, 9, ExitStatusSet(), *2 * [ExitStatusSet(frozenset({9}))]
    )
    changed = replace(WEB, policy=replace(WEB.policy, **{policy_key: getattr(other, policy_key)}))

    assert digests(changed)[1] != digests(WEB)[1]


def test_the_size_of_a_log_changes_in_place_and_its_path_does_not():
    """The descriptors that the worker writes to stay the same."""
    bigger = replace(WEB, stdout=LogFile(maxbytes=1, backups=1))

    assert digests(bigger)[0] == digests(WEB)[0]
    assert digests(bigger)[1] != digests(WEB)[1]


def test_the_content_of_the_environment_file_and_the_user_are_in_the_fingerprint():
    """Not the words of the YAML count but what they mean now."""
    one = digests(WEB, Surroundings("box", environment_files={"web": {"A": "1"}}))
    two = digests(WEB, Surroundings("box", environment_files={"web": {"A": "2"}}))
    three = digests(WEB, Surroundings("box", identities={"web": Identity(1001, 1002, APP)}))

    assert len({digests(WEB)[0], one[0], two[0], three[0]}) == 4


def test_later_sources_of_the_environment_win():
    """Account, file, environment, crewd."""
    worker = replace(WEB, environment={"B": "yaml", "PORT": "1", "HOME": "/tmp"}, port=80)
    surroundings = Surroundings(
        "box", identities={"web": Identity(account=APP)}, environment_files={"web": {"A": "file", "B": "file"}}
    )

    assert program(worker, 2, HOME, surroundings).environment == {
        "HOME": "/tmp",
        "USER": "app",
        "LOGNAME": "app",
        "SHELL": "/bin/sh",
        "A": "file",
        "B": "yaml",
        "CREWD_WORKER_ID": "web",
        "CREWD_INSTANCE": "web-2",
        "WORKER_ID": "box:web-2",
        "PORT": "80",
    }


def test_a_group_alone_keeps_the_user():
    """setpriv is asked for the group and nothing else."""
    meant = program(WEB, 0, HOME, Surroundings("box", root=True, identities={"web": Identity(gid=33)}))

    assert meant.argv == ("/usr/bin/setpriv", "--regid=33", "--keep-groups", "--", "serve")
