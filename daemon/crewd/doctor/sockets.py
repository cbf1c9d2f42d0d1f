"""The two sockets: who is behind them, and who may open them. Pure."""

import os
from collections.abc import Iterator

from crewd.doctor.facts import Facts, Members, Reply
from crewd.doctor.finding import Area, Finding, problem, warning
from crewd.model.home import SOCKET_PATH_MOST

_AREA = Area.SOCKETS
_ROOT = 0
OTHERS = 0o007
GROUP_WRITES = 0o020
DAEMON_MODES = (0o660, 0o666)


def check_sockets(facts: Facts) -> Iterator[Finding]:
    """Look at both."""
    yield from _daemon(facts)
    yield from _not_ready(facts)
    yield from _supervisord(facts)
    for socket in (facts.daemon_socket, facts.engine_socket):
        over = len(os.fsencode(socket.path)) - SOCKET_PATH_MOST
        if over > 0:
            what = f"the path of the socket is {over} bytes longer than the {SOCKET_PATH_MOST} that there may be"
            yield problem(_AREA, "path", what, path=socket.path, remedy="set CREWD_HOME to a shorter path")
    yield from _modes(facts)


def starting(facts: Facts, unit: str, command: str) -> str:
    """Return how a part of crewd is started here."""
    by_unit = any(one.name == unit and one.loaded for one in facts.units or ())
    return f"systemctl start {unit.removesuffix('.service')}" if by_unit else command


def _daemon(facts: Facts) -> Iterator[Finding]:
    socket = facts.daemon_socket
    start = starting(facts, "crewd.service", "crewd run")
    if socket.reply in (Reply.MISSING, Reply.REFUSED):
        left = ", and left this socket behind" if socket.reply is Reply.REFUSED else ""
        if facts.locked_by:
            what = f"crewd does not listen, though process {facts.locked_by} holds {facts.home.lock}"
            yield problem(
                _AREA,
                "daemon-down",
                what,
                path=socket.path,
                remedy=f"look at its log; kill {facts.locked_by}, then {start}",
            )
        else:
            what = f"crewd is not running{left}; workers are restarted all the same, as long as supervisord runs"
            yield problem(_AREA, "daemon-down", what, path=socket.path, remedy=start)
    elif socket.reply is Reply.SILENT:
        what = f"crewd{_pid(facts.daemon_socket.listener)} listens and does not answer: {socket.words}"
        yield problem(
            _AREA,
            "daemon-silent",
            what,
            path=socket.path,
            remedy="look at its log, then restart it: no worker is touched",
        )
    elif socket.reply is Reply.FOREIGN:
        what = f"what listens{_pid(facts.daemon_socket.listener)} is not crewd: {socket.words}"
        yield problem(_AREA, "daemon-foreign", what, path=socket.path, remedy=f"end it, then {start}")


def _not_ready(facts: Facts) -> Iterator[Finding]:
    """What ``/readyz`` says of the daemon itself; a file that it may not read is told by its place."""
    daemon: Members = {} if facts.crew is None else facts.crew.get("daemon") or {}
    for reason in daemon.get("not_ready") or ():
        if not any(path in reason for path in facts.files.unreadable):
            remedy = "mend what it says: it is tried again by itself"
            yield problem(_AREA, "not-ready", f"crewd is not ready: {reason}", path=facts.home.socket, remedy=remedy)


def _supervisord(facts: Facts) -> Iterator[Finding]:
    socket = facts.engine_socket
    start = starting(facts, "crewd-supervisord.service", "crewd run, which starts one unless it is told not to")
    if socket.reply in (Reply.MISSING, Reply.REFUSED):
        left = ", and left this socket behind" if socket.reply is Reply.REFUSED else ""
        what = f"supervisord is not running{left}: no worker is started or restarted"
        yield problem(_AREA, "supervisord-down", what, path=socket.path, remedy=start)
    elif socket.reply is Reply.SILENT:
        what = f"supervisord{_pid(socket.listener)} listens and does not answer: {socket.words}"
        yield problem(
            _AREA, "supervisord-silent", what, path=socket.path, remedy=f"look at {facts.home.supervisord_log}"
        )
    elif socket.reply is Reply.FOREIGN:
        what = f"what listens{_pid(socket.listener)} has no engine of crewd's in it: {socket.words}"
        yield problem(
            _AREA,
            "no-engine",
            what,
            path=socket.path,
            remedy=f"look at {facts.home.supervisord_log}; end it, then {start}",
        )


def _modes(facts: Facts) -> Iterator[Finding]:
    engine, daemon = (facts.files.entries.get(one.path) for one in (facts.engine_socket, facts.daemon_socket))
    if engine is not None and facts.engine_socket.reply is not Reply.MISSING:
        if engine.mode & OTHERS:
            what = f"everybody may open it (mode {engine.mode:04o}), and so start and stop workers"
            yield problem(_AREA, "socket-mode", what, path=engine.path, remedy=f"chmod 0660 {engine.path}")
        group = engine.gid in facts.daemon_gids and engine.mode & GROUP_WRITES
        if facts.daemon_uid not in (_ROOT, engine.uid) and not group and not engine.mode & OTHERS:
            whose = f"uid {engine.uid}, gid {engine.gid}, mode {engine.mode:04o}"
            what = f"crewd, which is uid {facts.daemon_uid}, may not open it ({whose})"
            group_of = min(facts.daemon_gids, default=facts.daemon_uid)
            remedy = f"chgrp {group_of} {engine.path}; chmod 0660 {engine.path}"
            yield problem(_AREA, "socket-mode", what, path=engine.path, remedy=remedy)
    if daemon is not None and facts.daemon_socket.reply is Reply.ANSWERS and daemon.mode not in DAEMON_MODES:
        what = f"its mode is {daemon.mode:04o}, which crewd did not give it"
        yield warning(_AREA, "socket-mode", what, path=daemon.path, remedy=f"chmod 0660 {daemon.path}")


def _pid(listener: object) -> str:
    pid = getattr(listener, "pid", 0)
    return f" (process {pid})" if pid else ""
