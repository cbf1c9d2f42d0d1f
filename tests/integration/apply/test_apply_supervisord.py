"""A real supervisord starts from what crewd-apply wrote: the workers themselves tell what has reached them."""

import json
import os
import platform
import pwd
import re
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from crewd import apply as applying
from crewd.model.home import Home
from crewd.model.spec import CrewSpec, EngineSpec, RestartMode, RestartPolicy, WorkerSpec
from crewd.supervisord import generation
from crewd.supervisord.client import Client
from harness import EDITIONS, ENGINE_EDITIONS, Nursery, wait_for
from harness.lookup import looked_up

TELL = """
import json, os, sys, time
word = {"argv": sys.argv[1:], "environment": dict(os.environ), "directory": os.getcwd(), "umask": os.umask(0)}
word |= {"uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups()}
print(json.dumps(word), flush=True)
time.sleep(1000)
""".strip().replace("\n", ";")
HOSTILE_ARGUMENTS = (
    *("a ;b", "a # b", "100%", "%(here)s", "%(ENV_PATH)s", 'a"b', "a'b", "\"'", "a\\", "a\t;b", "a\u00a0;b", "\ufeff"),
    *("", " ", "x" * 5000, "[program:evil]", "$HOME `id` *", "\u00e4\U0001f600", "--", "\\'", "'; #", "=", "~"),
)
HOSTILE_VARIABLES = {
    f"V{n}": value for n, value in enumerate([*HOSTILE_ARGUMENTS, "\x1b[31m", "a',B='c", 'a",B="c', "\\n", "'", '"'])
}
NEVER = RestartPolicy(restart=RestartMode.NO)


def teller(name, *arguments, **settings):
    return WorkerSpec(name, (sys.executable, "-c", TELL, *arguments), policy=NEVER, **settings)


def crew(*workers, **listeners):
    return CrewSpec({worker.worker_id: worker for worker in workers}, engine=EngineSpec(eventlisteners=listeners))


@pytest.fixture
def home():
    root = tempfile.mkdtemp(prefix="crewd-")
    yield Home.under(root)
    shutil.rmtree(root)


@pytest.fixture
def nursery():
    nursery = Nursery()
    yield nursery
    nursery.close()


def apply(home, *workers, **listeners):
    generation.prepare(home)
    with generation.locked(home):
        desired = crew(*workers, **listeners)
        return applying.apply(desired, looked_up(desired, home), home, "crew.yaml")


def boot(home, nursery, edition):
    """Start supervisord on what is in force; plain supervisord knows nothing of the engine."""
    conf = home.supervisord_conf
    if not edition.engine:
        text = Path(conf).read_text("utf-8")
        conf = f"{home.engine}/plain.conf"
        Path(conf).write_text(re.sub(r"^\[\w+:crewd\]\n(?:[^\[\n].*\n)*", "", text, flags=re.MULTILINE), "utf-8")
    output = f"{home.log}/output"
    nursery.spawn([*edition.supervisord, "-n", "-c", conf], edition.environment, "/", output)


def told(home, instance, times=1):
    """Return what the worker says, as soon as it has said it."""
    log = Path(home.worker_logs, f"{instance}.out.log")

    def lines():
        found = log.read_text("utf-8").split("\n")[:-1] if log.exists() else []  # whole ones: they are long
        return found[times - 1 :]

    words = wait_for(lines, 60, lambda: f"{instance} to speak: {Path(home.log, 'output').read_text()}")
    return json.loads(words[0])


@pytest.mark.parametrize("edition", EDITIONS)
def test_hostile_values_reach_the_worker_unchanged(edition, home, nursery):
    """argv and environment, through supervisord's exec; with the engine also what travels in the table."""
    apply(home, teller("web", *HOSTILE_ARGUMENTS, environment=HOSTILE_VARIABLES, directory="/usr", umask=0o027))
    boot(home, nursery, edition)
    word = told(home, "web-0")

    assert tuple(word["argv"]) == HOSTILE_ARGUMENTS
    assert (word["directory"], word["umask"]) == ("/usr", 0o027)
    carried = {} if edition.engine else generation.table_in_force(home).entries["web-0"].environment
    assert {key: word["environment"].get(key) for key in HOSTILE_VARIABLES} == {
        key: None if key in carried else value for key, value in HOSTILE_VARIABLES.items()
    }
    assert word["environment"]["CREWD_INSTANCE"] == "web-0"
    assert word["environment"]["WORKER_ID"] == f"{platform.node()}:web-0"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start workers as another user")
@pytest.mark.parametrize("edition", EDITIONS)
def test_a_worker_runs_as_its_user_and_in_its_group(edition, home, nursery):
    """With that user's supplementary groups and its HOME, USER, LOGNAME and SHELL, as systemd does it."""
    account = pwd.getpwnam("nobody")
    apply(home, teller("web", user="nobody", directory="/"), teller("db", user="nobody", group="daemon", directory="/"))
    boot(home, nursery, edition)
    web, db = told(home, "web-0"), told(home, "db-0")

    assert (web["uid"], web["gid"]) == (account.pw_uid, account.pw_gid)
    assert web["groups"] == [account.pw_gid]
    assert (db["uid"], db["gid"]) == (account.pw_uid, 1)
    wanted = {"HOME": account.pw_dir, "USER": "nobody", "LOGNAME": "nobody", "SHELL": account.pw_shell}
    assert {key: web["environment"].get(key) for key in wanted} == wanted


@pytest.mark.parametrize("edition", ENGINE_EDITIONS)
def test_a_running_engine_takes_over_what_is_applied(edition, home, nursery):
    """It restarts what has to be, starts what is new, and leaves all else alone."""
    apply(home, teller("web"), teller("db"))
    boot(home, nursery, edition)
    assert told(home, "db-0")["argv"] == []
    assert told(home, "web-0")["argv"] == []
    outcome = apply(home, teller("web", "new"), replace(teller("db"), instances=2))

    assert outcome.engine == {**outcome.engine, "table": outcome.name, "added": ["db-1"], "restarted": ["web-0"]}
    assert outcome.plan.kept == ("db-0",)
    assert told(home, "web-0", times=2)["argv"] == ["new"]
    assert told(home, "db-1")["argv"] == []
    assert Client(home.engine_socket).version().table == outcome.name


@pytest.mark.parametrize("edition", ENGINE_EDITIONS)
def test_a_running_engine_takes_over_a_listener(edition, home, nursery):
    """A stock section, and no worker is touched."""
    apply(home, teller("web"))
    boot(home, nursery, edition)
    told(home, "web-0")
    mail = {"command": "/bin/cat", "events": "PROCESS_STATE", "autostart": "false"}
    outcome = apply(home, teller("web"), mail=mail)

    assert outcome.engine["listeners"] == ["mail"]
    assert outcome.warnings == ()
    assert outcome.plan.kept == ("web-0",)


@pytest.mark.parametrize("edition", ENGINE_EDITIONS[:1])
def test_what_waits_for_the_next_start_is_said(edition, home, nursery):
    """supervisord's own section is read when it starts, and never again."""
    apply(home, teller("web"))
    boot(home, nursery, edition)
    told(home, "web-0")
    elsewhere = replace(home, log=f"{home.log}/new")

    assert apply(elsewhere, teller("web")).warnings == (
        "what changed outside workers and listeners takes effect when supervisord is started next",
    )
