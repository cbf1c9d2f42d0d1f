"""Environment files that root's own file names: what others can write into one does not reach a process of root's."""

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from crewd.apply.hands import changeable
from crewd.model.home import Home

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root's supervisord runs workers as another user")
NOBODY, DAEMON = pwd.getpwnam("nobody"), pwd.getpwnam("daemon")
PRELOAD = "LD_PRELOAD=/tmp/hunter2.so\n"


def applied(root: Path, file: str, user: str | None = "nobody") -> str:
    """Apply a crew with this environment file; return what is said against it, "" where nothing is."""
    home = Home.under(str(root / "crew"))
    Path(home.etc).mkdir(parents=True, exist_ok=True)
    worker = {"command": ["/bin/true"], "environment_file": file, **({} if user is None else {"user": user})}
    Path(home.config).write_text(yaml.safe_dump({"workers": {"web": worker}}))
    environment = {"PATH": os.environ["PATH"], "CREWD_HOME": str(root / "crew")}
    command = [sys.executable, "-m", "crewd.apply"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    if ran.returncode == 0:
        assert json.loads(ran.stdout)["plan"]["added"] == ["web-0"] or json.loads(ran.stdout)["name"]
        return ""
    assert ran.returncode == 78, ran.stderr
    assert "hunter2" not in ran.stderr
    return ran.stderr


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of root's in a folder of root's."""
    (tmp_path / "app").mkdir(mode=0o755)
    file = tmp_path / "app" / "env"
    file.write_text("A=b\n")
    file.chmod(0o640)
    return file


def test_what_only_root_and_its_user_can_write_is_read(file: Path, tmp_path: Path) -> None:
    """Root's own may say anything; its user's may be anywhere in a folder of theirs, and be missing."""
    assert applied(tmp_path, str(file)) == ""
    file.write_text(PRELOAD)
    assert applied(tmp_path, str(file)) == ""
    file.write_text("A=c\n")
    for path in (file, file.parent):
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    assert applied(tmp_path, str(file)) == ""
    assert applied(tmp_path, f"-{file}.none") == ""


def test_what_its_user_can_write_does_not_act_on_setpriv(file: Path, tmp_path: Path) -> None:
    """It runs first, as root, with the worker's variables: with a library of the user's it would be root's no more."""
    file.write_text(PRELOAD)
    os.chown(file, NOBODY.pw_uid, NOBODY.pw_gid)
    said = applied(tmp_path, str(file))

    assert "workers.web.environment_file: cannot set LD_PRELOAD: it acts on setpriv, which runs as root" in said


def _writable(file: Path) -> str:
    file.chmod(0o666)
    return str(file)


def _of_a_group(file: Path) -> str:
    file.chmod(0o660)
    return str(file)


def _of_somebody_else(file: Path) -> str:
    os.chown(file, DAEMON.pw_uid, DAEMON.pw_gid)
    return str(file)


def _in_an_open_folder(file: Path) -> str:
    file.parent.chmod(0o777)
    return str(file)


def _behind_a_link_of_somebody_else(file: Path) -> str:
    folder = file.parent.parent / "theirs"
    folder.mkdir()
    (folder / "env").symlink_to(file)
    os.chown(folder, DAEMON.pw_uid, DAEMON.pw_gid)
    return str(folder / "env")


@pytest.mark.parametrize(
    "made",
    [_writable, _of_a_group, _of_somebody_else, _in_an_open_folder, _behind_a_link_of_somebody_else],
)
def test_what_others_can_write_is_refused(made: Callable[[Path], str], file: Path, tmp_path: Path) -> None:
    """The file, its folder, or a link on the way: with what to change."""
    said = applied(tmp_path, made(file))

    assert "workers.web.environment_file: cannot be trusted: others than root and nobody can change /" in said


def test_root_s_own_workers_read_what_is_root_s(file: Path, tmp_path: Path) -> None:
    """Any variable of anybody else's would be one of root's process."""
    assert applied(tmp_path, str(file), user=None) == ""
    os.chown(file, NOBODY.pw_uid, NOBODY.pw_gid)

    assert "others than root can change" in applied(tmp_path, str(file), user=None)


def test_links_are_followed_as_the_kernel_follows_them(file: Path, tmp_path: Path) -> None:
    """Relative ones, upwards, through sticky folders; one that leads to itself has an end."""
    root = frozenset({0})
    (tmp_path / "sticky").mkdir()
    (tmp_path / "sticky").chmod(0o1777)
    (tmp_path / "sticky" / "link").symlink_to("../app/../app/env")
    (tmp_path / "loop").symlink_to("loop")

    (tmp_path / "absolute").symlink_to(f"{tmp_path}/sticky/link")

    assert changeable(f"{tmp_path}/absolute", root) == ""
    os.chown(tmp_path / "sticky" / "link", NOBODY.pw_uid, -1, follow_symlinks=False)
    assert changeable(f"{tmp_path}/sticky/link", root) == f"{tmp_path}/sticky/link"
    assert changeable(f"{tmp_path}/loop", root) == ""
    file.parent.chmod(0o777)
    assert changeable(f"{tmp_path}/app/env", root) == f"{tmp_path}/app/env"
    assert changeable(f"{tmp_path}/app/env", root | {NOBODY.pw_uid}) == f"{tmp_path}/app/env"
