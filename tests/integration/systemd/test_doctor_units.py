"""``crewctl doctor`` on a host with the units: as root, as the daemon's user, and as anybody."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from harness import systemd_box
from harness.installation import configure, install
from harness.systemd_box import Box
from harness.units import drop_in, wait_status
from harness.waiting import wait_for

pytestmark = pytest.mark.skipif(bool(systemd_box.missing()), reason=systemd_box.missing())

DAEMON, SUPERVISORD = "crewd.service", "crewd-supervisord.service"
CREW = """\
crewd: {listen: none}
workers:
  web: {command: [sleep, "1000"], instances: 2, user: nobody, restart: always}
"""
MACHINES = {"clock-alone"}


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    """One in which all is well."""
    with Box() as box:
        install(box, CREW)
        box.run("systemctl", "enable", "--now", "crewd.target", DAEMON, SUPERVISORD, "crewd-apply.socket")
        wait_status(box, DAEMON, "): 2 running")
        recovers(box)
        yield box


def doctor(box: Box, *who: str) -> tuple[int, list[dict[str, Any]]]:
    """Run it; return its exit status and what it found."""
    ran = box.run(*who, "crewctl", "doctor", "-o", "json", check=False)
    assert ran.stdout, ran.stderr
    found = json.loads(ran.stdout)["findings"]
    return ran.returncode, [one for one in found if one["severity"] != "ok" and one["name"] not in MACHINES]


def told(found: tuple[int, list[dict[str, Any]]]) -> tuple[int, set[tuple[str, str]]]:
    """Return the exit status, and severity and name of each finding."""
    return found[0], {(one["severity"], one["name"]) for one in found[1]}


def test_nothing_is_found_where_nothing_is_wrong(box: Box) -> None:
    """As root, who sees all of it."""
    assert doctor(box) == (0, [])


def recovers(box: Box, *who: str) -> None:
    """Wait until nothing is found any more: whatever came up a moment ago has its database, and answers."""
    wait_for(lambda: doctor(box, *who) == (0, []), 60.0, lambda: doctor(box, *who))


@pytest.mark.parametrize("user", ["crewd", "nobody"])
def test_others_are_told_what_they_may_not_look_at(box: Box, user: str) -> None:
    """And are told of nothing else: there is no false alarm in what is hidden."""
    code, found = told(doctor(box, "runuser", "-u", user, "--"))

    assert (code, found) == (0, {("note", "not-seen")})


def test_an_ordinary_user_s_own_home_is_looked_at_whole(box: Box) -> None:
    """Nothing of it is root's."""
    box.run("useradd", "--create-home", "joe")
    script = "mkdir -p crew/etc && printf 'workers: {web: {command: [sleep, \"1000\"]}}\\n' >crew/etc/crewd.yaml"
    as_joe = ("runuser", "-u", "joe", "--", "env", "-C", "/home/joe", "CREWD_HOME=/home/joe/crew", "CREWD_LISTEN=")
    box.run(*as_joe, "sh", "-c", f"{script} && (setsid crewd run >log 2>&1 &)")
    wait_for(lambda: "ready" in box.path("/home/joe/log").read_text(), 90.0, "joe's crew")
    recovers(box, *as_joe)
    box.run("chmod", "0777", "/home/joe/crew/engine")
    sabotaged = told(doctor(box, *as_joe))
    as_another = told(doctor(box, "runuser", "-u", "nobody", "--", "env", "CREWD_HOME=/home/joe/crew"))
    as_root = told(doctor(box, "env", "CREWD_HOME=/home/joe/crew"))
    box.run(*as_joe, "crewctl", "shutdown", "--yes")

    assert sabotaged == (1, {("problem", "writable")})
    assert as_another == (1, {("problem", "writable"), ("note", "not-seen")})
    assert as_root == (1, {("problem", "writable"), ("note", "not-seen")})


def test_a_daemon_that_is_stopped_is_found_with_the_command_that_starts_it(box: Box) -> None:
    """Its unit's."""
    box.run("systemctl", "stop", DAEMON)
    stopped = doctor(box)
    box.run("systemctl", "start", DAEMON)
    wait_status(box, DAEMON, "): 2 running")

    assert told(stopped) == (1, {("problem", "daemon-down"), ("note", "not-seen")})
    assert stopped[1][0]["remedy"] == "systemctl start crewd"
    recovers(box)


def test_a_supervisord_that_is_stopped_is_found_with_the_command_that_starts_it(box: Box) -> None:
    """Its unit's; the daemon runs on."""
    box.run("systemctl", "stop", SUPERVISORD)
    stopped = doctor(box)
    box.run("systemctl", "start", SUPERVISORD)
    wait_status(box, DAEMON, "): 2 running")

    assert told(stopped) == (1, {("problem", "supervisord-down")})
    assert stopped[1][0]["remedy"] == "systemctl start crewd-supervisord"
    recovers(box)


def test_a_unit_that_would_be_killed_too_early_is_found(box: Box) -> None:
    """Somebody's drop-in goes before what crewd has told systemd."""
    drop_in(box, SUPERVISORD, "TimeoutStopSec=3s")
    found = doctor(box)
    drop_in(box, SUPERVISORD)

    assert told(found) == (0, {("warning", "unit-stop")})
    assert "killed 3 s after" in found[1][0]["message"]


def test_a_unit_that_was_changed_since_systemd_read_it_is_found(box: Box) -> None:
    """What it says does not hold yet."""
    box.run("sh", "-c", f"echo '# changed' >>/usr/lib/systemd/system/{SUPERVISORD}")
    changed = doctor(box)
    box.run("systemctl", "daemon-reload")

    assert told(changed) == (0, {("warning", "unit-stale")})
    assert changed[1][0]["remedy"] == "systemctl daemon-reload"


def test_an_upgrade_is_found_in_supervisord_which_it_did_not_restart(box: Box) -> None:
    """Which engine code still runs, and how to renew it; the daemon, which was restarted, is new."""
    engine = box.out("sh", "-c", "echo /usr/lib/crewd/lib/python3*/site-packages/crewd_supervisord/rpc.py")
    box.run("sh", "-c", f"echo '# a mend' >>{engine}")
    box.run("systemctl", "restart", DAEMON)
    wait_status(box, DAEMON, "): 2 running")
    wait_for(
        lambda: "engine-code" in str(doctor(box)) and "not-ready" not in str(doctor(box)), 60.0, lambda: doctor(box)
    )
    old = doctor(box)
    box.run("systemctl", "restart", SUPERVISORD)
    wait_status(box, DAEMON, "): 2 running")
    recovers(box)

    assert told(old) == (0, {("warning", "engine-code")})
    assert old[1][0]["remedy"] == "systemctl restart crewd-supervisord: this restarts all workers"


def test_what_another_user_may_change_is_not_made_root_s_program(box: Box) -> None:
    """Units are not installed for it; where somebody wrote such a unit, it is found."""
    theirs = "/home/alice/venv/bin"
    box.run("useradd", "--create-home", "alice")
    box.run("install", "-d", "-o", "alice", "/home/alice/venv", theirs)
    box.run("ln", "-s", "/usr/lib/crewd/bin/python", f"{theirs}/python")
    system = "/run/elsewhere/systemd/system"
    refused = box.run("crewd", "install-units", "--destination", system, "--bin", theirs, check=False)
    start = f"{theirs}/python -P -m crewd_supervisord.launch"
    drop_in(box, SUPERVISORD, f"ExecStart=\nExecStart={start}")
    found = doctor(box)
    drop_in(box, SUPERVISORD)

    assert refused.returncode == 1
    assert "others than root can change, by /home/alice" in refused.stderr
    assert box.run("ls", system, check=False).returncode != 0
    assert told(found) == (1, {("problem", "program")})
    assert "crewd-supervisord.service runs it" in found[1][0]["message"]
    assert found[1][0]["path"] == f"{theirs}/python"


def test_what_the_daemon_cannot_have_applied_any_more_is_found(box: Box) -> None:
    """Its socket to root's part of an apply is gone."""
    box.run("systemctl", "stop", "crewd-apply.socket")
    found = doctor(box)
    box.run("systemctl", "start", "crewd-apply.socket")

    assert told(found) == (1, {("problem", "unit-down")})
    assert found[1][0]["remedy"] == "systemctl start crewd-apply.socket"


def test_a_configuration_that_is_wrong_is_found_and_one_that_is_not_applied(box: Box) -> None:
    """Rehearsed as root, who alone may."""
    configure(box, CREW.replace("instances: 2", "instances: 3"))
    changed = told(doctor(box))
    configure(box, CREW.replace("nobody", "not-a-user"))
    wrong = doctor(box)
    configure(box, CREW)

    assert changed == (0, {("warning", "not-applied")})
    assert told(wrong) == (1, {("problem", "configuration")})
    assert wrong[1][0]["line"] == 3


def test_keys_that_the_daemon_may_not_read_are_found(box: Box) -> None:
    """Root may, and so crewd check says nothing; the status says what comes of it. Mended as is told, all is well."""
    make = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout tls.key -out tls.pem 2>/dev/null"
    box.run("sh", "-c", f"cd /etc/crewd && umask 077 && {make} && openssl rand -hex 32 >ci.secret")
    hmac = "hmac_keys: {ci: {secret_file: /etc/crewd/ci.secret, role: viewer}}"
    tls = "tls: {certificate: /etc/crewd/tls.pem, key: /etc/crewd/tls.key}"
    configure(box, CREW.replace("{listen: none}", f"{{listen: '127.0.0.1:3443', {tls}, {hmac}}}"))
    box.run("systemctl", "restart", DAEMON)
    wait_status(box, DAEMON, "): 2 running")
    wait_for(lambda: "not ready" in box.out("crewctl", "status"), 90.0, "the daemon's trouble with its key")
    found = doctor(box)
    for one in found[1]:
        box.run("sh", "-c", one["remedy"].rpartition(";")[0])
    wait_for(lambda: "not ready" not in box.out("crewctl", "status"), 90.0, "an end of that trouble")
    recovers(box)
    configure(box, CREW)
    box.run("systemctl", "restart", DAEMON)

    assert told(found) == (1, {("problem", "unreadable")})
    assert sorted(one["path"] for one in found[1]) == [
        f"/etc/crewd/{name}" for name in ("ci.secret", "tls.key", "tls.pem")
    ]
