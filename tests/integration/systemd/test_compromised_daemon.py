"""Somebody has become the daemon, in a real installation, with all that its user may: root runs no program for them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import compromised, systemd_box
from harness.installation import install
from harness.systemd_box import Box
from harness.units import main_pid, processes, wait_status
from harness.waiting import wait_for

pytestmark = pytest.mark.skipif(bool(systemd_box.missing()), reason=systemd_box.missing())

DAEMON, SUPERVISORD = "crewd.service", "crewd-supervisord.service"
SCRIPT = "/run/compromised.py"
CREW = """\
crewd: {listen: none, api_workers: {users: [nobody], roots: [/srv]}}
workers: {web: {command: [sleep, '100000']}}
"""
TRUSTED = (
    "find /etc/crewd /etc/passwd /etc/shadow /var/lib/crewd-engine/generations /var/lib/crewd-engine/current "
    "/run/systemd/system /etc/systemd/system /etc/cron.d -printf '%p %u %g %m %l\\n' -type f -exec sha256sum {} +"
)


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    """One in which all is well; the attacker's program is there."""
    with Box() as box:
        install(box, CREW)
        box.run("systemctl", "start", "crewd.target")
        wait_status(box, DAEMON, "1 running")
        box.run("sh", "-c", f"cat >{SCRIPT}", text=Path(compromised.__file__).read_text())
        yield box


def tried(box: Box, what: str, *arguments: object) -> dict[str, Any]:
    """Try it as the daemon's user, with all its groups; return what came of it."""
    be_crewd = ("setpriv", "--reuid=crewd", "--regid=crewd", "--init-groups", "--")
    return json.loads(box.out(*be_crewd, "/usr/bin/python3", SCRIPT, what, *map(str, arguments)))


def trusted(box: Box) -> str:
    """Return all that root reads: owners, modes, links, contents."""
    return box.out("sh", "-c", TRUSTED)


def owned(box: Box) -> bool:
    """Return whether root, or anybody, did what the attacker wanted."""
    return bool(box.run("ls", compromised.MARK, check=False).stdout)


def test_nothing_that_root_reads_can_be_written(box: Box) -> None:
    """Not made, changed, replaced or removed; nor are the secrets among it read, nor the lock held."""
    before = trusted(box)
    writes, reads = tried(box, "writes"), tried(box, "reads")

    assert {name: said for name, said in writes.items() if not said.startswith("PermissionError")} == {}
    assert {name: said for name, said in reads.items() if not said.startswith("PermissionError")} == {}
    assert len(writes) > 100
    assert trusted(box) == before


def test_links_in_its_own_directories_lead_root_nowhere(box: Box) -> None:
    """Whatever root does meanwhile: apply, start the units, make the directories, run the daemon by hand."""
    before = trusted(box)
    made = tried(box, "links")
    box.run("crewd-apply")
    box.run("systemd-tmpfiles", "--create", "crewd.conf")
    box.run("systemctl", "restart", DAEMON, check=False)
    by_hand = box.run("crewd", "run", check=False)
    after = trusted(box)
    tried(box, "unlink")
    box.run("systemctl", "reset-failed", DAEMON, check=False)
    box.run("systemctl", "restart", DAEMON)
    wait_status(box, DAEMON, "1 running")

    assert made["hard"].startswith("PermissionError")
    assert by_hand.returncode == 1
    assert "cannot run as root: /var/lib/crewd belongs to crewd" in by_hand.stderr
    assert after == before


def test_root_admits_no_worker_that_its_own_file_does_not(box: Box) -> None:
    """Another user, the loader's variables, logs, files, a section smuggled in, a file of its own: nothing is run."""
    answers = tried(box, "applies")
    fates = {name: ruling["fate"] for name, ruling in answers["rulings"].items()}
    programs = box.out("grep", "-c", "^.program:", "/var/lib/crewd-engine/current/supervisord.conf")

    assert fates == dict.fromkeys(compromised.OFFERS, "refused")
    assert answers["option"] == "DONE: 'cannot apply: the request begins with neither check nor apply'"
    assert "they are not what crewd writes" in answers["deep"]
    assert programs == "1"
    assert not owned(box)


def test_no_method_of_supervisord_takes_anything_that_is_run(box: Box) -> None:
    """What takes a name knows none but the crew's; and the methods are those that were looked at."""
    before = trusted(box)
    said = tried(box, "calls")
    methods = {name.partition(".")[0] for name in json.loads(said.pop("methods"))}
    done = {name for name, answer in said.items() if answer.startswith("DONE")}

    assert methods == {"crewd", "supervisor", "system"}
    assert done == {"acknowledge", "acknowledge all", "reload config"}, said
    assert trusted(box) == before
    assert box.out("sh", "-c", "ls -A /var/lib/crewd-engine/journal")
    assert not owned(box)


def test_it_can_signal_no_process_of_roots(box: Box) -> None:
    """Neither init, nor supervisord, nor a worker of root's."""
    worker = min(processes(box, "^sleep 100000"))
    said = tried(box, "signals", main_pid(box, SUPERVISORD), worker)

    assert {answer.partition(":")[0] for answer in said.values()} == {"PermissionError"}
    assert processes(box, "^sleep 100000") == {worker}


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("slow", "listens and does not answer: the answer takes longer than 5 s"),
        ("endless", "is not crewd"),
        ("odd", "is not crewd"),
        ("speaking", "the last apply failed: ]0;evil"),
    ],
)
def test_root_s_doctor_is_led_nowhere(box: Box, answer: str, found: str) -> None:
    """It reads no file that the daemon's user names, opens no database of theirs, waits no longer than it says.

    What they answer is no command to root's terminal.
    """
    box.run("systemctl", "stop", DAEMON)
    box.run("install", "-d", "-o", "crewd", "-g", "crewd", "/run/crewd")
    tried(box, "listens", answer)
    wait_for(lambda: processes(box, f"{SCRIPT} answer"), 60.0, "the process in the daemon's place")
    wait_for(lambda: box.run("test", "-S", compromised.OWN[3], check=False).returncode == 0, 60.0, "its socket")
    told = box.run("timeout", "--signal=KILL", "60", "crewctl", "doctor", check=False).stdout
    for pid in processes(box, f"{SCRIPT} answer"):
        box.run("kill", str(pid))
    tried(box, "mend")
    box.run("systemctl", "start", DAEMON)
    wait_status(box, DAEMON, "1 running")

    assert "evil.yaml" not in told
    assert not {sign for sign in told if ord(sign) < ord(" ") or 0x7F <= ord(sign) < 0xA0} - {"\n"}
    assert found in told
    assert not owned(box)
