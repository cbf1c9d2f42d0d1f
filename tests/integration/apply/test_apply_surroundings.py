"""What this machine has to say before anything is rendered: users, groups, files and folders that must exist."""

import os
import pwd
from pathlib import Path

import pytest

from crewd.errors import ConfigError, Problem
from crewd.model.home import Home
from crewd.model.spec import CrewSpec, WorkerSpec
from crewd.supervisord.surroundings import ENVIRONMENT_FILE_MOST, Identity, gather

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start workers as another user")


@pytest.fixture
def home(tmp_path):
    (tmp_path / "lib").mkdir()
    return Home.under(str(tmp_path))


def surroundings(home, **settings):
    return gather(CrewSpec({"web": WorkerSpec("web", ("true",), **settings)}), home, where)


def where(worker_id, key):
    return Problem("crew.yaml", 3, 7, f"workers.{worker_id}.{key}", "")


def problem(home, **settings):
    with pytest.raises(ConfigError) as mistakes:
        surroundings(home, **settings)
    (found,) = mistakes.value.problems
    return str(found)


def test_an_unknown_user_or_group_is_a_mistake(home):
    """Before supervisord ever hears of it."""
    assert problem(home, user="no-such-user") == "crew.yaml:3:7: workers.web.user: no such user"
    assert problem(home, group="no-such-group") == "crew.yaml:3:7: workers.web.group: no such group"
    assert problem(home, user="4000000000") == "crew.yaml:3:7: workers.web.user: no such user"


@as_root
def test_a_user_is_found_by_name_and_by_number(home):
    """And its primary group comes with it, unless another is asked for."""
    nobody = pwd.getpwnam("nobody")
    by_name = surroundings(home, user="nobody").identities["web"]

    assert (by_name.uid, by_name.gid) == (nobody.pw_uid, nobody.pw_gid)
    assert surroundings(home, user=str(nobody.pw_uid)).identities["web"] == by_name
    assert surroundings(home, user="nobody", group="daemon").identities["web"].gid == 1
    assert surroundings(home).identities["web"] == Identity()


@as_root
def test_nobody_runs_as_the_daemons_own_user(home):
    """Who is the daemon controls all workers."""
    os.chown(home.lib, pwd.getpwnam("nobody").pw_uid, -1)

    assert problem(home, user="nobody").endswith("cannot run as nobody: that is the daemon's own user")


@as_root
def test_without_root_workers_run_as_supervisord_does(home):
    """Its own user may be named; setpriv is then not needed."""
    child = os.fork()
    if child == 0:
        try:
            os.setgid(65534)
            os.setuid(pwd.getpwnam("nobody").pw_uid)
            own = surroundings(home, user="nobody").identities["web"]
            right = (own.uid, own.gid, own.account.name) == (None, None, "nobody")
            refused = "only root's supervisord" in problem(home, user="root")
            os._exit(0 if right and refused else 1)
        finally:
            os._exit(2)

    assert os.waitpid(child, 0)[1] == 0


def test_an_environment_file_may_be_missing_only_where_that_is_said(home):
    """As in systemd, by a leading dash."""
    assert "cannot read /no/such: No such file" in problem(home, environment_file="/no/such")
    assert surroundings(home, environment_file="-/no/such").environment_files["web"] == {}


def test_an_environment_file_that_is_no_text_is_a_mistake(home, tmp_path):
    """Neither bytes that are no UTF-8, nor more of them than any environment holds, nor a folder."""
    file = tmp_path / "environment"
    file.write_bytes(b"A=\xff")
    assert problem(home, environment_file=str(file)).endswith("must be UTF-8")
    file.write_bytes(b"#" * (ENVIRONMENT_FILE_MOST + 1))
    assert "larger than" in problem(home, environment_file=str(file))
    assert "cannot read" in problem(home, environment_file=str(tmp_path))
    assert Path(file).exists()
