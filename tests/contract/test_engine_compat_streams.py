"""What workers print and read goes its stock way: logs, rotation, SIGUSR2, standard input, fg, tail -f, floods."""

import contextlib
import http.client
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from xmlrpc.client import Fault

import pytest

from crewd.model.spec import RestartMode, RestartPolicy
from harness import EDITIONS, Program, Supervisord, misbehave, wait_for

AT_ONCE = RestartPolicy(RestartMode.NO, start_success_sec=0)


class UnixConnection(http.client.HTTPConnection):
    """HTTP over supervisord's socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket, with a receive buffer that is soon full."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.settimeout(60)
        self.sock.connect(self._path)


def worker(name: str, *actions: str, **settings: object) -> Program:
    """A program that starts at once and is never restarted."""
    return Program(name, misbehave(*actions), **{"policy": AT_ONCE, **settings})  # type: ignore[arg-type]


def programs(server: Supervisord) -> list[Program]:
    """One program for each test."""

    def log(name: str) -> str:
        return server.path(f"{name}.log")

    return [
        worker("reader-0", "print=up", "echo", stdin_null=False, stdout=log("reader")),
        worker("fg-0", "print=up", "echo", stdin_null=False, stdout=log("fg")),
        worker("deaf-0", "pause", stdin_null=False),
        worker("stopped-0", "echo", stdin_null=False, autostart=False),
        worker(
            "merged-0", "print=one", "error=two", "pause", stdout=log("merged"), options={"redirect_stderr": "true"}
        ),
        worker("split-0", "print=one", "error=two", "pause", stdout=log("split"), stderr=log("split-err")),
        worker(
            "rotated-0",
            *(
                action
                for number in range(5)
                for action in (f"until={server.path(f'rotate-{number}')}", "flood=stdout:1200")
            ),
            "pause",
            stdout=log("rotated"),
            options={"stdout_logfile_maxbytes": "1000", "stdout_logfile_backups": "2"},
        ),
        worker("reopened-0", "tell=USR1", "print=up", "pause", stdout=log("reopened")),
        worker("auto-0", "print=one", "pause", stdout="AUTO", stderr="AUTO"),
        worker("followed-0", "print=one", "tell=USR1", "pause", stdout=log("followed")),
        worker("abandoned-0", "print=one", "tell=USR1", "pause", stdout=log("abandoned")),
        worker(
            "flood-0",
            f"until={server.path('go')}",
            "flood=stdout",
            stdout=log("flood"),
            autostart=False,
            options={"stdout_logfile_maxbytes": "10MB", "stdout_logfile_backups": "1"},
        ),
        worker("neighbour-0", "pause"),
        worker("last-words-0", "flood=stdout:300000", "exit=0", stdout=log("last-words"), autostart=False),
        worker("held-0", "hold=60", "exit=0", stdout=log("held"), autostart=False),
    ]


@pytest.fixture(scope="module", params=EDITIONS)
def server(request: pytest.FixtureRequest) -> Iterator[Supervisord]:
    """One supervisord for all tests here; each test has a program of its own."""
    with Supervisord(request.param, start=False) as server:
        server.boot(programs(server))
        server.wait_state("reader-0", "RUNNING")
        yield server


def test_what_is_sent_to_standard_input_arrives(server: Supervisord):
    """sendProcessStdin, several times, the worker echoing."""
    wait_for(lambda: server.read("reader.log") == "up\n")
    for word in ("one", "two", "three"):
        assert server.rpc.supervisor.sendProcessStdin("reader-0", f"{word}\n") is True
        wait_for(lambda word=word: f"{word}\n" in server.read("reader.log"), what=f"the echo of {word}")


def test_a_large_input_arrives_whole(server: Supervisord):
    """More than a pipe holds: the rest waits in supervisord until the worker reads on."""
    server.rpc.supervisor.sendProcessStdin("reader-0", "y" * 300_000 + "\n")
    wait_for(lambda: server.read("reader.log").count("y") == 300_000, what="300,000 bytes of echo")


def test_input_that_nobody_reads_waits(server: Supervisord):
    """supervisord goes on, idle, with the bytes in its buffer; the worker can be stopped and started again."""
    server.rpc.supervisor.sendProcessStdin("deaf-0", "z" * 200_000)
    before, at = server.cpu_sec(), time.monotonic()
    time.sleep(0.3)  # the time that is measured: nothing is to happen in it
    spent = (server.cpu_sec() - before) / (time.monotonic() - at)

    assert spent < 0.5
    assert server.supervisorctl("restart", "deaf-0").stdout == "deaf-0: stopped\ndeaf-0: started\n"


def test_input_for_a_stopped_program_is_refused(server: Supervisord):
    """NOT_RUNNING, fault 70."""
    with pytest.raises(Fault) as refused:
        server.rpc.supervisor.sendProcessStdin("stopped-0", "hello\n")

    assert refused.value.faultCode == 70


def test_fg_connects_a_terminal_to_a_program(server: Supervisord):
    """A line typed is echoed by the program, and the end of input leaves it running."""
    wait_for(lambda: server.read("fg.log") == "up\n")
    terminal = server.open_supervisorctl("fg.out", "fg", "fg-0")
    assert terminal.stdin is not None
    terminal.stdin.write("hello\n")
    terminal.stdin.flush()
    wait_for(lambda: "got hello" in server.read("fg.out"), what=lambda: server.read("fg.out"))
    terminal.stdin.close()
    wait_for(lambda: "Exiting foreground" in server.read("fg.out"), what="the end of fg")
    terminal.kill()  # its reading thread ends with the next output only
    terminal.wait(60)

    assert server.state("fg-0") == "RUNNING"


def test_stderr_goes_where_stdout_goes(server: Supervisord):
    """redirect_stderr: one log."""
    wait_for(lambda: sorted(server.read("merged.log").split()) == ["one", "two"])

    assert server.info("merged-0")["stderr_logfile"] == ""


def test_the_two_streams_are_kept_apart(server: Supervisord):
    """Two logs."""
    wait_for(lambda: (server.read("split.log"), server.read("split-err.log")) == ("one\n", "two\n"))


def test_a_log_is_rotated(server: Supervisord):
    """At maxbytes, keeping as many backups as told."""
    newest = Path(server.path("rotated.log.1"))
    for number in range(5):  # one after the other: what comes together is rotated together
        before = newest.stat().st_ino if newest.exists() else 0
        Path(server.path(f"rotate-{number}")).touch()
        wait_for(lambda before=before: newest.exists() and newest.stat().st_ino != before, what=f"rotation {number}")

    assert Path(server.path("rotated.log.2")).exists()
    assert not Path(server.path("rotated.log.3")).exists()
    assert all(len(server.read(f"rotated.log{suffix}")) <= 2400 for suffix in ("", ".1", ".2"))


def test_usr2_reopens_the_logs(server: Supervisord):
    """As logrotate wants it: workers' logs and supervisord's own."""
    wait_for(lambda: server.read("reopened.log") == "up\n")
    os.rename(server.path("reopened.log"), server.path("reopened.log.old"))
    os.rename(server.home.supervisord_log, server.path("supervisord.log.old"))
    server.signal(signal.SIGUSR2)
    wait_for(lambda: Path(server.home.supervisord_log).exists(), what="supervisord's new log")
    before = server.pid_of("reopened-0")
    server.rpc.supervisor.signalProcess("reopened-0", "USR1")
    wait_for(lambda: server.read("reopened.log") == "got USR1\n", what="the worker's new log")

    assert server.read("reopened.log.old") == "up\n"
    assert server.pid_of("reopened-0") == before
    os.rename(server.path("supervisord.log.old"), server.home.supervisord_log)


def test_auto_logs_are_made(server: Supervisord):
    """In childlogdir, with names of supervisord's."""
    path = server.info("auto-0")["stdout_logfile"]

    assert path.startswith(f"{server.home.worker_logs}/auto-0-stdout---")
    wait_for(lambda: Path(path).read_text() == "one\n")


def test_tail_follows(server: Supervisord):
    """tail -f: the end of the log, then what comes, until it is interrupted."""
    wait_for(lambda: server.read("followed.log") == "one\n")
    reader = server.open_supervisorctl("tail.out", "tail", "-f", "followed-0")
    wait_for(lambda: "one" in server.read("tail.out"), what="the end of the log")
    server.rpc.supervisor.signalProcess("followed-0", "USR1")
    wait_for(lambda: "got USR1" in server.read("tail.out"), what="the next line")
    reader.send_signal(signal.SIGINT)
    reader.wait(60)

    assert server.state("followed-0") == "RUNNING"


def sockets(server: Supervisord) -> int:
    """Return how many sockets supervisord holds."""
    folder = f"/proc/{server.pid}/fd"
    found = 0
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found += os.readlink(f"{folder}/{name}").startswith("socket:")
    return found


def test_a_reader_that_hangs_up_is_forgotten(server: Supervisord):
    """Twenty of them, in the middle of a tail: their sockets are closed."""
    held = sockets(server)
    for _ in range(20):
        connection = UnixConnection(server.home.engine_socket)
        connection.request("GET", "/logtail/abandoned-0/stdout")
        assert connection.getresponse().status == 200
        connection.close()
    server.rpc.supervisor.signalProcess("abandoned-0", "USR1")
    wait_for(lambda: sockets(server) <= held, what="the sockets to be closed")

    assert server.state("abandoned-0") == "RUNNING"


def test_a_flood_with_readers_that_do_not_read_stops_nobody(server: Supervisord):
    """supervisord answers, other programs are stopped and started, and the flood can be ended."""
    server.rpc.supervisor.startProcess("flood-0")
    readers = [UnixConnection(server.home.engine_socket) for _ in range(3)]
    for reader in readers:
        reader.request("GET", "/logtail/flood-0/stdout")
    Path(server.path("go")).touch()
    wait_for(lambda: len(server.read("flood.log")) > 200_000, what="the flood")
    answer = server.supervisorctl("restart", "neighbour-0")
    began = time.monotonic()
    server.rpc.supervisor.getAllProcessInfo()
    latency = time.monotonic() - began
    server.rpc.supervisor.stopProcess("flood-0")
    for reader in readers:
        reader.close()

    assert answer.stdout == "neighbour-0: stopped\nneighbour-0: started\n"
    assert latency < 30  # for ever, where a reader is waited for
    assert server.state("flood-0") == "STOPPED"


def test_the_last_words_of_a_worker_are_kept(server: Supervisord):
    """Everything that it wrote before it ended is in the log."""
    server.rpc.supervisor.startProcess("last-words-0")
    server.wait_state("last-words-0", "EXITED")
    wait_for(lambda: len(server.read("last-words.log")) == 300_000, what=lambda: len(server.read("last-words.log")))


def test_a_grandchild_that_holds_the_pipes_does_not_hide_the_end(server: Supervisord):
    """The program is EXITED though its pipes are still open elsewhere, and can be started again."""
    for _ in range(2):
        server.rpc.supervisor.startProcess("held-0")
        server.wait_state("held-0", "EXITED")
