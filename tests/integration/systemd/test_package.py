"""The Debian package on a real systemd: installed, upgraded while workers run, removed, purged."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crewd import __version__
from harness import package, systemd_box
from harness.documents import commands
from harness.installation import CONFIG, configure
from harness.package import NEXT_VERSION
from harness.systemd_box import Box
from harness.units import main_pid, processes, shown, wait_status
from harness.waiting import wait_for

pytestmark = pytest.mark.skipif(bool(systemd_box.missing()), reason=systemd_box.missing())

DAEMON, SUPERVISORD, TARGET = "crewd.service", "crewd-supervisord.service", "crewd.target"
SEC = 60.0
WORKERS = "^sleep 100000"
CREW = """\
crewd: {listen: none}
workers:
  steady: {command: [sleep, "100000"], instances: 3, user: nobody}
"""
MORE = CREW + "  more: {command: [sleep, '100000.5']}\n"
PLACES = ("/etc", "/opt", "/srv", "/usr", "/var")
"""Where a package may leave something."""
OTHERS = ("/var/tmp", "/var/cache/man")
"""Where others do: builds of tests, and man-db whenever any package brings a page."""


@pytest.fixture
def box() -> Iterator[Box]:
    """One without crewd."""
    with Box() as box:
        yield box


def install(box: Box, file: Path) -> None:
    """Have dpkg install, or upgrade to, a package."""
    box.run("dpkg", "--install", str(file))


def employ(box: Box, crew: str, running: int) -> None:
    """Give the daemon another crew, and wait until it runs."""
    configure(box, crew)
    box.run("systemctl", "reload", DAEMON)
    wait_status(box, DAEMON, f"{running} running")


def doctors_findings(box: Box) -> dict[str, Any]:
    """Return what crewctl doctor finds, by the names of that."""
    found = json.loads(box.run("crewctl", "doctor", "-o", "json", check=False).stdout)
    return {one["name"]: one for one in found["findings"]}


def files(box: Box) -> set[str]:
    """Return all files of the machine that a package could have left."""
    left_out = [word for place in OTHERS for word in ("-path", place, "-prune", "-o")]
    return set(box.out("find", *PLACES, "-xdev", *left_out, "-print").splitlines())


def test_workers_run_through_an_upgrade(box: Box) -> None:
    """Only the daemon is another. What the old engine still runs is said, and works in full, until it is renewed."""
    install(box, package.built())
    employ(box, CREW, 3)
    _be_helped_by_the_runbook(box)
    workers, supervisord, daemon = processes(box, WORKERS), main_pid(box, SUPERVISORD), main_pid(box, DAEMON)
    healthy = doctors_findings(box)
    install(box, package.following())

    assert len(workers) == 3
    assert processes(box, WORKERS) == workers
    assert main_pid(box, SUPERVISORD) == supervisord
    assert main_pid(box, DAEMON) not in {0, daemon}
    assert box.out("crewd", "--version") == f"crewd, version {NEXT_VERSION}"
    assert box.path(CONFIG).read_text() == CREW
    assert box.out("stat", "--format=%U:%G %a", CONFIG) == "root:crewd 640"

    found = doctors_findings(box)
    assert not {"engine-code", "daemon-code"} & healthy.keys()
    assert "daemon-code" not in found
    assert f"runs the engine of before: {__version__}," in found["engine-code"]["message"]
    assert f"installed is {NEXT_VERSION}," in found["engine-code"]["message"]
    assert found["engine-code"]["remedy"].startswith("systemctl restart crewd-supervisord")

    _work_goes_on(box, workers)
    assert main_pid(box, SUPERVISORD) == supervisord

    box.run("systemctl", "restart", SUPERVISORD)
    wait_status(box, DAEMON, "4 running")
    assert "engine-code" not in doctors_findings(box)


def _be_helped_by_the_runbook(box: Box) -> None:
    """Of a daemon that is gone: what its commands say is what the page has, and they are all there."""
    page = box.path("/usr/share/doc/crewd/docs/runbooks/daemon-gone.md")
    look, *_, workers = commands(page)
    box.run("systemctl", "stop", DAEMON)
    said = box.run(*look.split(), check=False).stderr
    states = box.out(*workers.split())
    box.run("systemctl", "start", DAEMON)
    wait_status(box, DAEMON, "3 running")

    assert said in page.read_text()
    assert states.count("RUNNING") == 3


def _work_goes_on(box: Box, workers: frozenset[int]) -> None:
    """A worker that dies is restarted, one that is added is started, by an engine from before the upgrade."""
    box.run("kill", "-KILL", str(min(workers)))
    wait_for(lambda: len(processes(box, WORKERS) - workers) == 1, SEC, "the worker's restart")
    employ(box, MORE, 4)
    tables = box.out("sh", "-c", "cat /var/lib/crewd-engine/current/policy.json")

    assert processes(box, WORKERS) > workers - {min(workers)}
    assert package.NEXT_SETTING in tables
    assert "status only" not in box.out("journalctl", "--no-pager", "-u", DAEMON)


def test_what_is_purged_leaves_nothing(box: Box) -> None:
    """Removal ends the crew and keeps what is the operator's; after a purge the machine is as it was before."""
    before = files(box)
    box.run("mount", "-o", "remount,ro", "/dev/shm")
    install(box, package.built())
    employ(box, CREW, 3)
    _be_upgraded_while_stopped(box)
    _be_upgraded_while_disabled(box)
    box.run("systemctl", "enable", "--now", TARGET)
    wait_status(box, DAEMON, "3 running")
    box.run("touch", "/etc/crewd/conf.d/other.yaml", "/var/log/crewd/workers/old.log")

    box.run("dpkg", "--remove", "crewd")
    assert not processes(box, WORKERS)
    assert box.path(CONFIG).read_text() == CREW
    assert box.path("/var/lib/crewd/crewd.db").exists()
    assert not box.path("/usr/lib/crewd").exists()

    install(box, package.built())
    wait_status(box, DAEMON, "3 running")
    box.run("dpkg", "--purge", "crewd")
    assert files(box) == before
    assert box.run("find", "/run", "-name", "crewd*").stdout == ""
    assert box.run("getent", "passwd", "crewd", check=False).stdout == ""
    assert box.run("getent", "group", "crewd", check=False).stdout == ""


def _be_upgraded_while_stopped(box: Box) -> None:
    """What an operator stopped is not started by an upgrade, though it is enabled."""
    box.run("systemctl", "stop", TARGET)
    wait_for(lambda: not processes(box, WORKERS), SEC, "the crew's end")
    install(box, package.following())

    assert shown(box, TARGET, "UnitFileState") == "enabled"
    assert not _states(box) & {"active", "activating"}


def _be_upgraded_while_disabled(box: Box) -> None:
    """What an operator disabled is not enabled by an upgrade, nor started."""
    box.run("systemctl", "disable", TARGET)
    install(box, package.built())

    assert shown(box, TARGET, "UnitFileState") == "disabled"
    assert not _states(box) & {"active", "activating"}


def _states(box: Box) -> set[str]:
    return {shown(box, unit, "ActiveState") for unit in (TARGET, DAEMON, SUPERVISORD)}


def test_a_crew_that_may_not_be_stopped_keeps_the_package(box: Box) -> None:
    """Where a policy of the machine forbids the stop, the removal fails, and the crew runs on as it did.

    Also where its script is taken away, supervisord can still be reached. Nor is an account purged that was there.
    """
    box.run("useradd", "--system", "--home-dir", "/opt/crew", "crewd")
    account = box.out("getent", "passwd", "crewd")
    install(box, package.built())
    employ(box, CREW, 3)
    workers = processes(box, WORKERS)
    box.run("sh", "-c", "cat >/usr/sbin/policy-rc.d", text='#!/bin/sh\n[ "$2" != stop ] || exit 101\n')
    removal = box.run("dpkg", "--remove", "crewd", check=False)

    assert removal.returncode != 0
    assert "cannot remove crewd: crewd-supervisord" in removal.stderr
    assert shown(box, DAEMON, "ActiveState") == "active"
    assert processes(box, WORKERS) == workers

    box.run("rm", "/var/lib/dpkg/info/crewd.prerm")
    box.run("dpkg", "--remove", "crewd")
    assert box.run("find", "/run/crewd-engine", "-type", "s").stdout
    assert processes(box, WORKERS) == workers

    box.run("systemctl", "stop", DAEMON, SUPERVISORD)
    box.run("dpkg", "--purge", "crewd")
    assert box.out("getent", "passwd", "crewd") == account


def test_lintian_finds_no_error() -> None:
    """What is overridden has its reason beside it."""
    command = ["lintian", "--fail-on", "error", str(package.built())]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is in it, as it will lie on a machine."""
    tree = tmp_path_factory.mktemp("tree")
    subprocess.run(["dpkg-deb", "--raw-extract", str(package.built()), str(tree)], check=True)
    return tree


def test_alerts_and_pages_lead_to_pages_that_are_there(tree: Path) -> None:
    """As they are installed: uncompressed, and none only in a checkout."""
    rules = "".join(file.read_text() for file in (tree / "usr/share/crewd/prometheus/rules").glob("*.yml"))
    runbooks = {tree / url for url in re.findall(r"runbook_url: /(\S+)", rules)}
    pages = list((tree / "usr/share/doc/crewd/docs").rglob("*.md"))
    links = {page.parent / link for page in pages for link in re.findall(r"\]\((?!\w+:|#)([^)#]+)", page.read_text())}

    assert len(runbooks) > 10
    assert len(links) > 100
    assert sorted(one for one in runbooks | links if not one.exists()) == []


def test_nothing_of_the_machine_that_built_it_is_inside(tree: Path) -> None:
    """No compiled code, no installer's notes, no path but those on the machine where it will be."""
    packages = next(tree.glob("usr/lib/crewd/lib/python3*/site-packages"))
    notes = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
    files = [file for file in tree.rglob("*") if file.is_file() and not file.is_symlink()]
    scripts = [
        file.read_text().splitlines()[0] for file in (tree / "usr/lib/crewd/bin").iterdir() if not file.is_symlink()
    ]

    assert (packages / "crewd_supervisord").is_dir()
    assert [file for file in files if file.name in notes or file.suffix in {".pyc", ".pth"}] == []
    assert [file for file in files if b"/crewd/tree/usr/lib/crewd" in file.read_bytes()] == []
    assert set(scripts) == {"#!/usr/lib/crewd/bin/python"}
    assert (tree / "usr/lib/crewd/pyvenv.cfg").read_text().splitlines()[0] == "home = /usr/bin"
