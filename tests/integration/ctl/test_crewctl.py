"""crewctl as a whole, and `status`, against a server with canned answers."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from crewd import __version__
from harness.canned_api import Api, Reply, data, no, parts
from harness.crewctl import COMMAND, Terminal, crewctl, environ
from harness.crewctl_answers import WAITING, crew, event, instance, many, worker


def shell(root: Path, script: str) -> "subprocess.CompletedProcess[str]":
    """Run crewctl in a script of bash."""
    function = f'crewctl() {{ {shlex.join(COMMAND)} "$@"; }}'
    command = ["bash", "-c", f"{function}\n{script}"]
    return subprocess.run(command, env=environ(root), capture_output=True, text=True, check=False, timeout=90)


def test_status_shows_the_crew(api: Api, root: Path) -> None:
    """A summary, a line for each instance, and LSB's 3 where one does not run."""
    api.serve("GET /workers", data(crew(worker(instance("web-0"), instance("web-1", "crashed", **WAITING)))))
    ran = crewctl(root, "status")

    assert ran.returncode == 3
    assert ran.stderr == ""
    assert ran.stdout.splitlines()[0] == "1 worker, 2 instances: 1 running, 1 crashed"
    assert ran.stdout.splitlines()[3].split() == ["web-0", "●", "running", "4242", "1", "h", "2", "min", "0", "-", "-"]
    assert "web-1     ✗ crashed" in ran.stdout


def test_status_of_a_crew_that_runs_is_0(api: Api, root: Path) -> None:
    """Also of one that is named, which is what is asked for then."""
    api.serve("GET /workers", data(crew(worker(instance("web-0")))))

    assert crewctl(root, "status").returncode == 0
    assert crewctl(root, "status", "web", "tier=front", "job:*").returncode == 0
    assert api.last().query == (("worker", "web"), ("worker", "tier=front"), ("worker", "job:*"))


@pytest.mark.parametrize("everything", ["--all", "*"])
def test_everything_may_be_said_aloud(api: Api, root: Path, everything: str) -> None:
    """For those who prefer that."""
    api.serve("GET /workers", data(crew(worker(instance("web-0")))))

    assert crewctl(root, "status", everything).returncode == 0
    assert api.last().query == ()


def test_status_shows_what_has_failed(api: Api, root: Path) -> None:
    """The summary is of all, the lines are of what has crashed or was given up; 0 where that is nothing."""
    failed = worker(instance("web-0"), instance("web-1", "crashed"), instance("web-2", "error"))
    api.serve("GET /workers", data(crew(failed, worker(instance("job-0", "stopped")))))
    ran = crewctl(root, "status", "--failed")

    assert ran.returncode == 3
    assert [line.split()[0] for line in ran.stdout.splitlines()[3:]] == ["web-1", "web-2"]
    assert ran.stdout.startswith("2 workers, 4 instances: 1 running, 1 stopped, 1 crashed, 1 error\n")

    api.serve("GET /workers", data(crew(worker(instance("job-0", "stopped")))))
    ran = crewctl(root, "status", "--failed")

    assert (ran.returncode, ran.stdout) == (0, "1 worker, 1 instance: 1 stopped\n")


def test_status_as_json_is_the_api_s(api: Api, root: Path) -> None:
    """One line through a pipe, with the same exit status."""
    answer = crew(worker(instance("web-0"), instance("web-1", "error")))
    api.serve("GET /workers", data(answer))
    ran = crewctl(root, "status", "-o", "json")

    assert ran.returncode == 3
    assert json.loads(ran.stdout) == answer
    assert len(ran.stdout.splitlines()) == 1
    failed = json.loads(crewctl(root, "status", "--failed", "-o", "json").stdout)
    assert [one["instance"] for one in failed["workers"][0]["instances"]] == ["web-1"]


def test_status_of_a_stale_picture_is_4(api: Api, root: Path) -> None:
    """Nobody knows, and that is said first."""
    api.serve("GET /workers", data(crew(worker(instance("web-0")), stale=True, supervisord={"up": False})))
    ran = crewctl(root, "status")

    assert ran.returncode == 4
    assert ran.stdout.startswith("▲ supervisord is not there: this is the last known state\n")


def test_an_unknown_worker_is_4_and_its_name_is_guessed(api: Api, root: Path) -> None:
    """The message is the daemon's, with the nearest names behind it."""
    unknown = no(404, "WORKER_001", "cannot find worker: injest is not known", names=["injest"])
    known = data(crew(worker(instance("ingest-0"))))
    api.serve("GET /workers", lambda asked: unknown if asked.query else known)
    ran = crewctl(root, "status", "injest")

    assert ran.returncode == 4
    assert ran.stdout == ""
    assert ran.stderr == "cannot find worker: injest is not known; did you mean ingest or ingest-0?\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("status",), 4),
        (("why", "web-0"), 4),
        (("events",), 4),
        (("events", "-f"), 4),
        (("logs", "web-0"), 4),
        (("start", "web"), 7),
        (("stop", "--all", "--yes"), 7),
        (("reload",), 7),
        (("reset-failed", "web"), 7),
        (("shutdown", "--yes"), 7),
    ],
)
def test_without_a_daemon_each_command_says_so(root: Path, arguments: tuple[str, ...], code: int) -> None:
    """One line with what to do about it: 4 from what shows, 7 from what does something."""
    ran = crewctl(root, *arguments)

    assert ran.returncode == code
    assert ran.stdout == ""
    assert ran.stderr == (
        f"cannot reach crewd at {root}/run/crewd.sock: there is no such socket; "
        "is crewd running? `crewd run` starts it\n"
    )


def test_a_socket_that_nobody_listens_on_is_told(api: Api, root: Path) -> None:
    """What a daemon left behind that was killed."""
    api.shutdown()
    api.socket.close()
    ran = crewctl(root, "status")

    assert ran.returncode == 4
    assert "Connection refused; is crewd running?" in ran.stderr


def test_who_is_not_let_in_is_told_so(api: Api, root: Path) -> None:
    """4, in LSB's words no permission."""
    api.serve("POST /workers/batch", no(403, "AUTH_002", "cannot let uid 1000 in: not root, and not crewd's own"))
    ran = crewctl(root, "start", "web")

    assert ran.returncode == 4
    assert ran.stderr == "cannot let uid 1000 in: not root, and not crewd's own\n"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"\xff\xfe"])
def test_what_is_not_crewd_is_told_apart(api: Api, root: Path, body: bytes) -> None:
    """Another program may sit on the socket."""
    api.serve("GET /workers", Reply(body))
    ran = crewctl(root, "status")

    assert ran.returncode == 1
    assert ran.stderr == f"cannot understand what answers at {root}/run/crewd.sock: it is not crewd\n"


def test_the_socket_can_be_named(api: Api, tmp_path: Path) -> None:
    """The option stands above CREWD_HOME."""
    api.serve("GET /workers", data(crew(worker(instance("web-0")))))

    assert crewctl(tmp_path, "--socket", api.path, "status").returncode == 0


def test_status_shows_a_thousand_workers(api: Api, root: Path) -> None:
    """All of them; how long that takes is the benchmark's to say."""
    api.serve("GET /workers", data(many(1000)))

    assert len(crewctl(root, "status").stdout.splitlines()) == 1003


def test_status_loads_nothing_that_it_does_not_need() -> None:
    """Neither the configuration's parts nor the daemon's, and no library but click."""
    loads = "import sys; import crewd.ctl.status; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True).stdout.split()
    ours = {name for name in loaded if name.startswith("crewd.")}

    assert not {"yaml", "jinja2", "structlog", "asyncio", "supervisor", "rich", "httpx", "difflib"} & set(loaded)
    assert {name.split(".")[1] for name in ours} == {"ctl", "errors", "manual", "model", "wording"}


def test_on_a_terminal_status_is_coloured_and_fits(api: Api, root: Path) -> None:
    """No line is wider than the terminal, and what gives way is the last exit."""
    long = {**WAITING, "last_exit": WAITING["last_exit"] | {"cause": "could not be started: " + "x" * 200}}
    api.serve("GET /workers", data(crew(worker(instance("web-0"), instance("web-1", "crashed", **long)))))
    with Terminal(root, "status", width=90) as terminal:
        assert terminal.ends() == 3
        lines = terminal.text().splitlines()

        assert "\x1b[32m● running\x1b[0m" in terminal.raw()
        assert max(map(len, lines)) <= 90
        assert lines[-1].endswith("…")


def test_no_colours_where_none_are_wanted(api: Api, root: Path) -> None:
    """The option stands above the terminal."""
    api.serve("GET /workers", data(crew(worker(instance("web-0")))))
    with Terminal(root, "--color", "never", "status") as terminal:
        assert terminal.ends() == 0
        assert "\x1b" not in terminal.raw()
    assert "\x1b[32m" in crewctl(root, "--color", "always", "status").stdout


@pytest.mark.parametrize("arguments", [("status",), ("events",), ("logs", "web-0")])
def test_a_reader_that_goes_away_is_no_mistake(api: Api, root: Path, arguments: tuple[str, ...]) -> None:
    """`crewctl … | head -n 1` says nothing, and ends as a broken pipe does."""
    api.serve("GET /workers", data(many(3000)))
    api.serve("GET /events", data({"events": [event("removed")] * 5000, "next_cursor": None}))
    api.serve("GET /workers/web-0/logs", parts("text/plain", *[b"x" * 60_000 + b"\n"] * 20))
    ran = shell(root, f"set -o pipefail; crewctl {' '.join(arguments)} | head -n 1")

    assert len(ran.stdout.splitlines()) == 1
    assert (ran.returncode, ran.stderr) == (141, "")


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("crewctl status >&-", 0, ""),
        ("crewctl status <&- >&- 2>&-", 0, ""),
        ("crewctl dance 2>&-", 2, ""),
        ("crewctl stop --all <&-", 2, "there is no terminal to ask on; say --yes."),
    ],
)
def test_closed_standard_streams_are_no_trouble(api: Api, root: Path, script: str, code: int, said: str) -> None:
    """As a careless service starts it: nothing is written where it has no business to be, and nothing is lost."""
    api.serve("GET /workers", data(crew(worker(instance("web-0")))))
    ran = shell(root, script)

    assert ran.returncode == code
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("stauts", "stats or status or start"), ("tail", "logs"), ("daemon-reload", "reload"), ("relaod", "reload")],
)
def test_a_command_that_there_is_not_is_guessed(root: Path, typed: str, meant: str) -> None:
    """By how it is written, or by what systemctl and supervisorctl call it."""
    ran = crewctl(root, typed)

    assert ran.returncode == 2
    assert ran.stderr.endswith(f"Error: No such command '{typed}'. Did you mean {meant}?\n")


def test_a_full_disk_is_told(api: Api, root: Path) -> None:
    """One line, and 1."""
    api.serve("GET /workers", data(crew(worker(instance("web-0")))))
    ran = shell(root, "crewctl status > /dev/full")

    assert (ran.returncode, ran.stderr) == (1, "cannot write the answer: No space left on device\n")


def test_the_version_is_told_quickly(root: Path) -> None:
    """Without loading what only commands need."""
    assert crewctl(root, "--version").stdout == f"crewctl, version {__version__}\n"

    loads = "import sys; import crewd.ctl; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True).stdout.split()
    assert not {"http.client", "json"} & set(loaded)


def test_the_console_script_is_there() -> None:
    """As pyproject.toml names it."""
    script = Path(sys.executable).with_name("crewctl")

    assert subprocess.run([script, "--help"], capture_output=True, text=True, check=True).stdout.startswith(
        "Usage: crewctl"
    )
