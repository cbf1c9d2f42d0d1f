"""Whether supervisor understands a rendering as it was meant, by supervisor's own parser, before it is put in force.

Rules:

1. The text that will lie on the disk is parsed, as a whole, by ``ServerOptions`` of the supervisor installed here.
2. Compared are all settings of all programs, and that there is nothing else: no program, group, listener, server,
   plugin or section that was not meant.
3. No difference is explained away. A message names instance and setting, never a value.
"""

import gc
import io
import os
import shlex
import signal
import socket
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from supervisor import options as supervisor_options

from crewd.errors import ConfigError, CrewdError, Problem
from crewd.model.home import Home
from crewd.model.spec import LogFile
from crewd.supervisord.program import NO_LOG, Program
from crewd.supervisord.render import Rendering

START_RETRIES = 2_000_000_000
SHOWN_MOST = 5

_SECTIONS = (
    "supervisord",
    "unix_http_server",
    "rpcinterface:supervisor",
    "rpcinterface:crewd",
    "supervisorctl",
    "ctlplugin:crewd",
)
_FACTORIES = {
    "supervisor": "supervisor.rpcinterface:make_main_rpcinterface",
    "crewd": "crewd_supervisord.plugin:make_engine",
}


class NotAsMeantError(CrewdError):
    """supervisor would read something else than what was rendered. Nobody but a developer can help."""

    def __init__(self, differences: list[str]) -> None:
        self.differences = tuple(differences)
        more = f" and {len(differences) - SHOWN_MOST} more" if len(differences) > SHOWN_MOST else ""
        shown = ", ".join(differences[:SHOWN_MOST])
        super().__init__(f"cannot use the rendered configuration: supervisor reads differently: {shown}{more}")


def verify(rendering: Rendering, home: Home, source: str = "") -> None:
    """Return if supervisor reads exactly what is meant.

    Raises NotAsMeantError; ConfigError where supervisor refuses what the operator passed through to it.
    """
    reader = _Reader()
    with _uncollected(), _forgiving():
        try:
            read = reader.read_config(io.StringIO(rendering.conf_text))
        except ValueError as refused:
            message = f"supervisor refuses it: {_without_secrets(str(refused), rendering)}"
            raise ConfigError([Problem(source, 0, 0, "supervisord", message)]) from None
        differences = [
            *_sections(rendering, reader.parser),
            *_server(rendering, read, home),
            *_groups(rendering, read.process_group_configs),
            *_listeners(rendering, reader.parser),
        ]
    if differences:
        raise NotAsMeantError(differences)


class _Reader(supervisor_options.ServerOptions):
    """supervisor's reader of its file, which keeps the parser for us. Expands nothing from our environment."""

    def __init__(self) -> None:
        stock: Any = super()
        stock.__init__()
        self.environ_expansions: dict[str, str] = {}
        self.parser: Any = None

    def process_groups_from_parser(self, parser: Any) -> Any:
        self.parser = parser
        stock: Any = super()
        return stock.process_groups_from_parser(parser)

    def import_spec(self, spec: str) -> Any:
        """Return crewd's own factories by their names: the engine belongs into supervisord alone."""
        stock: Any = super()
        return spec if spec in _FACTORIES.values() else stock.import_spec(spec)


@contextmanager
def _forgiving() -> Generator[None]:
    """As in the supervisord that crewd starts: the directory of a log file may come later."""
    module: Any = supervisor_options
    stock = module.logfile_name

    def logfile_name(value: Any) -> Any:
        try:
            return stock(value)
        except ValueError:
            return value

    module.logfile_name = logfile_name
    try:
        yield
    finally:
        module.logfile_name = stock


@contextmanager
def _uncollected() -> Generator[None]:
    """Parsing makes a hundred thousand objects and no garbage: looking for it takes a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _without_secrets(message: str, rendering: Rendering) -> str:
    for options in rendering.listeners.values():
        if secret := options.get("environment"):
            message = message.replace(secret.replace("%", "%%"), "***").replace(secret, "***")
    return message


def _sections(rendering: Rendering, parser: Any) -> Iterator[str]:
    meant = [*_SECTIONS, *(f"program:{program.instance}" for program in rendering.programs)]
    meant += [f"eventlistener:{name}" for name in rendering.listeners]
    headers = sum(line.startswith("[") for line in rendering.conf_text.split("\n"))
    if sorted(parser.sections()) != sorted(meant) or headers != len(meant) or parser.defaults():
        yield "the sections"
    table = rendering.table
    if set(table.entries) != {program.instance for program in rendering.programs}:
        yield "the policy table"
    if table.listeners.keys() != rendering.listeners.keys():
        yield "the policy table's listeners"


def _server(rendering: Rendering, read: Any, home: Home) -> Iterator[str]:
    meant: dict[str, Any] = {
        "logfile": home.supervisord_log,
        "pidfile": home.supervisord_pid,
        "childlogdir": home.worker_logs,
        "identifier": "crewd",
        "nodaemon": True,
        "silent": True,
        "umask": 0o022,
        "directory": None,
        "user": "root" if rendering.root else None,
        "environment": {},
        "rpcinterface_factories": [
            ("supervisor", _FACTORIES["supervisor"], {}),
            ("crewd", _FACTORIES["crewd"], {"directory": home.engine}),
        ],
    }
    yield from (f"supervisord's {key}" for key, value in meant.items() if getattr(read, key) != value)
    keys = ("family", "file", "chmod", "chown", "username", "password")
    socket_file = os.path.normpath(home.engine_socket)
    servers = [tuple(config.get(key) for key in keys) for config in read.server_configs]
    if servers != [(socket.AF_UNIX, socket_file, 0o660, (-1, -1), None, None)]:
        yield "the servers"


def _groups(rendering: Rendering, groups: list[Any]) -> Iterator[str]:
    found = {group.name: group for group in groups}
    meant = {program.instance: program for program in rendering.programs}
    if len(found) != len(groups) or found.keys() != meant.keys() | rendering.listeners.keys():
        yield "the groups"
        return
    for name, program in meant.items():
        group = found[name]
        if type(group) is not supervisor_options.ProcessGroupConfig or len(group.process_configs) != 1:
            yield f"the group of {name}"
        else:
            yield from (f"{key} of {name}" for key in _unlike(program, group.priority, group.process_configs[0]))
    for name in rendering.listeners:
        if type(found[name]) is not supervisor_options.EventListenerPoolConfig:
            yield f"the group of {name}"


def _unlike(program: Program, group_priority: int, config: Any) -> Iterator[str]:
    """Yield the settings that supervisor reads differently; all that a ProcessConfig has are compared."""
    if type(config) is not supervisor_options.ProcessConfig or group_priority != program.priority:
        yield "kind"
    if tuple(shlex.split(config.command)) != program.argv:
        yield "command"
    meant = _meant(program)
    for key in (*config.req_param_names, *config.optional_param_names):
        if key != "command" and (key not in meant or getattr(config, key) != meant[key]):
            yield key


def _meant(program: Program) -> dict[str, Any]:
    return {
        "name": program.instance,
        "uid": None,
        "directory": program.directory,
        "umask": program.umask,
        "priority": program.priority,
        "autostart": program.autostart,
        "autorestart": False,
        "startsecs": program.startsecs,
        "startretries": START_RETRIES,
        "stopsignal": signal.Signals[f"SIG{program.stopsignal}"],
        "stopwaitsecs": program.stopwaitsecs,
        "stopasgroup": program.stopasgroup,
        "killasgroup": program.killasgroup,
        "exitcodes": list(program.exitcodes),
        "redirect_stderr": program.redirect_stderr,
        "environment": program.written_environment,
        "serverurl": None,
        **_meant_log("stdout", program.stdout),
        **_meant_log("stderr", program.stderr),
    }


def _meant_log(stream: str, log: LogFile) -> dict[str, Any]:
    return {
        f"{stream}_logfile": None if log.path == NO_LOG else log.path,
        f"{stream}_logfile_maxbytes": log.maxbytes,
        f"{stream}_logfile_backups": log.backups,
        f"{stream}_capture_maxbytes": 0,
        f"{stream}_events_enabled": False,
        f"{stream}_syslog": False,
    }


def _listeners(rendering: Rendering, parser: Any) -> Iterator[str]:
    for name, options in rendering.listeners.items():
        section = f"eventlistener:{name}"
        if not parser.has_section(section) or set(parser.options(section)) != set(options):
            yield f"the options of {name}"
            continue
        yield from (f"{key} of {name}" for key in options if _expanded(parser.get(section, key), key) != options[key])


def _expanded(raw: str, key: str) -> str:
    """Return what supervisor makes of the text, where no placeholder is in it."""
    nothing: Mapping[str, str] = {}
    if key == "process_name":
        return raw
    once = raw % nothing
    return once % nothing if key.endswith("_logfile") else once
