"""A worker that misbehaves on request: ``misbehave.py ACTION…``, carried out from left to right.

exit=N · die=SIGNAL · core=DIRECTORY · sleep=SEC · pause · until=PATH (waits for the file)
ignore=SIGNAL · slow=SEC (takes that long over SIGTERM) · lingers=PATH (after SIGTERM, until the file is there)
exits=N (on SIGTERM, with that status)
hold=SEC (a grandchild keeps the pipes) · stay=N (grandchildren in the group that ignore TERM)
escape=N (grandchildren in sessions of their own) · fork (a child, and both go on) · daemonize (the parent leaves)
tell=SIGNAL (prints its name when it comes) · print=TEXT · error=TEXT · flood=stdout|stderr[:BYTES]
echo (standard input) · eof (waits for the end of it)
stamp=PATH (a line now and one at the end) · report=PATH (descriptors, environment, argv, directory, ids)

It ends with status 0 after the last action.
"""

import json
import os
import resource
import signal
import sys
import time

stamps: list[str] = []


def line(path: str, word: str) -> None:
    token = os.environ.get("CREWD_SPAWN", "-")
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.write(handle, f"{word} {token} {os.getpid()} {now:.6f}\n".encode())
    os.close(handle)


def leave(status: int) -> None:
    for path in stamps:
        line(path, "end")
    sys.stdout.flush()
    os._exit(status)


def number(word: str) -> int:
    return int(getattr(signal, f"SIG{word}"))


def die(word: str) -> None:
    signal.signal(number(word), signal.SIG_DFL) if word not in ("KILL", "STOP") else None
    os.kill(os.getpid(), number(word))
    time.sleep(10)


def core(directory: str) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    os.chdir(directory)
    die("ABRT")


def until(path: str) -> None:
    while not os.path.exists(path):
        time.sleep(0.002)


def stamp(path: str) -> None:
    line(path, "start")
    stamps.append(path)


def slow(seconds: str) -> None:
    def stop(*_: object) -> None:
        time.sleep(float(seconds))
        leave(0)

    signal.signal(signal.SIGTERM, stop)


def linger(path: str) -> None:
    def stop(*_: object) -> None:
        until(path)
        leave(0)

    signal.signal(signal.SIGTERM, stop)


def child(*, quiet: bool, session: bool, seconds: float) -> None:
    if os.fork():
        return
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if session:
        os.setsid()
    if quiet:
        null = os.open("/dev/null", os.O_RDWR)
        for number_ in (0, 1, 2):
            os.dup2(null, number_)
    time.sleep(seconds)
    os._exit(0)


def daemonize() -> None:
    if os.fork():
        os._exit(0)
    os.setsid()


def flood(which: str) -> None:
    name, _, amount = which.partition(":")
    handle = {"stdout": 1, "stderr": 2}[name]
    left = int(amount) if amount else -1
    row = b"x" * 79 + b"\n"
    block = row * 100
    while left:
        piece = block if left < 0 else block[:left]
        wrote = os.write(handle, piece)
        left -= wrote if left > 0 else 0


def echo() -> None:
    while True:
        data = os.read(0, 4096)
        if not data:
            return
        os.write(1, b"got " + data)


def report(path: str) -> None:
    held = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            held[name] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            pass  # the descriptor of the listing itself
    mask = os.umask(0)
    os.umask(mask)
    found = {
        "fds": held,
        "environ": dict(os.environ),
        "argv": sys.argv,
        "cwd": os.getcwd(),
        "umask": mask,
        "uid": os.getuid(),
        "gid": os.getgid(),
        "groups": os.getgroups(),
        "pid": os.getpid(),
        "ppid": os.getppid(),
        "pgid": os.getpgid(0),
        "sid": os.getsid(0),
    }
    with open(path + ".new", "w") as file:
        json.dump(found, file)
    os.rename(path + ".new", path)


def pause() -> None:
    while True:
        time.sleep(3600)


def act(name: str, value: str) -> None:
    match name:
        case "exit":
            leave(int(value))
        case "die":
            die(value)
        case "core":
            core(value)
        case "sleep":
            time.sleep(float(value))
        case "pause":
            pause()
        case "until":
            until(value)
        case "ignore":
            signal.signal(number(value), signal.SIG_IGN)
        case "slow":
            slow(value)
        case "lingers":
            linger(value)
        case "exits":
            signal.signal(signal.SIGTERM, lambda *_: leave(int(value)))
        case "tell":
            signal.signal(number(value), lambda *_: os.write(1, f"got {value}\n".encode()) and None)
        case "hold":
            child(quiet=False, session=False, seconds=float(value))
        case "stay":
            for _ in range(int(value)):
                child(quiet=True, session=False, seconds=600)
        case "escape":
            for _ in range(int(value)):
                child(quiet=True, session=True, seconds=600)
        case "fork":
            os.fork()
        case "daemonize":
            daemonize()
        case "print":
            os.write(1, value.encode() + b"\n")
        case "error":
            os.write(2, value.encode() + b"\n")
        case "flood":
            flood(value)
        case "echo":
            echo()
        case "eof":
            while os.read(0, 4096):
                pass
        case "stamp":
            stamp(value)
        case "report":
            report(value)
        case _:
            os.write(2, f"misbehave.py: no action {name!r}\n".encode())
            leave(64)


if __name__ == "__main__":
    for action in sys.argv[1:]:
        word, _, argument = action.partition("=")
        act(word, argument)
    leave(0)
