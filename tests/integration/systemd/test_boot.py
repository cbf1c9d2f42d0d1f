"""A machine boots, and something is wrong with it: the workers run all the same."""

import pytest

from harness import systemd_box
from harness.installation import configure, install
from harness.systemd_box import Box
from harness.units import drop_in, processes, shown, wait_status
from harness.waiting import wait_for

pytestmark = pytest.mark.skipif(bool(systemd_box.missing()), reason=systemd_box.missing())

DAEMON, SUPERVISORD = "crewd.service", "crewd-supervisord.service"
SEC = 60.0
GOOD = "crewd: {listen: none}\nworkers: {web: {command: [sleep, '100000'], instances: 3}}\n"
SLOW = GOOD.replace("3}", "3, timeout_stop_sec: 200}")
BROKEN = "workers: {web: {command: [sleep, '100000'], instances: many}}\n"
WEB = "^sleep 100000"


def test_boots() -> None:
    """With a file that was never right nothing is started, nor tried for ever; with one that was, the last good crew.

    And each of the two units comes up without the other.
    """
    with Box() as box:
        install(box, BROKEN)
        box.run("systemctl", "enable", "--now", "crewd.target")
        for unit in (DAEMON, SUPERVISORD):
            wait_for(lambda unit=unit: shown(box, unit, "ActiveState") == "failed", SEC, f"the failure of {unit}")
            assert (shown(box, unit, "ExecMainStatus"), shown(box, unit, "NRestarts")) == ("78", "0")

        configure(box, GOOD)
        box.run("systemctl", "start", "crewd.target")
        wait_status(box, DAEMON, "3 running")

        configure(box, SLOW)
        box.run("crewd-apply")
        configure(box, BROKEN)
        box.reboot()
        wait_status(box, DAEMON, "configuration not in force")
        wait_status(box, DAEMON, "3 running")
        assert shown(box, SUPERVISORD, "TimeoutStopUSec") == "3min 35s"
        assert len(processes(box, WEB)) == 3

        configure(box, GOOD)
        drop_in(box, DAEMON, "ExecStartPre=/bin/false")
        box.reboot()
        wait_for(lambda: len(processes(box, WEB)) == 3, SEC, "the workers without a daemon")
        assert shown(box, DAEMON, "ActiveState") != "active"

        drop_in(box, DAEMON)
        drop_in(box, SUPERVISORD, "ExecStartPre=/bin/false")
        box.reboot()
        wait_status(box, DAEMON, "waiting for supervisord")
        assert not processes(box, WEB)

        drop_in(box, SUPERVISORD)
        box.run("systemctl", "restart", SUPERVISORD)
        wait_status(box, DAEMON, "3 running")
