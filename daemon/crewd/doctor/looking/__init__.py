"""Gathers the facts: reads, asks, and has no opinion. What may not be looked at is noted, and passed over."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace

from crewd.doctor.facts import Configuration, Facts, Installed, Members, Reply, Socket, Unseen
from crewd.doctor.finding import Area
from crewd.doctor.looking.configuration import keys_of, logs_of, rehearse, secrets_of
from crewd.doctor.looking.files import Looked, look_at_files, opened, unreadable
from crewd.doctor.looking.installed import look_at_what_is_installed
from crewd.doctor.looking.machine import look_at_clock, look_at_limits
from crewd.doctor.looking.processes import configuration_of, groups_of, holder, knock, strays, supervisords
from crewd.doctor.looking.programs import look_at_programs
from crewd.doctor.looking.units import look_at_units
from crewd.errors import CrewdError, TargetError
from crewd.model.home import Home
from crewd.reconcile.port import EngineFault, ForeignSupervisord
from crewd.supervisord import generation
from crewd.supervisord.client import Client

PATIENCE_SEC = 5.0
PID_BYTES = 32


class Unanswered(CrewdError):  # noqa: N818 - a state of the world
    """The daemon was asked, and did not tell. ``reply``: ANSWERS where it will not tell whoever looks."""

    def __init__(self, reply: Reply, words: str) -> None:
        self.reply = reply
        super().__init__(words)


Ask = Callable[[], Members]
"""Asks the daemon for its crew; raises Unanswered."""


def look(home: Home, source: str | None, daemon_socket: str, ask: Ask) -> Facts:
    """Return how the installation is. ``source``: the configuration; None: the one that the daemon reads.

    Who is the daemon decides nothing that root reads, asks or runs here: the database is asked by none but them.
    """
    unseen: list[Unseen] = []
    daemon, crew = _daemon(daemon_socket, ask, unseen)
    if crew is None:
        unseen.append(Unseen(Area.VERSIONS, daemon_socket, "only crewd tells the version of its database's tables"))
    engine, version, instances = _engine(home, unseen)
    looker = os.geteuid()
    engine_uid = engine.listener.uid if engine.listener else _owner(home.engine, looker)
    daemon_uid = daemon.listener.uid if daemon.listener else _owner(home.lib, looker)
    read = configuration_of(daemon.listener, looker)
    path = os.path.abspath(source or read or home.config)  # noqa: PTH100 - what is shown is what was written
    configuration = _configuration(path, home, looker, engine_uid, unseen)
    spec = None if configuration is None else configuration.spec
    installed = look_at_what_is_installed()
    daemon_gids = groups_of(daemon.listener, daemon_uid)
    files, looked = look_at_files(home, path, _code(installed), tuple(secrets_of(path, spec)), logs_of(spec))
    running = tuple(dict.fromkeys(pid for pid in (engine.listener.pid if engine.listener else 0,) if pid))
    found = supervisords(home.supervisord_conf)
    units = look_at_units(home)
    edited, in_table = _in_force(home, looker, engine_uid, unseen)
    return Facts(
        home,
        looker,
        engine_uid,
        daemon_uid,
        daemon_gids,
        replace(files, unreadable=tuple(unreadable(keys_of(spec), daemon_uid, daemon_gids))),
        daemon,
        engine,
        installed,
        look_at_clock(home),
        (*unseen, *_unseen(looked)),
        crew=crew,
        version=version,
        instances=instances,
        current=_current(home),
        edited=edited,
        in_table=in_table,
        configuration=configuration,
        limits=look_at_limits(home, running[0] if running else 0, daemon_uid),
        supervisords=found,
        strays=strays(f"unix://{home.engine_socket}", (*running, *(one.pid for one in found))),
        applying=holder(f"{home.engine}/apply.lock"),
        locked_by=holder(home.lock),
        pid_file=_pid_in(home.supervisord_pid),
        units=units,
        programs=look_at_programs(looker, units or ()),
    )


def _daemon(path: str, ask: Ask, unseen: list[Unseen]) -> tuple[Socket, Members | None]:
    socket = knock(path)
    if socket.reply is Reply.DENIED:
        unseen.append(Unseen(Area.SOCKETS, path, f"crewd cannot be asked: {socket.words}"))
    if socket.reply is not Reply.ANSWERS:
        return socket, None
    try:
        return socket, ask()
    except Unanswered as why:
        if why.reply is Reply.ANSWERS:
            unseen.append(Unseen(Area.SOCKETS, path, str(why)))
        return replace(socket, reply=why.reply, words=str(why)), None


def _engine(home: Home, unseen: list[Unseen]) -> tuple[Socket, Members | None, tuple[Members, ...]]:
    socket = knock(home.engine_socket)
    if socket.reply is Reply.DENIED:
        unseen.append(Unseen(Area.SOCKETS, home.engine_socket, f"supervisord cannot be asked: {socket.words}"))
    if socket.reply is not Reply.ANSWERS:
        return socket, None, ()
    client = Client(home.engine_socket, PATIENCE_SEC)
    try:
        return socket, client.version_members(), tuple(client.status()["instances"])
    except (ForeignSupervisord, EngineFault) as why:
        return replace(socket, reply=Reply.FOREIGN, words=str(why)), None, ()
    except TargetError as why:
        return replace(socket, reply=Reply.SILENT, words=str(why)), None, ()


def _configuration(path: str, home: Home, looker: int, engine: int, unseen: list[Unseen]) -> Configuration | None:
    """Rehearse an apply, as whom it is done by: as anybody else it would come to something else."""
    if looker == engine:
        return rehearse(path, home)
    unseen.append(
        Unseen(Area.DRIFT, path, f"only uid {engine}, as which supervisord runs, sees what an apply would do")
    )
    return None


def _in_force(home: Home, looker: int, engine: int, unseen: list[Unseen]) -> tuple[bool, int]:
    """Return whether the rendering in force was edited by hand, and how many instances it has."""
    if looker == 0 and engine != 0:
        return False, 0  # root reads no other user's rendering; that it sees no drift is told
    try:
        return generation.drifted(home.supervisord_conf), len(generation.table_in_force(home).entries)
    except PermissionError as cause:
        unseen.append(Unseen(Area.DRIFT, home.supervisord_conf, cause.strerror or ""))
    except OSError:
        pass
    return False, 0


def _current(home: Home) -> str | None:
    try:
        return generation.current(home)
    except TargetError:
        return None


def _code(installed: Installed) -> tuple[str, ...]:
    return () if installed.code is None else (installed.code.directory,)


def _unseen(looked: Looked) -> Iterator[Unseen]:
    yield from looked.unseen.values()


def _owner(path: str, otherwise: int) -> int:
    try:
        return os.lstat(path).st_uid
    except OSError:
        return otherwise


def _pid_in(path: str) -> int | None:
    try:
        with opened(path) as file:
            return int(file.read(PID_BYTES))
    except (OSError, ValueError):
        return None
