"""``crewctl doctor`` on a real home that is sabotaged one way at a time: exactly that is found, and how to mend it."""

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import crewd
import crewd_supervisord
from crewd.model.offer import Offer, encode
from harness.crewctl import COMMAND, crewctl, environ
from harness.daemon import Daemon
from harness.waiting import wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="takes root to sabotage")

CHECKOUT = Path(__file__).parents[3]
NOBODY = 65534
WORKERS: Mapping[str, Any] = {"web": {"command": ["sleep", "1000"], "instances": 2, "restart": "always"}}
MACHINES = {"clock-alone"}
"""What may be found of any machine that a test runs on."""

Findings = list[dict[str, Any]]


def doctor(home: Daemon, *wrapped: str, variables: Mapping[str, str] | None = None) -> tuple[int, Findings]:
    """Run it, perhaps within another command; return its exit status and what it found wrong or worth a note."""
    ran = subprocess.run(
        [*wrapped, *COMMAND, "doctor", "-o", "json"],
        env={**environ(Path(home.root)), **(variables or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.stdout, ran.stderr
    found = json.loads(ran.stdout)["findings"]
    return ran.returncode, [one for one in found if one["severity"] != "ok" and one["name"] not in MACHINES]


def told(findings: Findings) -> set[tuple[str, str]]:
    """Return severity and name of each."""
    return {(one["severity"], one["name"]) for one in findings}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A home in which all is well."""
    directory = tmp_path_factory.mktemp("logs")
    directory.chmod(0o750)
    variables = directory / "variables"
    variables.write_text("PASSWORD=secret\n")
    variables.chmod(0o600)
    logging = {
        "command": ["sleep", "1000"],
        "stdout_logfile": f"{directory}/own/log",
        "environment_file": str(variables),
    }
    (directory / "own").mkdir(mode=0o750)
    with Daemon({**WORKERS, "logging": logging}) as daemon:
        daemon.start()
        daemon.wait_states(web_0="RUNNING", web_1="RUNNING", logging_0="RUNNING")
        daemon.wait_serving()
        yield daemon


def test_nothing_is_found_where_nothing_is_wrong(home: Daemon) -> None:
    """No false alarm; 0."""
    assert doctor(home) == (0, [])


Sabotage = Callable[[Daemon], AbstractContextManager[object]]


@dataclass(frozen=True)
class Case:
    """One way to break it. ``found``: severity and name; ``where``: the end of the path that is told."""

    sabotage: Sabotage
    found: tuple[str, str]
    where: str = ""
    remedy: str = ""


def moded(path: Callable[[Daemon], str], mode: int) -> Sabotage:
    """Give something a mode."""

    @contextmanager
    def sabotaged(home: Daemon) -> Iterator[None]:
        place = Path(path(home))
        before = place.stat().st_mode
        place.chmod(mode)
        yield
        place.chmod(before & 0o7777)

    return sabotaged


def owned(path: Callable[[Daemon], str]) -> Sabotage:
    """Give something to nobody."""

    @contextmanager
    def sabotaged(home: Daemon) -> Iterator[None]:
        os.chown(path(home), NOBODY, -1)
        yield
        os.chown(path(home), 0, -1)

    return sabotaged


def written(path: Callable[[Daemon], str], change: Callable[[str], str]) -> Sabotage:
    """Change what stands in a file, in place."""

    @contextmanager
    def sabotaged(home: Daemon) -> Iterator[None]:
        file = Path(path(home))
        before = file.read_text() if file.exists() else None
        with open(file, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as opened:
            opened.write(change(before or ""))
        yield
        if before is None:
            file.unlink()
        else:
            file.write_text(before)

    return sabotaged


def moved(path: Callable[[Daemon], str]) -> Sabotage:
    """Take something away."""

    @contextmanager
    def sabotaged(home: Daemon) -> Iterator[None]:
        os.rename(path(home), f"{path(home)}.away")
        yield
        os.rename(f"{path(home)}.away", path(home))

    return sabotaged


def stopped(pid: Callable[[Daemon], int]) -> Sabotage:
    """Let a process stand still."""

    @contextmanager
    def sabotaged(home: Daemon) -> Iterator[None]:
        number = pid(home)
        os.kill(number, signal.SIGSTOP)
        yield
        os.kill(number, signal.SIGCONT)
        wait_for(lambda: doctor(home) == (0, []), 90.0, lambda: doctor(home))  # it has to catch up

    return sabotaged


def beside(*argv: str, environment: Callable[[Daemon], Mapping[str, str]] = lambda _home: {}) -> Sabotage:
    """Have a process run; ``HOME`` in its arguments is the home."""

    @contextmanager
    def sabotaged(home: Daemon) -> Iterator[None]:
        command = [sys.executable, "-c", "import time; print(flush=True); time.sleep(1000)"]
        words = [one.replace("HOME", home.root) for one in argv]
        with subprocess.Popen([*command, *words], env=dict(environment(home)), stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            yield
            process.kill()

    return sabotaged


@contextmanager
def another_rendering(home: Daemon) -> Iterator[None]:
    """Another generation is in force than supervisord runs."""
    before = os.readlink(home.home.current)
    shutil.copytree(f"{home.home.engine}/{before}", f"{home.home.generations}/other")
    _point(home, "generations/other")
    yield
    _point(home, before)
    shutil.rmtree(f"{home.home.generations}/other")


@contextmanager
def dangling(home: Daemon) -> Iterator[None]:
    """What is in force is gone."""
    before = os.readlink(home.home.current)
    _point(home, "generations/gone")
    yield
    _point(home, before)


def _point(home: Daemon, target: str) -> None:
    os.unlink(home.home.current)
    os.symlink(target, home.home.current)


@contextmanager
def few_processes(home: Daemon) -> Iterator[None]:
    """supervisord's cgroup has no room for more."""
    pids = Path("/sys/fs/cgroup/pids")
    root = pids if pids.is_dir() else pids.parent
    if root == pids.parent:
        (root / "cgroup.subtree_control").write_text("+pids")
    cgroup, pid = root / f"crewd-doctor-{home.pid}", home.running_supervisord()
    before = re.search(r"^\d+:pids:(.*)$|^0::(.*)$", Path(f"/proc/{pid}/cgroup").read_text(), re.MULTILINE)
    assert before
    cgroup.mkdir()
    (cgroup / "pids.max").write_text("8")
    (cgroup / "cgroup.procs").write_text(str(pid))
    yield
    (Path(f"{root}{before[1] or before[2] or ''}") / "cgroup.procs").write_text(str(pid))
    cgroup.rmdir()


@contextmanager
def applying(home: Daemon) -> Iterator[None]:
    """Somebody holds the lock of applies."""
    locking = "f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX)"
    program = f"import fcntl, sys, time; {locking}; print(flush=True); time.sleep(1000)"
    argv = [sys.executable, "-c", program, f"{home.home.engine}/apply.lock"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.kill()


def later(text: str) -> str:
    """Have a journal's last line be written in the future."""
    head, separator, last = text.rstrip("\n").rpartition("\n")
    return head + separator + re.sub(r'"at":\d', '"at":9', last, count=1) + "\n"


def newest_segment(home: Daemon) -> str:
    """Return the journal's file that is written to."""
    return str(max(Path(home.home.journal).glob("*/*.jsonl")))


def of_our_crew(home: Daemon) -> Mapping[str, str]:
    """Return the environment of a worker of this supervisord."""
    url = f"unix://{home.home.engine_socket}"
    return {"CREWD_SPAWN": "00000001-abcdef.1", "SUPERVISOR_SERVER_URL": url, "SUPERVISOR_PROCESS_NAME": "web-9"}


def _variables(home: Daemon) -> str:
    """Return the file of variables."""
    found = re.search(r"environment_file: (\S+)", Path(home.home.config).read_text())
    assert found
    return found[1]


CASES = {
    "engine-writable": Case(
        moded(lambda home: home.home.engine, 0o777), ("problem", "writable"), "/engine", "chmod 0750"
    ),
    "table-writable": Case(
        moded(lambda home: home.home.table, 0o666), ("problem", "writable"), "/policy.json", "chmod go-w"
    ),
    "file-writable": Case(moded(lambda home: home.home.config, 0o666), ("problem", "writable"), "/crewd.yaml", "chmod"),
    "etc-writable": Case(moded(lambda home: home.home.etc, 0o775), ("problem", "writable"), "/etc", "chmod"),
    "parent-writable": Case(moded(lambda home: home.root, 0o777), ("problem", "parent"), "", "chmod"),
    "file-owner": Case(owned(lambda home: home.home.config), ("problem", "owner"), "/crewd.yaml", "chown 0"),
    "log-owner": Case(owned(lambda home: home.home.log), ("problem", "owner"), "/log", "chown 0"),
    "state-readable": Case(moded(lambda home: home.home.lib, 0o755), ("warning", "readable"), "/lib", "chmod 0700"),
    "secret-readable": Case(moded(_variables, 0o644), ("warning", "readable"), "/variables", "chmod o="),
    "socket-open": Case(
        moded(lambda home: home.home.engine_socket, 0o666), ("problem", "socket-mode"), "/supervisor.sock", "chmod 0660"
    ),
    "daemon-socket": Case(
        moded(lambda home: home.home.socket, 0o600), ("warning", "socket-mode"), "/crewd.sock", "chmod 0660"
    ),
    "daemon-silent": Case(stopped(lambda home: home.pid), ("problem", "daemon-silent"), "/crewd.sock", "restart it"),
    "supervisord-silent": Case(
        stopped(lambda home: home.running_supervisord()), ("problem", "supervisord-silent"), "/supervisor.sock"
    ),
    "edited": Case(
        written(lambda home: home.home.supervisord_conf, lambda text: f"{text};\n"),
        ("warning", "drift"),
        "/supervisord.conf",
        "crewctl reload",
    ),
    "changed": Case(
        written(lambda home: home.home.config, lambda text: text.replace("'1000'", "'1001'")),
        ("warning", "not-applied"),
        "/crewd.yaml",
        "crewctl reload",
    ),
    "broken": Case(
        written(lambda home: home.home.config, lambda text: f"{text}nonsense: 1\n"),
        ("problem", "configuration"),
        "/crewd.yaml",
        "mend it",
    ),
    "rendering": Case(another_rendering, ("warning", "rendering"), "/current", "crewctl reload"),
    "dangling": Case(dangling, ("problem", "nothing-applied"), "/current", "crewd-apply"),
    "api-worker": Case(
        written(lambda home: home.home.offers, lambda _text: encode([Offer("made", '{"command": 1}')]).decode()),
        ("warning", "api-worker"),
        "/crewd.yaml",
        "crewctl configs",
    ),
    "clock": Case(written(newest_segment, later), ("problem", "clock-back"), "/journal", "set the clock"),
    "logs": Case(moved(lambda home: home.home.worker_logs), ("problem", "log-directory"), "/workers", "mkdir"),
    "two": Case(beside("-c", "HOME/engine/current/supervisord.conf"), ("problem", "two-supervisords"), "", "kill"),
    "orphan": Case(beside(environment=of_our_crew), ("note", "orphans")),
    "pid-file": Case(
        written(lambda home: home.home.supervisord_pid, lambda _text: "1\n"),
        ("warning", "pid-file"),
        "/supervisord.pid",
        "echo",
    ),
    "pids": Case(few_processes, ("problem", "processes"), "/pids.max", "raise it"),
    "lock": Case(applying, ("note", "apply-lock"), "/apply.lock", "wait"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_sabotage_is_found_and_nothing_else(home: Daemon, case: Case) -> None:
    """What it is, where, and what to do; 1 where it is a problem."""
    with case.sabotage(home):
        code, findings = doctor(home)

    unasked = {("note", "not-seen")} if case.found[1] == "daemon-silent" else set[tuple[str, str]]()
    assert told(findings) == {case.found} | unasked, findings
    assert len(findings) == 1 + len(unasked)
    assert (findings[0]["path"] or "").endswith(case.where)
    assert case.remedy in (findings[0]["remedy"] or "")
    assert code == (1 if case.found[0] == "problem" else 0)


def test_a_mistake_in_the_configuration_is_told_with_its_line(home: Daemon) -> None:
    """As `crewd check` tells it."""
    with written(lambda daemon: daemon.home.config, lambda text: f"{text}nonsense: 1\n")(home):
        _, (finding,) = doctor(home)
        lines = Path(home.home.config).read_text().splitlines()

    assert lines[finding["line"] - 1] == "nonsense: 1"
    assert finding["message"].startswith("nonsense: unknown section")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("size=8m,mode=700", ("problem", "disk-space")),
        ("size=8g,nr_inodes=40,mode=700", ("problem", "inodes")),
        ("ro,mode=700", ("problem", "read-only")),
    ],
)
def test_a_disk_without_room_is_found(home: Daemon, options: str, found: tuple[str, str]) -> None:
    """Space, inodes, and whether it can be written at all: of the state directory, which the test alone sees so."""
    mounting = f'mount -t tmpfs -o {options} full {home.home.lib} && exec "$@"'
    code, findings = doctor(home, "unshare", "--mount", "--propagation", "private", "sh", "-c", mounting, "sh")

    assert (code, told(findings)) == (1, {found})
    assert findings[0]["path"] == home.home.lib


def test_code_that_was_installed_since_is_found_by_more_than_its_version(home: Daemon, tmp_path: Path) -> None:
    """Which code runs, which is installed, how to renew it, and at what price."""
    for package in (crewd, crewd_supervisord):
        source = Path(package.__file__ or "").parent
        shutil.copytree(source, tmp_path / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "supervisord.conf.j2", tmp_path / "crewd" / "supervisord")
    assert doctor(home, variables={"PYTHONPATH": str(tmp_path)})[1][0]["name"] == "daemon-code"
    with (tmp_path / "crewd_supervisord" / "rpc.py").open("a") as file:
        file.write("# a mend\n")

    code, findings = doctor(home, variables={"PYTHONPATH": str(tmp_path)})

    running = home.client.version_members()
    assert (code, told(findings)) == (0, {("warning", "daemon-code"), ("warning", "engine-code")})
    engine = next(one for one in findings if one["name"] == "engine-code")
    assert running["code"] in engine["message"]
    assert running["directory"] in engine["message"]
    assert engine["remedy"] == "crewctl shutdown, then start crewd again: this restarts all workers"


def test_a_supervisor_with_unknown_functions_is_found(home: Daemon, tmp_path: Path) -> None:
    """The engine's own guard is asked about the supervisor that is installed."""
    import supervisor  # noqa: PLC0415 - only here

    shutil.copytree(Path(supervisor.__file__).parent, tmp_path / "supervisor", ignore=shutil.ignore_patterns("tests"))
    source = tmp_path / "supervisor" / "options.py"
    source.write_text(source.read_text().replace("pipes = {'child_stdin':None,", "pipes = {'child_stdin': None,"))
    _, findings = doctor(home, variables={"PYTHONPATH": str(tmp_path)})

    assert told(findings) == {("warning", "supervisor-parts")}
    assert "spawn (1)" in findings[0]["message"]


def test_a_worker_that_was_given_up_is_found_and_a_supervisord_that_may_open_too_few_files() -> None:
    """And how to learn why; and how many it needs."""
    bad = {"command": ["false"], "start_limit_burst": 1, "restart": "always"}
    with Daemon({"bad": bad}) as daemon:
        daemon.start()
        daemon.wait_states(bad_0="FATAL")
        daemon.wait_serving()
        code, findings = doctor(daemon)
        resource.prlimit(daemon.running_supervisord(), resource.RLIMIT_NOFILE, (100, 100))
        _, bounded = doctor(daemon)

    assert told(bounded) == {("warning", "given-up"), ("problem", "open-files")}
    assert any("LimitNOFILE=205" in (one["remedy"] or "") for one in bounded)
    assert (code, told(findings)) == (0, {("warning", "given-up")})
    assert findings[0]["remedy"].startswith("crewctl why bad-0")


def test_a_daemon_that_cannot_listen_is_found() -> None:
    """As its /readyz has it: why, and where; crewctl status says it too."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with Daemon(WORKERS, crewd={"listen": address}) as daemon:
            daemon.start(file_listens=True)
            daemon.wait_states(web_0="RUNNING", web_1="RUNNING")
            wait_for(lambda: "cannot listen" in daemon.log(), what=daemon.log)
            wait_for(lambda: told(doctor(daemon)[1]) == {("problem", "not-ready")}, what=lambda: doctor(daemon))
            code, findings = doctor(daemon)
            status = crewctl(Path(daemon.root), "status")

    assert (code, told(findings)) == (1, {("problem", "not-ready")})
    assert address in findings[0]["message"]
    assert findings[0]["message"] in status.stdout


def test_it_works_with_the_daemon_down_and_with_both_down() -> None:
    """What was killed is told, what it left running too; once started again, nothing is wrong any more."""
    with Daemon(WORKERS) as daemon:
        daemon.start()
        daemon.wait_states(web_0="RUNNING", web_1="RUNNING")
        daemon.wait_serving()
        before = doctor(daemon)
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.wait()
        without_daemon = doctor(daemon)
        os.kill(supervisord := daemon.running_supervisord(), signal.SIGKILL)
        wait_for(lambda: not Path(f"/proc/{supervisord}").exists(), what="the end of supervisord")
        without_both = doctor(daemon)
        daemon.start()
        daemon.wait_states(web_0="RUNNING", web_1="RUNNING")
        daemon.wait_serving()
        after = doctor(daemon)

    assert before == after == (0, [])
    assert (without_daemon[0], told(without_daemon[1])) == (1, {("problem", "daemon-down"), ("note", "not-seen")})
    assert without_daemon[1][0]["remedy"] == "crewd run"
    down = {("problem", "daemon-down"), ("problem", "supervisord-down"), ("problem", "orphans")}
    notes = {("note", "pid-file"), ("note", "not-seen")}
    assert (without_both[0], told(without_both[1])) == (1, down | notes)
