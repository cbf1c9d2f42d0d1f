"""crewd-apply from outside: what it prints, what it writes, what it refuses, and what it does when it is killed."""

import json
import os
import socketserver
import stat
import subprocess
import sys
import threading
import time
import traceback
from contextlib import contextmanager
from pathlib import Path
from xmlrpc.client import Fault
from xmlrpc.server import SimpleXMLRPCDispatcher

import pytest

from crewd import apply as applying
from crewd.errors import CrewdError
from crewd.model import table as policy_table
from crewd.model.home import Home
from crewd.model.offer import encode
from crewd.model.spec import CrewSpec, WorkerSpec
from crewd.supervisord import generation
from crewd.supervisord.generation import drifted
from harness.lookup import looked_up

CREW = "workers:\n  web:\n    command: [/bin/true, '{}']\n    instances: 2\n"


@pytest.fixture
def home(tmp_path):
    home = Home.under(str(tmp_path / "crew"))
    Path(home.etc).mkdir(parents=True)
    Path(home.config).write_text(CREW.format("one"))
    return home


def run(home, *options, expected=0):
    """Run crewd-apply; return its answer, or its lines on standard error."""
    root = home.etc.removesuffix("/etc")
    command = [sys.executable, "-m", "crewd.apply", *options]
    ended = subprocess.run(
        command,
        env={**os.environ, "CREWD_HOME": root},
        input=encode(()).decode(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == expected, ended.stderr
    return json.loads(ended.stdout) if expected == 0 else ended.stderr.splitlines()


def spec(word):
    return CrewSpec({"web": WorkerSpec("web", ("/bin/true", word), instances=2)})


def in_force(home):
    """Return the word of the crew in force, having seen that the generation is whole."""
    folder = Path(home.current).resolve(strict=True)
    table = policy_table.decode((folder / "policy.json").read_bytes())
    conf = (folder / "supervisord.conf").read_text()
    assert folder.name == table.name
    assert not drifted(str(folder / "supervisord.conf"))
    assert all(entry.section in conf for entry in table.entries.values())
    return conf.split("command=/bin/true ")[1].split("\n")[0]


def test_the_first_apply_puts_the_crew_in_force(home):
    """One JSON object says what changed; the folders are ours alone."""
    answer = run(home)

    assert answer["changed"]
    assert answer["engine"] is None
    assert answer["plan"] == {"added": ["web-0", "web-1"], "removed": [], "restarted": [], "changed": [], "kept": 0}
    assert answer["name"] == Path(home.current).readlink().name
    assert in_force(home) == "one"
    modes = {
        home.engine: 0o750,
        home.generations: 0o700,
        f"{home.current}/": 0o700,
        home.supervisord_conf: 0o600,
        home.table: 0o600,
        home.drop_in: 0o600,
        home.supervisorctl_conf: 0o640,
    }
    assert {path: stat.S_IMODE(os.stat(path).st_mode) for path in modes} == modes


def test_the_same_crew_changes_nothing(home):
    """No swap, and all is kept."""
    name = run(home)["name"]
    link = os.lstat(home.current).st_ino
    answer = run(home)

    assert answer == {**answer, "name": name, "changed": False}
    assert answer["plan"]["kept"] == 2
    assert os.lstat(home.current).st_ino == link


def test_what_cannot_be_tidied_up_is_a_warning(home):
    """Old generations, the offers for an apply by hand: the crew is in force by then, and that is the answer."""
    run(home)
    Path(home.generations, ".left").write_text("no folder")
    Path(home.offers).unlink()
    Path(home.offers, "in the way").mkdir(parents=True)
    Path(home.config).write_text(CREW.format("two"))
    answer = run(home, "--api-workers")

    assert answer["changed"]
    assert in_force(home) == "two"
    assert [one.split(":")[0] for one in answer["warnings"]] == [
        "cannot remove old generations",
        "cannot keep the workers made over the API for an apply by hand",
    ]


def test_a_check_touches_nothing(home):
    """It says what an apply would do."""
    answer = run(home, "--check-only")

    assert answer["changed"]
    assert answer["plan"]["added"] == ["web-0", "web-1"]
    assert sorted(path.name for path in Path(home.etc).parent.iterdir()) == ["etc"]


def test_a_mistake_is_told_with_status_78_and_changes_nothing(home):
    """The last good rendering stays in force."""
    run(home)
    Path(home.config).write_text("workers:\n  web: {command: [x], restart: sometimes, instances: none}\n")
    for options in ((), ("--check-only",)):
        lines = run(home, *options, expected=78)
        assert len(lines) == 2
        assert all(line.startswith(f"{home.config}:2:") for line in lines)

    assert in_force(home) == "one"


def test_a_mistake_in_an_environment_file_is_told_at_its_line_without_its_content(home, tmp_path):
    """Whoever reads the message may not be allowed to read the file."""
    secrets = tmp_path / "secrets"
    secrets.write_text("A=1\nhunter2\n")
    Path(home.config).write_text(f"workers:\n  web: {{command: [x], environment_file: {secrets}}}\n")
    lines = run(home, expected=78)

    assert lines == [f"{secrets}:2:1: workers.web.environment_file: must be KEY=value, or begin with '#'"]


def test_all_mistakes_are_told_at_once_and_at_their_places(home, tmp_path):
    """Of the YAML, of this machine, and of event listeners, in one list."""
    listeners = "{one: {command: x, events: NOPE}, two: {command: x, events: TICK_5, buffer_size: abc}}"
    Path(home.config).write_text(
        f"supervisord:\n  eventlisteners: {listeners}\n"
        f"workers:\n  web: {{command: [x], environment_file: {tmp_path}/none}}\n"
        "  job: {command: [x], restart: maybe}\n"
    )
    lines = [line.removeprefix(f"{home.config}:") for line in run(home, expected=78)]

    assert [line.split(" ")[:2] for line in lines] == [
        ["2:46:", "supervisord.eventlisteners.one.events:"],
        ["2:100:", "supervisord.eventlisteners.two.buffer_size:"],
        ["4:41:", "workers.web.environment_file:"],
        ["5:32:", "workers.job.restart:"],
    ]


def test_an_environment_file_that_is_no_file_is_refused_at_once(home, tmp_path):
    """A pipe would keep us waiting for ever."""
    os.mkfifo(tmp_path / "pipe")
    Path(home.config).write_text(f"workers:\n  web: {{command: [x], environment_file: {tmp_path}/pipe}}\n")

    assert "not a regular file" in run(home, expected=78)[0]


def test_a_folder_that_others_may_write_to_is_refused(home):
    """Who can write what supervisord reads is supervisord."""
    run(home)
    os.chmod(home.generations, 0o770)
    assert "nobody else may write" in run(home, expected=1)[0]
    os.chmod(home.generations, 0o700)
    Path(home.engine).rename(f"{home.engine}.elsewhere")
    os.symlink(f"{home.engine}.elsewhere", home.engine)

    assert "no directory" in run(home, expected=1)[0]


def test_a_hand_edit_is_noticed_and_mended(home):
    """What was rendered is what supervisord reads, also where nothing else changed."""
    name = run(home)["name"]
    with open(home.supervisord_conf, "a") as conf:
        conf.write("[program:mine]\ncommand=/bin/sh\n")
    assert drifted(home.supervisord_conf)
    answer = run(home)

    assert (answer["name"], answer["changed"]) == (name, False)
    assert answer["warnings"] == ["supervisord.conf was edited by hand: the edit is lost"]
    assert in_force(home) == "one"


def test_standard_input_is_never_read(home):
    """Nothing that a caller sends can matter."""
    command = [sys.executable, "-m", "crewd.apply"]
    root = home.etc.removesuffix("/etc")
    with subprocess.Popen(
        command, env={**os.environ, "CREWD_HOME": root}, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as child:
        assert child.wait(90) == 0  # while its input is still open


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
def test_who_makes_a_directory_that_it_may_not_make_is_said(home):
    """Confined by its unit it sees all but a few directories read-only; one that was removed is no riddle."""
    root = home.etc.removesuffix("/etc")
    script = f"mount -t tmpfs -o ro none {root} && exec {sys.executable} -m crewd.apply"
    ended = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        env={**os.environ, "CREWD_HOME": root},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    made_by = "under systemd it is made by: systemd-tmpfiles --create crewd.conf"
    assert ended.stderr.splitlines() == [f"cannot make {home.engine}: Read-only file system; {made_by}"]


def test_only_the_last_generations_are_kept(home):
    """And what a killed apply left behind goes as well."""
    for word in "abcdefgh":
        Path(home.config).write_text(CREW.format(word))
        run_here(home, spec(word))
    Path(home.generations, ".half").mkdir()
    for file in (home.current, home.offers, home.supervisorctl_conf):
        Path(home.engine, f".{Path(file).name}.0a1b2c3d").touch()
    run_here(home, spec("a"))

    left = list(Path(home.generations).iterdir())
    assert len(left) == generation.KEPT
    assert not list(Path(home.engine).glob(".*"))
    assert in_force(home) == "a"


def run_here(home, crew):
    generation.prepare(home)
    with generation.locked(home):
        return applying.apply(crew, looked_up(crew, home), home, "crew.yaml")


def die_before(step):
    """Let this process be killed before the step-th thing that the audit hooks of Python see it do to files."""
    seen = 0

    def hook(event, arguments):
        nonlocal seen
        if event.split(".")[0] in ("open", "os", "shutil"):
            seen += 1
            if seen == step:
                os.kill(os.getpid(), 9)

    sys.addaudithook(hook)


def killed_at(step, home, crew):
    """Apply in a child that dies before its step-th step; return whether it died."""
    child = os.fork()
    if child == 0:
        try:
            die_before(step)
            run_here(home, crew)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or status == 0
    return os.WIFSIGNALED(status)


def test_a_kill_at_any_step_leaves_a_whole_generation_in_force(home):
    """The old one or the new one; and the next apply finds nothing in its way."""
    run_here(home, spec("old"))
    words = set()
    step = 1
    while killed_at(step, home, spec(f"new{step}")):
        words.add(in_force(home).replace(str(step), ""))
        run_here(home, spec("old"))
        assert in_force(home) == "old"
        step += 1

    assert words == {"old", "new"}
    assert step > 20
    assert [name for name in os.listdir(home.engine) if name.startswith(".")] == []
    assert [name for name in os.listdir(home.generations) if name.startswith(".")] == []


def test_applies_at_the_same_time_do_not_mix(home):
    """At every moment something whole is in force, and each of them succeeds."""
    run_here(home, spec("0"))
    children = []
    for number in range(4):
        child = os.fork()
        if child == 0:
            try:
                for turn in range(5):
                    run_here(home, spec(f"{number}{turn}"))
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    statuses = []
    while children:
        word = in_force_while_pruned(home)
        assert word == "0" or len(word) == 2
        pid, status = os.waitpid(children[0], os.WNOHANG)
        if pid:
            children.remove(pid)
            statuses.append(status)

    assert statuses == [0, 0, 0, 0]


def in_force_while_pruned(home):
    """Read again where the generation was pruned between following the link and reading it."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return in_force(home)
        except FileNotFoundError:
            assert time.monotonic() < deadline


class _Dispatcher(socketserver.UnixStreamServer, SimpleXMLRPCDispatcher):
    """XML-RPC on a Unix socket: an engine as far as crewd-apply knows one."""

    def __init__(self, path):
        SimpleXMLRPCDispatcher.__init__(self)
        socketserver.UnixStreamServer.__init__(self, path, _Handler)


class _Handler(socketserver.StreamRequestHandler):
    def handle(self):
        length = 0
        while (line := self.rfile.readline().strip()) != b"":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        answer = self.server._marshaled_dispatch(self.rfile.read(length))
        self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % len(answer))
        self.wfile.write(answer)


class Engine:
    """Takes over what it is told, or refuses."""

    def __init__(self, table=""):
        self.table = table
        self.told = []
        self.refuses = False

    def version(self):
        return json.dumps({"rpc": 1, "pid": 1, "generation": "00000001-abcdef", "table": self.table})

    def apply(self, name):
        self.told.append(name)
        if self.refuses:
            raise Fault(30, "FAILED: no such table")
        self.table = name
        return json.dumps({"table": name, "added": [], "changed": [], "restarted": ["web-0"], "removed": []})


@contextmanager
def listening(home, engine):
    Path(home.engine_run).mkdir(exist_ok=True)
    with _Dispatcher(home.engine_socket) as server:
        server.register_function(engine.version, "crewd.version")
        server.register_function(engine.apply, "crewd.apply")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def test_a_running_engine_is_told_after_the_switch(home):
    """Its answer is part of ours."""
    engine = Engine()
    with listening(home, engine):
        outcome = run_here(home, spec("one"))

    assert engine.told == [outcome.name]
    assert outcome.engine["restarted"] == ["web-0"]


def test_an_engine_that_has_the_table_is_left_alone_and_one_that_has_not_is_told(home):
    """Also where the file did not change: an earlier apply may have died before the call."""
    name = run_here(home, spec("one")).name
    current, behind = Engine(name), Engine("older")
    with listening(home, current):
        assert run_here(home, spec("one")).engine["restarted"] == []
    Path(home.engine_socket).unlink()
    with listening(home, behind):
        assert run_here(home, spec("one")).engine["restarted"] == ["web-0"]

    assert (current.told, behind.told) == ([], [name])


def test_the_engines_no_undoes_the_switch(home):
    """What it works by stays what supervisord would start from."""
    run_here(home, spec("old"))
    engine = Engine()
    engine.refuses = True
    with listening(home, engine), pytest.raises(CrewdError, match="the former configuration stays in force"):
        run_here(home, spec("new"))

    assert in_force(home) == "old"


def test_the_engines_no_to_the_first_crew_leaves_none_in_force(home):
    """There is nothing to go back to."""
    engine = Engine()
    engine.refuses = True
    with listening(home, engine), pytest.raises(CrewdError):
        run_here(home, spec("new"))

    assert not os.path.lexists(home.current)


def test_a_socket_that_nobody_listens_on_is_no_engine(home):
    """A killed supervisord leaves it behind."""
    with listening(home, Engine()):
        pass

    assert run_here(home, spec("one")).engine is None


def test_a_thousand_workers_are_applied_in_good_time(home, capsys):
    """Printed, not judged: the machine may be busy."""
    workers = "".join(f"  w{n}: {{command: [/bin/sleep, '9'], environment: {{N: '{n}'}}}}\n" for n in range(1000))
    Path(home.config).write_text("workers:\n" + workers)
    begin = time.monotonic()
    answer = run(home)
    took = time.monotonic() - begin
    with capsys.disabled():
        print(f"\ncrewd-apply of 1000 workers: {took:.2f} s")

    assert len(answer["plan"]["added"]) == 1000
