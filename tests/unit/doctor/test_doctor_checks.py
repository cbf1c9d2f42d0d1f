"""What the doctor makes of the facts: pure, so machines that no test can have are judged, too."""

from dataclasses import replace
from math import inf
from typing import Any

import pytest

from crewd import doctor
from crewd.doctor import CHECKS
from crewd.doctor.facts import (
    Clock,
    Code,
    Configuration,
    Disk,
    Entry,
    Facts,
    Files,
    Installed,
    Kind,
    Limits,
    Process,
    Program,
    Reply,
    Room,
    Socket,
    Unit,
    Unseen,
)
from crewd.doctor.finding import Area, Severity
from crewd.doctor.looking.units import seconds
from crewd.doctor.versions import within
from crewd.errors import Problem
from crewd.model.home import Home
from crewd.model.offer import Complaint, Fate, Ruling
from crewd.model.spec import CrewSpec, WorkerSpec
from crewd.reconcile.port import RPC_VERSION

HOME = Home()
DAEMON = 990
"""The uid and the gid that crewd runs as."""
NOW = 1_770_000_000.0
CODE = Code("1.2.3", "0123456789abcdef", "/usr/lib/crewd/lib/crewd_supervisord", "3.11.2")
INSTALLED = Installed("1.2.3", CODE, "4.3.0", ">=4.2.5,<4.4", database_knows=("0001", "0002"))
GENERATION = f"{HOME.generations}/abc"
VERSION: dict[str, Any] = {
    "rpc": RPC_VERSION,
    "engine": "1.2.3",
    "code": CODE.fingerprint,
    "directory": CODE.directory,
    "python": "3.11.2",
    "supervisor": "4.3.0",
    "table": "abc",
    "mode": "fast",
    "mode_reason": "",
    "faults": 0,
    "drift": [],
    "journal": {"sequence": 7, "lost": 0, "discarded_bytes": 0, "bytes": 1000, "error": None},
}
RECORDING: dict[str, Any] = {"lag_events": 0, "trouble": "", "tables_version": "0002"}
CREW: dict[str, Any] = {
    "daemon": {"version": "1.2.3", "not_ready": []},
    "configuration": {"in_force": True, "problems": [], "drift": []},
    "recording": RECORDING,
}
GIB = 1024**3


def directory(path: str, uid: int = 0, gid: int = 0, mode: int = 0o750) -> Entry:
    """Return a directory."""
    return Entry(path, Kind.DIRECTORY, uid, gid, mode)


ENTRIES = (
    directory(HOME.lib, DAEMON, DAEMON, 0o700),
    directory(HOME.engine, 0, DAEMON),
    directory(HOME.generations, mode=0o700),
    directory(GENERATION, mode=0o700),
    directory(HOME.log, 0, DAEMON),
    directory(HOME.worker_logs),
    directory(HOME.run, DAEMON, DAEMON, 0o755),
    directory(HOME.engine_run, 0, DAEMON, 0o750),
    directory("/var", mode=0o755),
    Entry(HOME.current, Kind.SYMLINK, 0, 0, 0o777, GENERATION),
    Entry(HOME.config, Kind.FILE, 0, DAEMON, 0o640),
    Entry(HOME.socket, Kind.SOCKET, DAEMON, DAEMON, 0o660),
    Entry(HOME.engine_socket, Kind.SOCKET, 0, DAEMON, 0o660),
)


def healthy(*entries: Entry, **given: Any) -> Facts:
    """Return the facts of an installation in which all is well, but for what is given."""
    found = {entry.path: entry for entry in (*ENTRIES, *entries)}
    files = Files(found, (HOME.config,), ("/var",), (GENERATION,), (), (HOME.worker_logs,))
    facts = Facts(
        HOME,
        0,
        0,
        DAEMON,
        frozenset({DAEMON}),
        files,
        Socket(HOME.socket, Reply.ANSWERS, listener=Process(41, DAEMON, NOW - 100)),
        Socket(HOME.engine_socket, Reply.ANSWERS, listener=Process(40, 0, NOW - 100)),
        INSTALLED,
        Clock(NOW, 5000.0, NOW - 10, 4990.0, synchronised=True),
        crew=CREW,
        version=VERSION,
        current="abc",
        configuration=Configuration(HOME.config, spec=CrewSpec(), rendering="abc"),
        limits=Limits(1024, disks=(Disk("/var", 100 * GIB, 50 * GIB, 1000, 900),)),
        supervisords=(Process(40, 0),),
        pid_file=40,
    )
    return replace(facts, **given)


def found(facts: Facts) -> list[tuple[str, str]]:
    """Return severity and name of each finding that is worth a word."""
    return [(one.severity.value, one.name) for one in doctor.examine(facts) if one.severity is not Severity.OK]


def said(facts: Facts) -> str:
    """Return the message of the one finding."""
    (finding,) = (one for one in doctor.examine(facts) if one.severity is not Severity.OK)
    return finding.message


def version(**given: Any) -> Facts:
    """Return a healthy installation whose engine says this."""
    return healthy(version={**VERSION, **given})


def crew(**given: Any) -> Facts:
    """Return a healthy installation whose daemon says this."""
    return healthy(crew={**CREW, **given})


def test_each_area_is_told_of_where_nothing_is_wrong() -> None:
    """It was looked at, and is well."""
    assert [(one.severity, one.area) for one in doctor.examine(healthy())] == [(Severity.OK, area) for area in Area]
    assert tuple(CHECKS) == tuple(Area)


def configured(*mistakes: Problem, **given: Any) -> Facts:
    """Return a healthy installation whose configuration was rehearsed to this."""
    about = {"spec": CrewSpec(), "rendering": "abc", **given}
    return healthy(configuration=Configuration(HOME.config, mistakes, **about))


def without(path: str, **given: Any) -> Facts:
    """Return a healthy installation in which something is not there."""
    facts = healthy(**given)
    entries = {name: entry for name, entry in facts.files.entries.items() if name != path}
    return replace(facts, files=replace(facts.files, entries=entries))


def users() -> Facts:
    """Return a healthy installation of a user's own."""
    return healthy(*(replace(one, uid=1000, gid=1000) for one in ENTRIES), engine_uid=1000, daemon_uid=1000)


def users_but(entry: Entry) -> Facts:
    """Return a healthy installation of a user's own, but for this."""
    facts = users()
    return replace(facts, files=replace(facts.files, entries={**facts.files.entries, entry.path: entry}))


def unreadable(path: str, **given: Any) -> Facts:
    """Return a healthy installation in which the daemon may not read a file."""
    facts = healthy(**given)
    return replace(facts, files=replace(facts.files, unreadable=(path,)))


NO_TLS = "cannot speak TLS with /etc/tls/crewd.pem and /etc/tls/key.pem: Permission denied"
PLACE = Problem(HOME.config, 3, 5, "workers.web", "is odd")
NOBODY_THERE = Socket(HOME.socket, Reply.MISSING)
OLD = Code("1.2.3", "fedcba9876543210", CODE.directory, "3.11.2")
CASES: dict[str, tuple[Facts, str, str]] = {
    "rpc": (version(rpc=99), "problem", "engine-rpc"),
    "code": (version(code=OLD.fingerprint), "warning", "engine-code"),
    "no-code": (version(code=None, directory=None), "warning", "engine-code"),
    "python": (version(python="3.11.1"), "warning", "engine-python"),
    "supervisor": (version(supervisor="4.2.5"), "warning", "engine-supervisor"),
    "unsupported": (
        healthy(installed=replace(INSTALLED, supervisor="4.4.0"), version={**VERSION, "supervisor": "4.4.0"}),
        "problem",
        "supervisor",
    ),
    "daemon-version": (crew(daemon={"version": "1.2.2"}), "warning", "daemon-code"),
    "not-ready": (crew(daemon={"version": "1.2.3", "not_ready": [NO_TLS]}), "problem", "not-ready"),
    "unreadable": (unreadable("/etc/tls/key.pem"), "problem", "unreadable"),
    "unreadable, and so not ready": (
        unreadable("/etc/tls/key.pem", crew={**CREW, "daemon": {"version": "1.2.3", "not_ready": [NO_TLS]}}),
        "problem",
        "unreadable",
    ),
    "daemon-of-old": (crew(daemon=None), "warning", "daemon-code"),
    "daemon-code": (healthy(installed=replace(INSTALLED, changed_at=NOW)), "warning", "daemon-code"),
    "database-newer": (crew(recording={**RECORDING, "tables_version": "0003"}), "problem", "database-newer"),
    "database-older": (crew(recording={**RECORDING, "tables_version": "0001"}), "note", "database-older"),
    "program": (
        healthy(programs=(Program("crewctl", "/home/joe/bin/python", "/home/joe"),)),
        "problem",
        "program",
    ),
    "stock": (version(mode="stock", mode_reason="run differs"), "warning", "stock-mode"),
    "faults": (version(faults=2), "warning", "engine-faults"),
    "journal": (version(journal={"error": "No space left on device", "lost": 3}), "problem", "journal"),
    "lost": (version(journal={"lost": 3}), "warning", "journal-lost"),
    "discarded": (version(journal={"discarded_bytes": 3}), "warning", "journal-lost"),
    "not-recorded": (crew(recording={"lag_events": 9, "trouble": "is locked"}), "problem", "not-recorded"),
    "behind": (crew(recording={"lag_events": 1001, "trouble": ""}), "warning", "recording-behind"),
    "drift": (version(drift=["added behind crewd's back: x"]), "warning", "drift"),
    "not-in-force": (
        crew(configuration={"in_force": False, "problems": ["no such user"]}),
        "problem",
        "apply-failed",
    ),
    "failure": (configured(spec=None, failure="cannot write /tmp: it is full"), "problem", "configuration"),
    "mistake": (configured(PLACE, spec=None), "problem", "configuration"),
    "doubt": (configured(doubts=(PLACE,)), "warning", "configuration-doubt"),
    "changed": (configured(rendering="def"), "warning", "not-applied"),
    "other": (version(table="def"), "warning", "rendering"),
    "refused": (
        configured(rulings={"made": Ruling(Fate.REFUSED, (Complaint("user", "is not admitted"),))}),
        "warning",
        "api-worker",
    ),
    "shadowed": (
        configured(rulings={"made": Ruling(Fate.SHADOWED, file=HOME.config, line=3)}),
        "warning",
        "api-worker",
    ),
    "locked": (healthy(daemon_socket=NOBODY_THERE, crew=None, locked_by=41), "problem", "daemon-down"),
    "parent's-owner": (healthy(directory("/var", 1000, 1000, 0o755)), "problem", "parent"),
    "nothing-applied": (without(HOME.current, current=None), "problem", "nothing-applied"),
    "gone": (without(GENERATION), "problem", "nothing-applied"),
    "no-logs": (without(HOME.worker_logs), "problem", "log-directory"),
    "logs": (users_but(directory(HOME.worker_logs, 1000, 1000, 0o550)), "problem", "log-directory"),
    "two": (healthy(supervisords=(Process(40, 0), Process(50, 0))), "problem", "two-supervisords"),
    "orphans": (healthy(strays=(Process(60, 0, instance="web-0"),)), "note", "orphans"),
    "pid-file": (healthy(pid_file=7), "warning", "pid-file"),
    "apply-lock": (healthy(applying=70), "note", "apply-lock"),
    "foreign": (
        healthy(engine_socket=Socket(HOME.engine_socket, Reply.FOREIGN, "no crewd in it"), version=None),
        "problem",
        "no-engine",
    ),
    "not-crewd": (
        healthy(daemon_socket=Socket(HOME.socket, Reply.FOREIGN, "no"), crew=None),
        "problem",
        "daemon-foreign",
    ),
    "long": (
        healthy(daemon_socket=Socket(f"/{'x' * 107}", Reply.ANSWERS, listener=Process(1, DAEMON))),
        "problem",
        "path",
    ),
    "kept-out": (
        healthy(Entry(HOME.engine_socket, Kind.SOCKET, 0, 0, 0o660)),
        "problem",
        "socket-mode",
    ),
    "no-directory": (healthy(Entry(HOME.log, Kind.SYMLINK, 0, 0, 0o777, "/mnt/log")), "problem", "kind"),
    "no-link": (healthy(Entry(HOME.current, Kind.DIRECTORY, 0, 0, 0o700)), "problem", "kind"),
    "elsewhere": (
        healthy(Entry(HOME.current, Kind.SYMLINK, 0, 0, 0o777, "/tmp/abc"), directory("/tmp/abc")),
        "problem",
        "kind",
    ),
    "daemon's": (healthy(directory(HOME.engine, DAEMON, DAEMON)), "problem", "owner"),
    "group": (healthy(directory(HOME.engine, 0, DAEMON, 0o770)), "problem", "writable"),
    "files": (healthy(limits=Limits(100)), "problem", "open-files"),
    "pids": (healthy(limits=Limits(processes=(Room("threads", 95, 100),))), "problem", "processes"),
    "inotify": (healthy(limits=Limits(inotify=(Room("instances", 128, 128, "/proc/x"),))), "problem", "inotify"),
    "full": (healthy(limits=Limits(disks=(Disk("/var", GIB, 1024, 0, 0),))), "problem", "disk-space"),
    "filling": (healthy(limits=Limits(disks=(Disk("/var", 100 * GIB, GIB // 4, 0, 0),))), "warning", "disk-space"),
    "inodes": (healthy(limits=Limits(disks=(Disk("/var", GIB, GIB, 10**6, 9_000),))), "warning", "inodes"),
    "back": (healthy(clock=Clock(NOW - 3600, 5000.0, NOW, 4990.0)), "problem", "clock-back"),
    "jumped": (healthy(clock=Clock(NOW, 5000.0, NOW - 3600, 4990.0)), "warning", "clock-jump"),
    "alone": (healthy(clock=Clock(NOW, 5000.0, synchronised=False)), "note", "clock-alone"),
    "given-up": (healthy(instances=({"instance": "a-0", "standing": "given_up", "pid": 0},)), "warning", "given-up"),
    "unseen": (healthy(unseen=(Unseen(Area.LIMITS, "/x", "Permission denied"),)), "note", "not-seen"),
    "unit-failed": (
        healthy(units=(Unit("crewd.service", loaded=True, active="failed", result="exit-code"),)),
        "problem",
        "unit-failed",
    ),
    "unit-down": (
        healthy(units=(Unit("crewd-apply.socket", loaded=True, active="inactive"),)),
        "problem",
        "unit-down",
    ),
    "unit-stale": (healthy(units=(Unit("crewd.service", loaded=True, stale=True),)), "warning", "unit-stale"),
    "unit-disabled": (
        healthy(units=(Unit("crewd.target", loaded=True, enabled="disabled"),)),
        "note",
        "unit-disabled",
    ),
}


@pytest.mark.parametrize(("facts", "severity", "name"), CASES.values(), ids=CASES)
def test_each_fact_that_is_wrong_is_one_finding(facts: Facts, severity: str, name: str) -> None:
    """And every finding says what to do, where there is something to be done."""
    assert found(facts) == [(severity, name)]


def test_supervisord_is_renewed_as_it_was_started() -> None:
    """By its unit, where there is one; either way the price is told."""
    old = {**VERSION, "code": OLD.fingerprint}
    unit = Unit("crewd-supervisord.service", loaded=True, stop_sec=90.0)
    by_unit = doctor.examine(healthy(version=old, units=(unit,)))
    by_hand = doctor.examine(healthy(version=old))

    assert [one.remedy for one in by_unit if one.name == "engine-code"] == [
        "systemctl restart crewd-supervisord: this restarts all workers"
    ]
    assert [one.remedy for one in by_hand if one.name == "engine-code"] == [
        "crewctl shutdown, then start crewd again: this restarts all workers"
    ]


def test_a_unit_that_is_killed_before_its_crew_can_stop_is_found() -> None:
    """With the drop-in that it needs; one that waits for ever needs none."""
    spec = CrewSpec({"slow": WorkerSpec("slow", ("x",), timeout_stop_sec=300.0)})
    configured = Configuration(HOME.config, spec=spec, rendering="abc")
    unit = Unit("crewd-supervisord.service", loaded=True, stop_sec=90.0)
    facts = healthy(units=(unit,), configuration=configured)

    assert found(facts) == [("warning", "unit-stop")]
    assert "killed 90 s after" in said(facts)
    assert found(replace(facts, units=(replace(unit, stop_sec=inf),))) == []


def test_a_mistake_is_told_once_though_the_daemon_tells_it_too() -> None:
    """With its place, which the daemon's sentence has as text alone."""
    mistake = Problem(HOME.config, 3, 5, "workers.web.user", "no such user")
    refused = {"in_force": False, "problems": [str(mistake)], "drift": []}
    facts = healthy(configuration=Configuration(HOME.config, (mistake,)), crew={**CREW, "configuration": refused})

    assert [(one.name, one.path, one.line) for one in doctor.examine(facts) if one.area is Area.DRIFT] == [
        ("configuration", HOME.config, 3)
    ]


def test_what_is_hidden_is_not_taken_for_missing() -> None:
    """Whoever may not look below the engine's directory is told that, and no more."""
    hidden = Unseen(Area.PERMISSIONS, HOME.engine, "Permission denied")
    entries = {path: entry for path, entry in healthy().files.entries.items() if not path.startswith(f"{HOME.engine}/")}
    facts = healthy(current=None, configuration=None, unseen=(hidden,))
    facts = replace(facts, files=replace(facts.files, entries=entries), uid=1000)

    assert found(facts) == [("note", "not-seen")]


def test_a_user_s_own_group_may_write_to_their_configuration() -> None:
    """Under a umask of 002 it does, and is nobody else; with root's supervisord it is too much."""
    entry = Entry(HOME.config, Kind.FILE, 0, 0, 0o660)

    assert found(healthy(entry)) == [("problem", "writable")]
    assert found(users()) == []
    assert found(users_but(replace(entry, uid=1000, gid=1000))) == []


@pytest.mark.parametrize(
    ("supported", "fits"), [("4.2.5", True), ("4.3", True), ("4.2.4", False), ("4.4.0", False), ("5", False)]
)
def test_a_version_is_held_to_the_bounds_of_the_package(supported: str, fits: bool) -> None:
    """Number by number."""
    assert within(supported, ">=4.2.5,<4.4") is fits


@pytest.mark.parametrize(
    ("text", "meant"), [("1min 30s", 90.0), ("500ms", 0.5), ("1h", 3600.0), ("infinity", inf), ("", None)]
)
def test_times_are_read_as_systemctl_writes_them(text: str, meant: float | None) -> None:
    """All of its units."""
    assert seconds(text) == meant
