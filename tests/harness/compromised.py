"""What somebody who has become the daemon tries: run inside a box as its user, it prints what came of it, as JSON.

Imports nothing of ours: it runs on the system's Python. ``MARK`` is what root must never make.
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import sqlite3
import stat
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from typing import Any

MARK = "/run/owned-by-root"
EVIL = f"touch {MARK}"
APPLY, ENGINE = "/run/crewd-apply/apply.sock", "/run/crewd-engine/supervisor.sock"
ROOTS = (
    "/etc/crewd",
    "/var/lib/crewd-engine",
    "/run/crewd-engine",
    "/run/crewd-apply",
    "/var/log/crewd",
    "/usr/lib/crewd",
    "/run/systemd/system",
    "/etc/systemd/system",
    "/etc/default",
)
SECRETS = (
    "/var/lib/crewd-engine/current/supervisord.conf",
    "/var/lib/crewd-engine/current/policy.json",
    "/var/lib/crewd-engine/api-workers.json",
    "/var/lib/crewd-engine/apply.lock",
)
OWN = ("/var/lib/crewd/crewd.db", "/var/lib/crewd/crewd.lock", "/var/lib/crewd/last-good.json", "/run/crewd/crewd.sock")
DATABASE = OWN[0]
EVIL_FILE = "/var/lib/crewd/evil.yaml"
EVIL_CONFIGURATION = "workers: {web: {command: [x], environment_file: /var/lib/crewd/pipe}}\nevil: 1\n"
ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r)"
MOST_FILES = 30
RUN = {"command": ["/bin/sh", "-c", EVIL]}
OFFERS: dict[str, Any] = {
    "as-root": {**RUN, "user": "root"},
    "as-zero": {**RUN, "user": "0"},
    "as-daemon": {**RUN, "user": "crewd"},
    "in-group": {**RUN, "user": "nobody", "group": "root"},
    "preloads": {"command": ["/bin/true"], "user": "nobody", "environment": {"LD_PRELOAD": "/var/lib/crewd/evil.so"}},
    "logs": {"command": ["/bin/echo", f"* * * * * root {EVIL}"], "stdout_logfile": "/etc/cron.d/evil"},
    "reads": {"command": ["/usr/bin/env"], "user": "nobody", "environment_file": "/etc/shadow"},
    "injects": {"command": ["/bin/true", f"\n[program:evil]\ncommand={EVIL}"], "user": "nobody\n[x]"},
    "listens": {"command": ["/bin/true"], "eventlisteners": {"evil": {"command": EVIL}}},
    "../../../run/evil": {**RUN, "user": "nobody"},
    "supervisord]\n[program:evil": {**RUN, "user": "nobody"},
}


class Unix(xmlrpc.client.Transport):
    """XML-RPC over supervisord's socket."""

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(ENGINE)
        return connection


def attempt(act: Callable[[], object]) -> str:
    """Return what the system said; DONE where it let it happen."""
    try:
        return f"DONE: {act()!r}"[:300]
    except (OSError, xmlrpc.client.Error, ValueError, OverflowError) as refused:
        return f"{type(refused).__name__}: {refused}"[:300]


def writes() -> dict[str, str]:
    """Make, change, replace and remove what root reads."""
    tried: dict[str, str] = {}
    for root in ROOTS:
        for folder, _, files in os.walk(root):
            tried[f"make {folder}/evil"] = attempt(lambda folder=folder: os.open(f"{folder}/evil", os.O_CREAT))
            tried[f"chmod {folder}"] = attempt(lambda folder=folder: os.chmod(folder, 0o777))
            paths = [f"{folder}/{name}" for name in files]
            for file in [path for path in paths if not stat.S_ISSOCK(os.lstat(path).st_mode)][:MOST_FILES]:
                tried[f"append {file}"] = attempt(lambda file=file: os.open(file, os.O_WRONLY))
                tried[f"chmod {file}"] = attempt(lambda file=file: os.chmod(file, 0o666))
                tried[f"unlink {file}"] = attempt(lambda file=file: os.unlink(file))
    tried["current"] = attempt(lambda: os.rename("/var/lib/crewd", "/var/lib/crewd-engine/current"))
    return tried


def reads() -> dict[str, str]:
    """Read what holds secrets, or hold what root waits for."""
    return {file: attempt(lambda file=file: os.open(file, os.O_RDONLY)) for file in SECRETS}


def links() -> dict[str, str]:
    """Put links to root's files where root, or a unit that is started, might write through them."""
    made: dict[str, str] = {}
    for number, file in enumerate(OWN):
        victim = ("/etc/crewd/crewd.yaml", "/etc/passwd")[number % 2]
        made[file] = attempt(
            lambda file=file, victim=victim: (os.rename(file, f"{file}.was"), os.symlink(victim, file))
        )
    made["hard"] = attempt(lambda: os.link("/etc/crewd/crewd.yaml", "/var/lib/crewd/hard"))
    return made


def unlink() -> dict[str, str]:
    """Take the links away again."""
    return {file: attempt(lambda file=file: os.replace(f"{file}.was", file)) for file in OWN}


def ask(request: bytes) -> Any:
    """Ask root for an apply."""
    with socket.socket(socket.AF_UNIX) as to:
        to.settimeout(120)
        to.connect(APPLY)
        to.sendall(request)
        to.shutdown(socket.SHUT_WR)
        return json.loads(to.makefile("rb").read())


def applies() -> dict[str, Any]:
    """Offer workers that nobody admitted."""
    workers = [{"worker_id": name, "document": json.dumps(document)} for name, document in OFFERS.items()]
    offered = json.dumps({"version": 1, "workers": workers, "config": "/var/lib/crewd/own.yaml"}).encode()
    answer = ask(b"apply\n" + offered)
    rulings = json.loads(answer["output"])["api_workers"] if answer["code"] == 0 else answer
    other = {
        "option": attempt(lambda: ask(b"apply -c /var/lib/crewd/own.yaml\n" + offered)["complaint"]),
        "deep": attempt(lambda: ask(b"apply\n" + b'{"version":' * 90_000)["complaint"]),
    }
    return {"rulings": rulings, **other}


def calls() -> dict[str, str]:
    """Have supervisord do what it should not, by each method that takes a name, a path or a number."""
    server: Any = xmlrpc.client.ServerProxy("http://localhost", transport=Unix())
    odd = "../../../var/lib/crewd/evil"
    tried = {
        "apply": attempt(lambda: server.crewd.apply(odd)),
        "acknowledge": attempt(lambda: server.crewd.acknowledge(odd, 2**31 - 1)),
        "acknowledge all": attempt(lambda: server.crewd.acknowledge("~", 2**31 - 1)),
        "add group": attempt(lambda: server.supervisor.addProcessGroup(odd)),
        "start": attempt(lambda: server.crewd.start([odd])),
        "start command": attempt(lambda: server.supervisor.startProcess(EVIL)),
        "read log": attempt(lambda: server.supervisor.readProcessStdoutLog(odd, 0, 0)),
        "clear log": attempt(lambda: server.supervisor.clearProcessLogs(odd)),
        "stdin": attempt(lambda: server.supervisor.sendProcessStdin("web-0", f"{EVIL}\n")),
        "reload config": attempt(server.supervisor.reloadConfig),
        "signal": attempt(lambda: server.supervisor.signalProcess("web-0", EVIL)),
    }
    tried["methods"] = json.dumps(sorted(server.system.listMethods()))
    return tried


def signals() -> dict[str, str]:
    """Signal root's processes: init, supervisord, a worker of root's."""
    pids = {"init": 1, "supervisord": int(sys.argv[2]), "worker": int(sys.argv[3])}
    return {name: attempt(lambda pid=pid: os.kill(pid, signal.SIGTERM)) for name, pid in pids.items()}


def listens() -> dict[str, str]:
    """Have a process listen in the daemon's place, started as if root's doctor were to read a file of ours.

    ``argv[2]``: how it answers.
    """
    with open(EVIL_FILE, "w") as file:
        file.write(EVIL_CONFIGURATION)
    os.rename(DATABASE, f"{DATABASE}.was")
    with sqlite3.connect(DATABASE) as database:
        database.execute(f"CREATE VIEW alembic_version AS {ENDLESS} SELECT n AS version_num FROM r WHERE n < 0")
    if os.fork() == 0:
        os.setsid()
        for stream in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDWR), stream)
        os.execv(sys.executable, [sys.executable, __file__, "answer", sys.argv[2], "run", "-c", EVIL_FILE])
    return {}


def mend() -> dict[str, str]:
    """Put the database back."""
    return {DATABASE: attempt(lambda: os.replace(f"{DATABASE}.was", DATABASE))}


def answer() -> None:
    """Be the process that listens."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(OWN[3])
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(OWN[3])
        listening.listen()
        os.chmod(OWN[3], 0o666)
        while True:
            with contextlib.suppress(OSError), listening.accept()[0] as caller:
                for piece in ANSWERS[sys.argv[2]]() if caller.recv(65536) else ():
                    caller.sendall(piece)


def slow() -> Iterator[bytes]:
    """Give headers for ever, a byte in each second."""
    yield b"HTTP/1.1 200 OK\r\n"
    while True:
        time.sleep(1)
        yield b"x"


def endless() -> Iterator[bytes]:
    """Give a body that has no end."""
    yield b"HTTP/1.1 200 OK\r\n\r\n"
    while True:
        yield b" " * 65536


def odd() -> Iterator[bytes]:
    """Give an answer that is shaped otherwise, with commands to a terminal."""
    crew = {"daemon": 1, "configuration": {"problems": ["\x1b]0;evil\x07"]}, "recording": []}
    yield b"HTTP/1.1 200 OK\r\n\r\n" + json.dumps({"success": True, "data": crew}).encode()


def speaking() -> Iterator[bytes]:
    """Give an answer shaped as crewd's, with commands to a terminal."""
    configuration = {"in_force": False, "problems": ["\x1b]0;evil\x07 \x9b2J"]}
    crew = {"configuration": configuration, "recording": {"lag_events": 0, "trouble": "\x1b[2J"}}
    yield b"HTTP/1.1 200 OK\r\n\r\n" + json.dumps({"success": True, "data": crew}).encode()


ANSWERS = {"slow": slow, "endless": endless, "odd": odd, "speaking": speaking}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
