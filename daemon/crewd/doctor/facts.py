"""What there is to be judged: how an installation was found, without any opinion on it.

What could not be looked at is None, or not among the entries, and stands in ``Facts.unseen``: it is no finding.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from crewd.doctor.finding import Area
from crewd.errors import Problem
from crewd.model.home import Home
from crewd.model.offer import Ruling
from crewd.model.spec import CrewSpec

Members = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Unseen:
    """Something that could not be looked at, and why."""

    area: Area
    what: str
    why: str


class Kind(StrEnum):
    """What a name in the file system is."""

    DIRECTORY = "directory"
    FILE = "file"
    SOCKET = "socket"
    SYMLINK = "symlink"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in the file system: of a symlink itself, not of what it points to."""

    path: str
    kind: Kind
    uid: int
    gid: int
    mode: int
    """The permission bits."""
    target: str = ""
    """What a symlink points to, made absolute."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process. ``started_at``: in unix seconds."""

    pid: int
    uid: int
    started_at: float = 0.0
    instance: str = ""
    """Of which it is, where it is a worker's."""


class Reply(StrEnum):
    """What comes of a knock at a socket."""

    ANSWERS = "answers"
    MISSING = "missing"
    REFUSED = "refused"
    """It is there, and nobody listens."""
    DENIED = "denied"
    """Whoever looks may not open it."""
    SILENT = "silent"
    """Somebody listens, and says nothing."""
    FOREIGN = "foreign"
    """Somebody answers who is not crewd."""


@dataclass(frozen=True, slots=True)
class Socket:
    """A socket, and who is behind it. ``listener``: None where the kernel does not tell."""

    path: str
    reply: Reply
    words: str = ""
    """Why there was no answer."""
    listener: Process | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """Code of the engine; ``fingerprint`` is empty where it is not known."""

    version: str
    fingerprint: str
    directory: str
    python: str


@dataclass(frozen=True, slots=True)
class Installed:
    """What is installed here, where crewctl itself comes from."""

    version: str
    code: Code | None = None
    supervisor: str = ""
    supervisor_wanted: str = ""
    """As crewd's own package asks for it: ``>=4.2.5,<4.4``."""
    unknown_parts: Mapping[str, int] = field(default_factory=dict[str, int])
    """The parts of the installed supervisor that the engine does not know, with how many functions of each."""
    changed_at: float = 0.0
    """When the newest file of crewd's own came to its place, in unix seconds."""
    database_knows: tuple[str, ...] = ()
    """The revisions of the database's tables that this version knows, oldest first."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the configuration on the disk says, and how it stands to what is in force."""

    source: str
    mistakes: tuple[Problem, ...] = ()
    failure: str = ""
    """Why it could not be rehearsed, where no place in it is to blame."""
    doubts: tuple[Problem, ...] = ()
    spec: CrewSpec | None = None
    """With the workers made over the API; None where it is wrong."""
    rendering: str = ""
    """The name that its rendering would have."""
    changes: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Instances that an apply would touch, by what would happen to them."""
    rulings: Mapping[str, Ruling] = field(default_factory=dict[str, Ruling])


@dataclass(frozen=True, slots=True)
class Room:
    """A bound that something runs into."""

    what: str
    used: int
    most: int
    where: str = ""


@dataclass(frozen=True, slots=True)
class Disk:
    """The file system that a directory lies on. ``inodes`` are 0 where it does not count them."""

    path: str
    total_bytes: int
    free_bytes: int
    inodes: int
    free_inodes: int
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What the machine allows."""

    open_files: int | None = None
    """How many supervisord may raise its limit to."""
    processes: tuple[Room, ...] = ()
    inotify: tuple[Room, ...] = ()
    disks: tuple[Disk, ...] = ()


@dataclass(frozen=True, slots=True)
class Clock:
    """The time now, and when the journal's last line was written. ``boot``: seconds since boot."""

    wall: float
    boot: float
    line_wall: float | None = None
    line_boot: float | None = None
    """None where it was written before the machine last booted."""
    synchronised: bool | None = None


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of systemd's, as ``systemctl show`` has it."""

    name: str
    loaded: bool
    active: str = ""
    result: str = ""
    enabled: str = ""
    stop_sec: float | None = None
    """Its TimeoutStopSec; ``inf``: none."""
    stale: bool = False
    """Whether its file was changed since systemd read it."""
    program: str = ""
    """What it starts."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that root runs, or that a unit starts. ``runs``: which unit, or ``crewctl``."""

    runs: str
    path: str
    changeable: str = ""
    """The first name on the way to it that others than root can change; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Files:
    """What lies where."""

    entries: Mapping[str, Entry] = field(default_factory=dict[str, Entry])
    """By path; what is not there has none."""
    configuration: tuple[str, ...] = ()
    """The operator's files."""
    parents: tuple[str, ...] = ()
    """The directories above ours."""
    trusted: tuple[str, ...] = ()
    """What supervisord and crewd-apply read: the rendering in force, and the code itself."""
    secrets: tuple[str, ...] = ()
    """Files that the configuration names and that hold secrets."""
    logs: tuple[str, ...] = ()
    """Directories that workers' output goes to."""
    unreadable: tuple[str, ...] = ()
    """Those of its keys and certificates that are there, and that the daemon may not read."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it. ``uid``: of whoever looks; ``engine_uid``, ``daemon_uid``: as whom both run, or would."""

    home: Home
    uid: int
    engine_uid: int
    daemon_uid: int
    daemon_gids: frozenset[int]
    files: Files
    daemon_socket: Socket
    engine_socket: Socket
    installed: Installed
    clock: Clock
    unseen: tuple[Unseen, ...] = ()
    crew: Members | None = None
    """The daemon's answer to ``GET /workers``."""
    version: Members | None = None
    """The engine's ``crewd.version``."""
    instances: Sequence[Members] = ()
    """The engine's ``crewd.status``."""
    current: str | None = None
    """The rendering that the symlink names."""
    edited: bool = False
    """Whether that was edited by hand."""
    in_table: int = 0
    """How many instances the table in force has."""
    configuration: Configuration | None = None
    limits: Limits = Limits()
    supervisords: tuple[Process, ...] = ()
    """Those that were started with this home's rendering."""
    strays: tuple[Process, ...] = ()
    """Processes of workers that no supervisord is above."""
    applying: int = 0
    """The process that holds the lock of applies; 0: nobody."""
    locked_by: int = 0
    """The process that holds the daemon's lock; 0: nobody."""
    pid_file: int | None = None
    """What supervisord's pid file says; None: there is none."""
    units: tuple[Unit, ...] | None = None
    """None: this installation is not systemd's."""
    programs: tuple[Program, ...] = ()
