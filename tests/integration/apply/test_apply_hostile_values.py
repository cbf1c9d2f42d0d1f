"""Every value is hostile: what supervisor itself, in each version, makes of a rendering is what was meant.

The reader runs supervisor alone, without our verification: the two must not share a mistake.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import crew_strategies  # noqa: F401 - sets how many examples each property is tried on
from crewd.errors import ConfigError
from crewd.model.home import Home
from crewd.model.spec import CrewSpec, EngineSpec, LogFile, WorkerSpec
from crewd.supervisord.render import render
from crewd.supervisord.surroundings import Surroundings
from crewd.supervisord.verify import verify
from harness.editions import NEW, OLD, Edition, Mode

NASTY = [
    "a ;b",
    "a # b",
    ";",
    "#",
    " ;",
    "'; #",
    "100%",
    "%",
    "%%",
    "%(here)s",
    "%(ENV_PATH)s",
    "%(process_num)02d",
    'a"b',
    "a'b",
    "\"'",
    "'\"'",
    '"',
    "'",
    "a\\",
    "\\",
    "\\'",
    '\\"',
    "\\n",
    "x\n[program:evil]\ncommand=/bin/sh",
    "x\ruser=root",
    "x\0y",
    "a\t;b",
    "a\u00a0;b",
    "a\u3000#b",
    "a\x1f;b",
    "a\x85;b",
    "\u2028;",
    "\ufeff",
    "\x1b[31m",
    "",
    " ",
    "\t",
    " a",
    "a ",
    "\u00a0",
    "x" * 5000,
    "=",
    "a=b",
    ":",
    "[program:evil]",
    "a,B=c",
    'a",EVIL="1',
    "a',EVIL='1",
    "$HOME `id` $(id) ~ * ? & | < >",
    "\u00e4\u20ac\U0001f600",
    "\ud800",
    "\udcff",
    "--",
    "-c",
    "none",
    "AUTO",
    "syslog",
]
ALPHABET = "ab ;#%()s'\"\\\t\u00a0\u2003\x1c\x85=,[]:-~$\n\r\0\x1b\ud800"

hostile = st.sampled_from(NASTY) | st.text(ALPHABET, max_size=12) | st.text(max_size=12)
argvs = st.lists(hostile, min_size=1, max_size=4).map(tuple)
variables = st.dictionaries(st.sampled_from(["A", "B_2", "_c", "PATH"]), hostile, max_size=3)
for_all = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

FORBIDDEN = re.compile("[\0\r\n\ud800-\udfff]")
NO_XML = re.compile("[\x00-\x08\x0a-\x1f\ud800-\udfff\ufffe\uffff]")
PLAIN_REFUSED = re.compile(r"^\s|\s$|^[;#]|\s[;#]")


class Reader:
    """supervisor's parser of one version, in a process of its own."""

    def __init__(self, version):
        edition = Edition(version, Mode.PLAIN)
        if edition.library is not None and not edition.library.is_dir():
            pytest.skip(f"supervisor {version} is not unpacked in .cache (see the Makefile)")
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(Path(__file__).with_name("read_conf.py"))],
            env={**edition.environment, "HOME": "/root"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert json.loads(self._process.stdout.readline()) == {"version": version}

    def read(self, text):
        print(json.dumps(text), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def close(self):
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@pytest.fixture(scope="module", params=[NEW, OLD])
def reader(request):
    reader = Reader(request.param)
    yield reader
    reader.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = Home.under(str(tmp_path_factory.mktemp("home")))
    for folder in (home.worker_logs, home.engine_run):
        Path(folder).mkdir(parents=True)
    return home


def understood(reader, home, worker, **listeners):
    """Return the rendering and what supervisor makes of it; None where it was refused."""
    spec = CrewSpec({worker.worker_id: worker}, engine=EngineSpec(eventlisteners=listeners))
    try:
        one = render(spec, home, Surroundings("box"))
    except ConfigError:
        return None
    verify(one, home)
    answer = reader.read(one.conf_text)
    assert "error" not in answer
    assert {name for name in answer["sections"] if name.split(":")[0] in ("program", "group", "eventlistener")} == {
        f"program:{worker.worker_id}-0",
        *(f"eventlistener:{name}" for name in listeners),
    }
    assert len(answer["sections"]) == 7 + len(listeners)
    assert answer["processes"].keys() == {f"{worker.worker_id}-0", *listeners}
    assert all(process["uid"] is None for process in answer["processes"].values())
    return one, answer["processes"]


@for_all
@given(argv=argvs)
@example(argv=tuple(value for value in NASTY if not NO_XML.search(value) and value))
def test_a_command_reaches_exec_unchanged(reader, home, argv):
    """Element by element; only what must be is refused."""
    found = understood(reader, home, WorkerSpec("web", argv))

    refused = not argv[0] or any(NO_XML.search(argument) for argument in argv)
    assert (found is None) == refused
    if found:
        assert tuple(found[1]["web-0"]["argv"]) == argv


@for_all
@given(variables=variables)
@example(variables={f"V{n}": value for n, value in enumerate(NASTY) if not FORBIDDEN.search(value)})
def test_the_environment_reaches_the_worker_unchanged(reader, home, variables):
    """Through the configuration, or through the table where the format cannot carry it; each variable once."""
    found = understood(reader, home, WorkerSpec("web", ("true",), environment=variables))

    assert (found is None) == any(FORBIDDEN.search(value) for value in variables.values())
    if found:
        one, processes = found
        written, carried = processes["web-0"]["environment"], one.table.entries["web-0"].environment
        own = {"CREWD_WORKER_ID": "web", "CREWD_INSTANCE": "web-0", "WORKER_ID": "box:web-0"}
        assert not written.keys() & carried.keys()
        assert {**written, **carried} == {**variables, **own}


@for_all
@given(value=hostile)
@example(value="%(ENV_HOME)s")
def test_a_directory_is_taken_as_it_is_or_refused(reader, home, value):
    """The format cannot quote a plain value."""
    path = f"/{value}"
    found = understood(reader, home, WorkerSpec("web", ("true",), directory=path))

    assert (found is None) == bool(NO_XML.search(path) or PLAIN_REFUSED.search(path))
    if found:
        assert found[1]["web-0"]["directory"] == path


@for_all
@given(value=hostile.filter(lambda value: "/" not in value))
@example(value="%(ENV_HOME)s")
@example(value="100%")
def test_a_log_file_is_taken_as_it_is_or_refused(reader, home, value):
    """supervisor expands these twice."""
    path = f"{home.worker_logs}/{value}"
    found = understood(reader, home, WorkerSpec("web", ("true",), stdout=LogFile(path)))

    assert (found is None) == bool(NO_XML.search(path) or PLAIN_REFUSED.search(path))
    if found:
        assert found[1]["web-0"]["stdout_logfile"] == path.replace("{instance}", "web-0")


@for_all
@given(word=hostile)
def test_an_option_of_a_listener_is_taken_as_it_is_or_refused(reader, home, word):
    """Stock sections pass under the same escaping, and can open no other."""
    listener = {"command": f"/bin/cat {word}", "events": "EVENT", "directory": f"/{word}"}
    try:
        spec = CrewSpec({"web": WorkerSpec("web", ("true",))}, engine=EngineSpec(eventlisteners={"mail": listener}))
        one = render(spec, home, Surroundings("box"))
    except ConfigError:
        return
    answer = reader.read(one.conf_text)

    assert "error" in answer or set(answer["processes"]) == {"web-0", "mail"}
    assert "error" not in answer or "No closing quotation" in answer["error"] or "No escaped" in answer["error"]
    if "error" not in answer:
        assert answer["processes"]["mail"]["directory"] == f"/{word}"


@for_all
@given(name=hostile)
def test_a_name_is_a_name_or_refused(reader, home, name):
    """It stands in section headers."""
    found = understood(reader, home, WorkerSpec(name, ("true",)))

    assert found is None or re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name)


def test_the_old_version_is_under_test_too():
    """A machine without it would test half."""
    assert os.environ.get("CI") != "true" or Edition(OLD, Mode.PLAIN).library.is_dir()
