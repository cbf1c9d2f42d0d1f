"""crewctl and a crew that runs: the daemon, its socket, supervisord and the workers are real."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import wait_for
from harness.crewctl import Terminal
from harness.crewctl import crewctl as run_crewctl
from harness.daemon import Daemon

CHATTY = ["sh", "-c", "i=0; while :; do echo line $i; i=$((i + 1)); sleep 0.05; done"]
BROKEN = ["sh", "-c", "echo cannot read settings >&2; exit 3"]
SOON = {"start_success_sec": "20s"}
"""What ends at once has not succeeded, however late it is looked at."""
CREW: dict[str, Any] = {
    "steady": {"command": ["sleep", "1000"], "instances": 2},
    "chatty": {"command": CHATTY},
    "broken": {"command": BROKEN, **SOON, "restart_sec": 0, "start_limit_burst": 2},
    "patient": {
        "command": BROKEN,
        **SOON,
        "restart_sec": "10m",
        "restart_max_delay_sec": "20m",
        "start_limit_burst": 0,
    },
}
SECTIONS = {"crewd": {"listen": "none"}, "defaults": {"start_success_sec": "200ms", "stdout_logfile": "auto"}}
STATES = {
    "steady_0": "RUNNING",
    "steady_1": "RUNNING",
    "chatty_0": "RUNNING",
    "broken_0": "FATAL",
    "patient_0": "BACKOFF",
}


STATUSES = {"RUNNING": "running", "FATAL": "error", "BACKOFF": "crashed"}


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """A crew that has come to rest: what runs runs, what does not has been given up or waits."""
    with Daemon(CREW, **SECTIONS) as daemon:
        daemon.start()
        daemon.wait_states(**STATES)
        daemon.wait_serving()
        resting = {name.replace("_", "-"): STATUSES[state] for name, state in STATES.items()}
        wait_for(lambda: statuses(daemon) == resting)
        wait_for(lambda: {"broken-0", "patient-0"} <= {one["instance"] for one in events(daemon, "--type", "judged")})
        yield daemon


def crewctl(daemon: Daemon, *arguments: str) -> tuple[int, str, str]:
    """Run crewctl; return its exit status, its output and what it complains of."""
    ran = run_crewctl(Path(daemon.root), *arguments)
    return ran.returncode, ran.stdout, ran.stderr


def statuses(daemon: Daemon) -> dict[str, str]:
    """Return the status of each instance, as crewctl tells it to programs."""
    workers = json.loads(crewctl(daemon, "status", "-o", "json")[1])["workers"]
    return {one["instance"]: one["status"] for worker in workers for one in worker["instances"]}


def events(daemon: Daemon, *arguments: str) -> list[dict[str, Any]]:
    """Return events, as crewctl tells them to programs."""
    return [json.loads(line) for line in crewctl(daemon, "events", "-o", "json", *arguments)[1].splitlines()]


def test_status_tells_how_the_crew_is(daemon: Daemon) -> None:
    """All instances with their statuses; 3 where one does not run, 0 where all do, 4 for one that is not there."""
    resting = {"steady-0": "running", "steady-1": "running", "chatty-0": "running"}
    assert statuses(daemon) == resting | {"broken-0": "error", "patient-0": "crashed"}

    code, shown, _ = crewctl(daemon, "status")
    assert code == 3
    assert "4 workers, 5 instances: 3 running, 1 crashed, 1 error" in shown
    assert re.search(r"broken-0 +! error +- .* ago: exit code 3 \(ExitCode\)", shown)
    assert re.search(r"patient-0 +✗ crashed .*in \d+ min", shown)
    assert crewctl(daemon, "status", "steady", "chatty-0")[0] == 0
    code, _, complaint = crewctl(daemon, "status", "stedy")
    assert (code, "did you mean steady" in complaint) == (4, True)
    failed = crewctl(daemon, "status", "--failed")[1]
    assert [line.split()[0] for line in failed.splitlines()[-2:]] == ["broken-0", "patient-0"]


def test_stop_and_start_wait_until_it_is_done(daemon: Daemon) -> None:
    """What was said is so when the command ends, and the daemon's picture has it."""
    assert crewctl(daemon, "stop", "steady") == (0, "✓ steady-0  stopped\n✓ steady-1  stopped\n", "")
    assert daemon.states()["steady-0"] == daemon.states()["steady-1"] == "STOPPED"
    assert crewctl(daemon, "status", "steady")[0] == 3
    assert crewctl(daemon, "stop", "steady-0")[:2] == (0, "✓ steady-0  not running\n")
    assert crewctl(daemon, "start", "steady-1")[:2] == (0, "✓ steady-1  started\n")
    assert daemon.states()["steady-0"] == "STOPPED"
    assert daemon.states()["steady-1"] == "RUNNING"


def test_restart_brings_new_processes(daemon: Daemon) -> None:
    """Every one of the worker, with a result for each."""
    before = daemon.pids()
    code, told, _ = crewctl(daemon, "restart", "steady", "chatty-0")
    after = daemon.pids()

    assert code == 0
    assert sorted(told.splitlines()) == ["✓ chatty-0  restarted", "✓ steady-0  restarted", "✓ steady-1  restarted"]
    assert all(before[name] != after[name] for name in before)


def test_a_rolling_restart_ends_at_the_first_that_does_not_come_up(daemon: Daemon) -> None:
    """In the order in which they are named; those behind it run on."""
    before = daemon.pids()
    code, told, complaint = crewctl(daemon, "restart", "--rolling", "--force", "steady", "broken", "chatty")
    after = daemon.pids()

    assert code == 1
    assert told.startswith("✓ steady-0  restarted\n✓ steady-1  restarted\n✗ broken-0  not restarted: ")
    assert "not touched: chatty-0\n" in complaint
    assert before["steady-0"] != after["steady-0"]
    assert before["steady-1"] != after["steady-1"]
    assert before["chatty-0"] == after["chatty-0"]
    [told, *_] = wait_for(lambda: events(daemon, "steady-1", "--type", "commanded"))
    assert told["through"] == "crewd, by force"


def test_health_figures_and_the_log_are_those_of_the_crew(daemon: Daemon) -> None:
    """Which workers are not well and why, how many there are, and what crewd saw of them."""
    code, told, _ = crewctl(daemon, "health")
    assert code == 3
    assert "✓ steady   healthy\n" in told
    assert "✗ broken   not healthy (error)\n    broken-0 was given up\n" in told
    assert crewctl(daemon, "health", "steady", "chatty-0")[0] == 0
    assert crewctl(daemon, "health", "nobody")[0] == 4
    assert "instances     5: 3 running, 1 error, 1 crashed\n" in crewctl(daemon, "stats")[1]
    assert re.search(r"broken-0 +error +ended: exit code 3", crewctl(daemon, "worker-logs", "--level", "error")[1])
    assert crewctl(daemon, "restart-events") == (0, "", "there is no such restart\n")


def test_a_start_that_fails_is_told(daemon: Daemon) -> None:
    """1, with what happened, as soon as it is known; and what has a chance is started all the same."""
    crewctl(daemon, "stop", "steady-0")
    code, told, complaint = crewctl(daemon, "start", "broken", "steady-0", "--timeout", "20s")

    assert code == 1
    assert "✓ steady-0  started" in told
    assert "✗ broken-0  not started: " in told
    assert "`crewctl why broken-0` tells more" in complaint


def test_a_terminal_sees_the_bar_and_the_results(daemon: Daemon) -> None:
    """Asked about everything first."""
    with Terminal(Path(daemon.root), "restart", "--all") as terminal:
        terminal.reads("restart all 5 instances? [y/N] ")
        terminal.types("y\n")
        terminal.reads("/5")

        assert terminal.ends() == 1  # broken and patient do not come up
        assert "✓ steady-1   restarted" in terminal.text()


def test_nothing_is_done_for_any_where_one_is_unknown(daemon: Daemon) -> None:
    """1, and the worker that is known runs on."""
    code, _, complaint = crewctl(daemon, "stop", "steady", "nobody")

    assert code == 1
    assert "nobody" in complaint
    assert statuses(daemon)["steady-0"] == "running"


def test_why_explains_a_worker_that_was_given_up(daemon: Daemon) -> None:
    """Both exits with their verdicts, and nothing left of the budget."""
    code, told, _ = crewctl(daemon, "why", "broken-0")

    assert code == 0
    assert told.startswith("broken-0 was given up (FATAL)")
    assert "(ExitCode -> Restarted)." in told
    assert "given up, for 2 starts within 10 min are the limit (ExitCode -> StartLimitHit)." in told
    assert crewctl(daemon, "why", "--failed")[1].count("Its last exits") == 2


def test_reset_failed_gives_a_worker_its_budget_back(daemon: Daemon) -> None:
    """Nothing is started by it."""
    assert crewctl(daemon, "reset-failed", "broken") == (0, "✓ broken-0  reset\n", "")
    wait_for(lambda: statuses(daemon)["broken-0"] == "stopped")
    assert "The limit leaves 2 starts now" in crewctl(daemon, "why", "broken")[1]


def test_events_tell_what_happened(daemon: Daemon) -> None:
    """A crash, the verdict on it and the next start, in order; and the command with who asked."""
    killed = daemon.pids()["steady-0"]
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: daemon.pids().get("steady-0", killed) != killed)
    life = r"ended: SIGKILL after .* \(Signal\)\n(.*\n)*.*to be started again .*\n(.*\n)*.*started: pid "
    wait_for(lambda: re.search(life, crewctl(daemon, "events", "steady-0")[1]))

    crewctl(daemon, "stop", "steady-0")
    wait_for(lambda: [one["verb"] for one in events(daemon, "--type", "commanded")] == ["stop"])
    assert f"uid {os.getuid()}" in crewctl(daemon, "events", "--type", "commanded")[1]
    assert {one["instance"] for one in events(daemon, "steady-0", "--since", "1h")} == {"steady-0"}


def test_events_are_followed_through_a_restart_of_the_daemon(daemon: Daemon) -> None:
    """Nothing is missed, nothing is told twice: what happened while no daemon was there comes from the journal."""
    daemon.write(CREW, **(SECTIONS | {"crewd": {"listen": "none", "on_shutdown": "keep"}}))
    daemon.reload()
    with Terminal(Path(daemon.root), "events", "-f", "-n", "1", "--type", "exited") as terminal:
        terminal.reads(" ended")  # the newest of before: what comes from here on is followed
        crewctl(daemon, "stop", "steady-0")
        terminal.reads("steady-0")
        daemon.signal(signal.SIGKILL)
        daemon.wait()
        os.kill(daemon.pids()["steady-1"], signal.SIGKILL)
        daemon.start()
        terminal.reads("steady-1")
        crewctl(daemon, "stop", "chatty-0")
        terminal.reads("chatty-0")
        terminal.types("\x03")

        assert terminal.ends() == 130
        names = re.findall(r"(\w+-\d+) +ended", terminal.text())
        assert names[1:] == ["steady-0", "steady-1", "chatty-0"]
    daemon.client.shutdown()


def test_logs_show_what_a_worker_wrote(daemon: Daemon) -> None:
    """The last lines, those that match, and standard error; a worker with several instances is asked which."""
    wait_for(lambda: "line 5\n" in crewctl(daemon, "logs", "chatty")[1])
    code, shown, _ = crewctl(daemon, "logs", "chatty", "-n", "3")
    assert code == 0
    assert re.fullmatch(r"line \d+\nline \d+\nline \d+\n", shown)
    assert set(crewctl(daemon, "logs", "chatty-0", "--grep", "line [24]$")[1].splitlines()) == {"line 2", "line 4"}
    assert set(crewctl(daemon, "logs", "broken-0", "--stderr")[1].splitlines()) == {"cannot read settings"}

    code, _, complaint = crewctl(daemon, "logs", "steady")
    assert code == 2
    assert "steady-0" in complaint
    assert "steady-1" in complaint


def test_logs_are_followed(daemon: Daemon) -> None:
    """Each line as it is written, until Ctrl-C."""
    with Terminal(Path(daemon.root), "logs", "-f", "-n", "1", "chatty") as terminal:
        wait_for(lambda: len(terminal.text().splitlines()) > 5)
        terminal.types("\x03")

        assert terminal.ends() == 130
        numbers = [int(number) for number in re.findall(r"^line (\d+)$", terminal.text(), re.MULTILINE)]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_reload_applies_what_changed(daemon: Daemon) -> None:
    """Names what was touched; the second time nothing changed."""
    daemon.write(CREW | {"steady": {"command": ["sleep", "1000"], "instances": 3}}, **SECTIONS)

    assert crewctl(daemon, "reload") == (0, "added: steady-2\nkept: 5\n", "")
    assert crewctl(daemon, "reload")[1] == "nothing changed\nkept: 6\n"
    wait_for(lambda: statuses(daemon)["steady-2"] == "running")


def test_a_broken_file_changes_nothing(daemon: Daemon) -> None:
    """Its mistakes are listed with their places, and status says so until it is mended."""
    daemon.write(CREW | {"steady": {"command": ["sleep", "1000"], "instances": "many"}}, **SECTIONS)
    before = daemon.pids()
    code, told, complaint = crewctl(daemon, "reload")

    assert (code, told) == (1, "")
    assert re.match(rf"{re.escape(daemon.home.config)}:\d+:\d+: workers.steady.instances: ", complaint)
    assert daemon.pids() == before
    assert "▲ the configuration is not in force:\n    " in crewctl(daemon, "status")[1]

    daemon.write(CREW, **SECTIONS)
    assert crewctl(daemon, "reload")[0] == 0
    assert "▲" not in crewctl(daemon, "status")[1]


def test_shutdown_ends_crewd_and_all_workers(daemon: Daemon) -> None:
    """The daemon ends in order, and after it nothing answers."""
    pids = daemon.pids()

    assert crewctl(daemon, "shutdown", "--yes")[0] == 0
    assert daemon.wait() == 0
    assert daemon.supervisord_pid() == 0
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids.values())
    assert crewctl(daemon, "status")[0] == 4
    assert crewctl(daemon, "stop", "steady")[0] == 7


def test_shutdown_ends_a_supervisord_that_would_be_kept(daemon: Daemon) -> None:
    """That is what it is for."""
    daemon.write(CREW, **(SECTIONS | {"crewd": {"listen": "none", "on_shutdown": "keep"}}))
    daemon.reload()

    assert crewctl(daemon, "shutdown", "--yes")[0] == 0
    assert daemon.wait() == 0
    assert daemon.supervisord_pid() == 0
