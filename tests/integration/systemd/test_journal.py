"""The log in systemd's journal: found by worker, with priorities, and nothing in it that a worker made up."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from crewd.model import journald
from harness import systemd_box
from harness.systemd_box import Box
from harness.waiting import wait_for

pytestmark = pytest.mark.skipif(bool(systemd_box.missing()), reason=systemd_box.missing())

HOME = "/srv/crew"
FORGED = "it said\nPRIORITY=0\nCREWD_WORKER=forged\n\nMESSAGE=forged"
SCRIPT = f"""
import os, signal, structlog
from crewd.app import logs
from crewd.model import journald
logs.configure(os.environ)
log = structlog.get_logger("crewd")
log.warning("hostile", instance="web-0", message={FORGED!r}, **{{{FORGED!r}: 1}})
log.warning("long", instance="web-0", message="x" * 1_000_000)
journald.SOCKET = "/nowhere"
log.error("unsent", instance="web-0", message={FORGED!r})
signal.pause()
"""
CREW = {
    "crewd": {"supervisord": "external", "listen": "none"},
    "defaults": {"restart_sec": "100ms", "restart_steps": 0},
    "workers": {
        "ingest": {"command": ["sleep", "1000"], "start_success_sec": "100ms"},
    },
}


class Journal:
    """The box with crewd and supervisord as two units in it."""

    def __init__(self, box: Box) -> None:
        self.box = box

    def entries(self, *matches: str) -> list[dict[str, Any]]:
        """Return the entries that match."""
        found = self.box.run("journalctl", "-o", "json", "--all", "--no-pager", *matches, check=False).stdout
        return [json.loads(line) for line in found.splitlines()]

    def entry(self, text: str, *matches: str) -> dict[str, Any]:
        """Wait for an entry whose message has this, and return it."""

        def there() -> dict[str, Any] | None:
            return next((one for one in self.entries(*matches) if text in one["MESSAGE"]), None)

        return wait_for(there, what=lambda: f"{text}: {self.entries(*matches)}")

    def start(self, unit: str, *argv: str, kind: str = "exec") -> None:
        """Start a unit, and wait until it is active."""
        options = [f"--unit={unit}", "-p", f"Type={kind}", "-E", f"CREWD_HOME={HOME}", "--quiet"]
        self.box.run("systemd-run", *options, sys.executable, *argv)

    def crewd(self) -> None:
        """Start the daemon."""
        self.start("crewd", "-c", "from crewd.cli import main; main()", "run", kind="notify")

    def kill(self) -> None:
        """Have the worker crash."""
        killing = ("pkill", "-KILL", "-f", "^sleep 1000")
        wait_for(lambda: self.box.run(*killing, check=False).returncode == 0, what="the worker to live")


@pytest.fixture(scope="module")
def journal() -> Iterator[Journal]:
    """Both units, up."""
    with Box() as box:
        found = Journal(box)
        box.path(f"{HOME}/etc").mkdir(parents=True)
        box.path(f"{HOME}/etc/crewd.yaml").write_text(yaml.safe_dump(CREW))
        box.run("env", f"CREWD_HOME={HOME}", sys.executable, "-m", "crewd.apply")
        launch = ("-m", "crewd_supervisord.launch", "-n", "-c", f"{HOME}/engine/current/supervisord.conf")
        found.start("crewd-supervisord", *launch)
        found.crewd()
        found.entry("success: ingest-0", "-u", "crewd-supervisord")
        yield found


def test_a_workers_events_are_found_by_its_name(journal: Journal) -> None:
    """With the priority of each, who and why as fields, under the daemon's unit."""
    journal.kill()

    ended = journal.entry("exited", "-u", "crewd", "CREWD_WORKER=ingest")
    fields = {key: ended[key] for key in ended if key in {"PRIORITY", "SYSLOG_IDENTIFIER"} or key.startswith("CREWD_")}
    assert fields.pop("CREWD_PID").isdigit()
    assert float(fields.pop("CREWD_RAN_SEC")) > 0
    assert fields == {
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "crewd",
        "CREWD_EVENT": "exited",
        "CREWD_WORKER": "ingest",
        "CREWD_INSTANCE": "ingest-0",
        "CREWD_REASON": "Signal",
        "CREWD_SIGNAL": "9",
    }
    assert journal.entry("restart due", "-u", "crewd", "CREWD_VERDICT=Restarted")["PRIORITY"] == "6"
    assert journal.entries("-u", "crewd", "CREWD_WORKER=nobody") == []


def exits(journal: Journal, *matches: str) -> list[list[dict[str, Any]]]:
    """Return each end of a process with what comes until the next."""
    found: list[list[dict[str, Any]]] = []
    for one in journal.entries(*matches):
        if one["MESSAGE"].startswith("exited: "):
            found.append([])
        if found:
            found[-1].append(one)
    return found


def test_supervisords_log_has_priorities_and_names_too(journal: Journal) -> None:
    """It tells of the worker while no daemon runs."""
    journal.box.run("systemctl", "stop", "crewd")
    matches = ("-u", "crewd-supervisord", "CREWD_WORKER=ingest")
    before = len(exits(journal, *matches))
    journal.kill()

    wait_for(lambda: len(exits(journal, *matches)) > before, what=lambda: str(journal.entries(*matches)))
    wait_for(lambda: len(exits(journal, *matches)[-1]) >= 3, what=lambda: str(journal.entries(*matches)))
    ended, spawned, *_ = exits(journal, *matches)[-1]
    assert ended["MESSAGE"] == "exited: ingest-0 (terminated by SIGKILL; not expected)"
    assert (ended["PRIORITY"], ended["SYSLOG_IDENTIFIER"]) == ("4", "supervisord")
    assert spawned["MESSAGE"].startswith("spawned: 'ingest-0' with pid ")
    assert (spawned["PRIORITY"], spawned["CREWD_INSTANCE"]) == ("6", "ingest-0")
    journal.crewd()


def test_no_text_makes_an_entry_of_its_own(journal: Journal) -> None:
    """Line ends and fields in a text, or in a name, stay there; a long one is cut; what cannot be sent is a line."""
    journal.start("script", "-c", SCRIPT)

    last = journal.entry("unsent", "-u", "script")
    wait_for(lambda: len(journal.entries("-u", "script", "CREWD_WORKER=web")) == 2)
    hostile, long = journal.entries("-u", "script", "CREWD_WORKER=web")
    assert (hostile["CREWD_MESSAGE"], hostile["PRIORITY"]) == (FORGED, "4")
    assert long["CREWD_MESSAGE"] == "x" * journald.VALUE_MOST
    assert last["PRIORITY"] == "3"
    assert json.dumps(FORGED) in last["MESSAGE"]
    assert "CREWD_WORKER" not in last
    assert journal.entries("CREWD_WORKER=forged") == journal.entries("-u", "script", "PRIORITY=0") == []


def test_why_the_daemon_ends_is_an_error(journal: Journal) -> None:
    """The sentence that it leaves, too."""
    journal.start("second", "-c", "from crewd.cli import main; main()", "run")

    assert journal.entry("another crewd holds", "-u", "second")["PRIORITY"] == "3"
