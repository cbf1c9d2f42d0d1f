"""Somebody else's plugin, loaded into the same supervisord: an RPC interface and a supervisorctl verb.

It does what plugins in the wild do: subscribes to events in the process, answers late (NOT_DONE_YET), and adds a
process to a running group behind everybody's back, as supervisor_twiddler does.
"""

import gc
import os
import sys
import time
from typing import Any

from supervisor import events
from supervisor.http import NOT_DONE_YET
from supervisor.options import UnhosedConfigParser
from supervisor.supervisorctl import ControllerPluginBase


class Beside:
    """The RPC names ``beside.*``."""

    def __init__(self, supervisord: Any) -> None:
        self.supervisord = supervisord
        self.seen: list[str] = []
        events.subscribe(events.ProcessStateEvent, self._notice)

    def _notice(self, event: Any) -> None:
        self.seen.append(f"{event.process.config.name} {events.getEventNameByType(event.__class__)}")

    def ping(self) -> str:
        """Answer at once."""
        return "pong"

    def collects(self) -> bool:
        """Whether this process collects its garbage."""
        return gc.isenabled()

    def late(self, milliseconds: int) -> Any:
        """Answer after a while, without blocking."""
        due = time.monotonic() + milliseconds / 1000

        def answer() -> Any:
            return "late" if time.monotonic() >= due else NOT_DONE_YET

        answer.delay = 0.05  # type: ignore[attr-defined]
        return answer

    def states(self, name: str) -> list[str]:
        """Return the state events of a process, in order."""
        return [word.split()[1] for word in self.seen if word.split()[0] == name]

    def twiddle(self, group_name: str, name: str, command: str) -> bool:
        """Add a process to a group that runs."""
        options = self.supervisord.options
        parser = UnhosedConfigParser()
        parser.expansions = options.environ_expansions
        section = f"program:{name}"
        parser.add_section(section)
        for key, value in {"command": command, "startsecs": "0", "autorestart": "true"}.items():
            parser.set(section, key, value)
        group = self.supervisord.process_groups[group_name]
        for config in options.processes_from_section(parser, section, group_name):
            group.config.process_configs.append(config)
            config.create_autochildlogs()
            group.processes[config.name] = config.make_process(group)
        return True


class Verbs(ControllerPluginBase):
    """The verb ``beside``."""

    name = "beside"

    def __init__(self, controller: Any, **_: Any) -> None:
        self.ctl = controller

    def do_beside(self, arg: str) -> None:
        """Print what the other side says."""
        self.ctl.output(f"beside says {self.ctl.get_server_proxy('beside').ping()} {arg}".strip())

    def help_beside(self) -> None:
        """Print the help."""
        self.ctl.output("beside\tPrint what the other side says")


def make_rpc(supervisord: Any, imports: str = "", **_: Any) -> Beside:
    """Be the ``supervisor.rpcinterface_factory``; ``imports`` is the file that a ``Witness`` writes."""
    if imports:
        sys.meta_path.insert(0, Witness(imports))  # type: ignore[arg-type]
    return Beside(supervisord)


class Witness:
    """Stands first among those who are asked for a module that is not loaded: notes its name, and finds nothing."""

    def __init__(self, path: str) -> None:
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def find_spec(self, name: str, *_: Any) -> None:
        """Note it, in this process or in what it forks; what is built into the interpreter comes from no file."""
        if name not in sys.builtin_module_names:
            os.write(self.file, f"{name}\n".encode())


def make_verbs(controller: Any, **options: Any) -> Verbs:
    """Be the ``supervisor.ctl_factory``."""
    return Verbs(controller, **options)
