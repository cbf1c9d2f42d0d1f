"""crewd as units of a real systemd: started, stopped, reloaded, killed, stalled."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from harness import systemd_box
from harness.installation import configure, install
from harness.systemd_box import Box
from harness.units import drop_in, main_pid, processes, shown, wait_back, wait_status
from harness.waiting import wait_for

pytestmark = pytest.mark.skipif(bool(systemd_box.missing()), reason=systemd_box.missing())

DAEMON, SUPERVISORD = "crewd.service", "crewd-supervisord.service"
BACK = {
    "Restart": "on-failure",
    "RestartUSec": "1s",
    "RestartPreventExitStatus": "78",
    "StartLimitIntervalUSec": "1min",
    "StartLimitBurst": "10",
}
OUT_OF_MEMORY = {DAEMON: ("100", "stop"), SUPERVISORD: ("0", "continue")}
"""OOMScoreAdjust, which workers inherit, and OOMPolicy."""
UNITS = (DAEMON, SUPERVISORD, "crewd-apply.socket", "crewd-apply@.service", "crewd.target")
FOLDER = "/usr/lib/systemd/system"
INSTANCES = 50
SEC = 60.0
MANY = "^sleep 100000"
CREW = """\
crewd:
  listen: none
  sample_interval_sec: 1
  hmac_keys: {ci: {secret_file: /etc/crewd/ci.secret, role: viewer}}
workers:
  many: {command: [sleep, "100000"], instances: 48, user: nobody, restart: always, restart_sec: 0}
  polite:
    command:
      - sh
      - -c
      - >-
        trap 'echo $CREWD_INSTANCE >>/run/said-goodbye; exit 0' USR1;
        trap 'echo interrupted >>/run/said-goodbye; exit 1' TERM;
        sleep 200000 & wait
    stop_signal: USR1
    instances: 2
"""
MORE = CREW + "  more: {command: [sleep, '300000'], timeout_stop_sec: 200s}\n"
BROKEN = CREW + "  broken: {command: 5, restart: perhaps}\n"
OWNERS = {
    "/etc/crewd": "root:crewd 750",
    "/etc/crewd/crewd.yaml": "root:crewd 640",
    "/var/lib/crewd": "crewd:crewd 700",
    "/var/lib/crewd-engine": "root:crewd 2750",
    "/var/lib/crewd-engine/generations": "root:root 700",
    "/var/lib/crewd-engine/current/policy.json": "root:root 600",
    "/var/lib/crewd-engine/current/supervisord.conf": "root:root 600",
    "/var/lib/crewd-engine/api-workers.json": "root:crewd 600",
    "/var/lib/crewd-engine/supervisorctl.conf": "root:crewd 640",
    "/var/lib/crewd-engine/journal": "root:crewd 2750",
    "/var/log/crewd": "root:crewd 2750",
    "/var/log/crewd/workers/many-0.out.log": "root:crewd 644",
    "/run/crewd": "crewd:crewd 755",
    "/run/crewd/crewd.sock": "crewd:crewd 666",
    "/run/crewd-engine": "root:crewd 2750",
    "/run/crewd-engine/supervisor.sock": "root:crewd 660",
    "/run/crewd-apply/apply.sock": "root:crewd 660",
}


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    """One with fifty workers."""
    with Box() as box:
        install(box, CREW)
        box.run("sh", "-c", "umask 027; openssl rand -hex 32 >/etc/crewd/ci.secret; chgrp crewd /etc/crewd/ci.secret")
        box.run("systemctl", "enable", "--now", "crewd.target")
        all_run(box)
        yield box


def all_run(box: Box, instances: int = INSTANCES) -> None:
    """Wait until the daemon says that all of them run."""
    wait_status(box, DAEMON, f"): {instances} running")


def test_systemd_finds_nothing_to_say_of_the_units(box: Box) -> None:
    """Nor is the daemon's exposure more than 3.0; the apply's, which is root, neither."""
    said = box.run("systemd-analyze", "verify", *(f"{FOLDER}/{unit}" for unit in UNITS))
    exposed = [
        box.run("systemd-analyze", "security", "--offline=true", "--threshold=30", "--no-pager", f"{FOLDER}/{unit}")
        for unit in (DAEMON, "crewd-apply@.service")
    ]

    assert said.stdout + said.stderr == ""
    assert all("Overall exposure level" in one.stdout for one in exposed)


@pytest.mark.parametrize("unit", [DAEMON, SUPERVISORD])
def test_what_fails_is_started_again_and_what_cannot_work_is_not(box: Box, unit: str) -> None:
    """After a second, ten times in a minute, but never on a configuration that is wrong."""
    assert {name: shown(box, unit, name) for name in BACK} == BACK


@pytest.mark.parametrize("unit", OUT_OF_MEMORY)
def test_where_memory_is_short_workers_are_no_reason_to_end_supervisord(box: Box, unit: str) -> None:
    """The daemon goes before supervisord and its workers, of which one that the kernel kills ends alone."""
    score = box.out("cat", f"/proc/{main_pid(box, unit)}/oom_score_adj")

    assert (score, shown(box, unit, "OOMPolicy")) == OUT_OF_MEMORY[unit]


def test_everything_belongs_to_whom_it_should(box: Box) -> None:
    """Owners and modes as the documents have them, and the daemon is nobody but crewd."""
    found = {path: box.out("stat", "--dereference", "--format=%U:%G %a", path) for path in OWNERS}
    journal = box.out("sh", "-c", "stat --format='%U:%G %a' /var/lib/crewd-engine/journal/*/*").splitlines()

    assert found == OWNERS
    assert set(journal) == {"root:crewd 640"}
    assert box.out("stat", "--format=%U", f"/proc/{main_pid(box, DAEMON)}") == "crewd"
    assert box.out("stat", "--format=%U", f"/proc/{main_pid(box, SUPERVISORD)}") == "root"


def test_no_worker_learns_of_the_service_manager(box: Box) -> None:
    """supervisord's socket of sd_notify is its own, and so is what else systemd gave it."""
    environment = box.out("sh", "-c", f"tr '\\0' '\\n' </proc/$(pgrep -f '{MANY}' | head -n 1)/environ")
    names = {line.partition("=")[0] for line in environment.splitlines()}

    wait_status(box, SUPERVISORD, f"{INSTANCES} of {INSTANCES} programs running")
    assert not names & {"NOTIFY_SOCKET", "WATCHDOG_USEC", "INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID"}
    assert {"PATH", "CREWD_INSTANCE"} <= names


def test_a_restart_of_the_daemon_touches_no_worker(box: Box) -> None:
    """Fifty of them keep their processes, and while there is no daemon one that dies is back by its policy."""
    before = processes(box, MANY)
    box.run("systemctl", "restart", DAEMON)
    assert processes(box, MANY) == before

    box.run("systemctl", "stop", DAEMON)
    victim = min(before)
    box.run("kill", "-KILL", str(victim))
    wait_for(lambda: len(processes(box, MANY) - {victim}) == len(before), SEC, "the worker's restart")
    box.run("systemctl", "start", DAEMON)
    all_run(box)

    assert len(before & processes(box, MANY)) == len(before) - 1
    assert main_pid(box, DAEMON)


def test_a_reload_changes_what_changed(box: Box) -> None:
    """And systemd learns how long the larger crew takes to stop. A broken file changes nothing, and both say so."""
    before = processes(box, MANY)
    configure(box, MORE)
    box.run("systemctl", "reload", DAEMON)
    all_run(box, INSTANCES + 1)
    assert shown(box, SUPERVISORD, "TimeoutStopUSec") == "3min 35s"

    configure(box, BROKEN)
    box.run("systemctl", "reload", DAEMON)
    wait_status(box, DAEMON, "configuration not in force")
    refused = box.run("systemctl", "reload", SUPERVISORD, check=False)
    assert refused.returncode != 0
    all_run(box, INSTANCES + 1)

    configure(box, CREW)
    box.run("systemctl", "reload", SUPERVISORD)
    wait_for(lambda: not processes(box, "^sleep 300000"), SEC, "the end of the worker that was taken out")
    box.run("systemctl", "reload", DAEMON)
    all_run(box)

    assert shown(box, SUPERVISORD, "TimeoutStopUSec") == "1min 30s"
    assert processes(box, MANY) == before


def test_the_daemon_sees_all_that_it_shows(box: Box) -> None:
    """As crewd: the crew, what root's and others' workers use, their output, and why."""

    def instances() -> list[Any]:
        crew = json.loads(box.out("crewctl", "status", "-o", "json"))
        return [instance for worker in crew["workers"] for instance in worker["instances"]]

    wait_for(lambda: all(one["memory_usage"] for one in instances()), SEC, "what each of them uses")
    box.run("crewctl", "logs", "many-0")
    box.run("crewctl", "why", "many-0")

    assert len(instances()) == INSTANCES


def test_a_daemon_that_is_killed_is_back(box: Box) -> None:
    """And its workers never noticed."""
    before, daemon = processes(box, MANY), main_pid(box, DAEMON)
    box.run("kill", "-KILL", str(daemon))
    wait_back(box, DAEMON, daemon)
    all_run(box)

    assert processes(box, MANY) == before


def test_a_supervisord_that_is_killed_is_back_with_all_workers(box: Box) -> None:
    """The daemon stays, and takes the new one over; none of the old workers is left."""
    before, daemon, supervisord = processes(box, MANY), main_pid(box, DAEMON), main_pid(box, SUPERVISORD)
    box.run("kill", "-KILL", str(supervisord))
    wait_back(box, SUPERVISORD, supervisord)
    all_run(box)

    assert not processes(box, MANY) & before
    assert main_pid(box, DAEMON) == daemon


def test_a_process_that_stands_still_is_killed_and_back(box: Box) -> None:
    """Each of the two by its watchdog."""
    drop_in(box, DAEMON, "WatchdogSec=12s")
    drop_in(box, SUPERVISORD, "WatchdogSec=20s")
    box.run("systemctl", "restart", SUPERVISORD, DAEMON)
    all_run(box)
    before = {unit: main_pid(box, unit) for unit in (DAEMON, SUPERVISORD)}
    for unit in before:
        fed = shown(box, unit, "WatchdogTimestampMonotonic")
        wait_for(lambda unit=unit, fed=fed: shown(box, unit, "WatchdogTimestampMonotonic") != fed, SEC, f"{unit} fed")
    box.run("kill", "-STOP", *map(str, before.values()))
    for unit, pid in before.items():
        wait_back(box, unit, pid)

    def killed(unit: str) -> bool:
        return "Watchdog timeout" in box.out("journalctl", "--no-pager", "--output=cat", "-u", unit)

    for unit in before:
        wait_for(lambda unit=unit: killed(unit), what=f"the watchdog of {unit}")
    drop_in(box, DAEMON)
    drop_in(box, SUPERVISORD)
    all_run(box)


def test_a_stop_of_supervisord_stops_all_workers_gracefully(box: Box) -> None:
    """Each could say goodbye, nothing is left, and the daemon waits for the next one."""
    box.run("rm", "-f", "/run/said-goodbye")
    daemon = main_pid(box, DAEMON)
    box.run("systemctl", "stop", SUPERVISORD)
    goodbyes = box.out("sort", "/run/said-goodbye").splitlines()
    left = processes(box, "sleep .00000")
    result = shown(box, SUPERVISORD, "Result")
    ended = box.out("sh", "-c", "tail -qn 1 $(ls -td /var/lib/crewd-engine/journal/* | head -n 1)/*")
    wait_status(box, DAEMON, "waiting for supervisord")
    box.run("systemctl", "start", SUPERVISORD)
    all_run(box)

    assert goodbyes == ["polite-0", "polite-1"]
    assert not left
    assert result == "success"
    assert json.loads(ended)["type"] == "generation_ended", ended
    assert main_pid(box, DAEMON) == daemon


def test_the_target_is_both(box: Box) -> None:
    """A stop of it stops them, a start starts them."""
    box.run("systemctl", "stop", "crewd.target")
    for unit in (DAEMON, SUPERVISORD):
        wait_for(lambda unit=unit: shown(box, unit, "ActiveState") == "inactive", SEC, f"the end of {unit}")
    left = processes(box, "sleep .00000")
    box.run("systemctl", "start", "crewd.target")
    all_run(box)

    assert not left
