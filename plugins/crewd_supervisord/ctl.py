"""The verbs that crewd adds to supervisorctl: restarts, why, history, reset_failed.

Loaded by ``[ctlplugin:crewd] supervisor.ctl_factory = crewd_supervisord.ctl:make_verbs``, inside supervisorctl.

Rules:

1. Exit statuses are LSB's, as supervisorctl's own: 0 done, 2 used wrongly, 3 the engine is not there, 4 a name is
   unknown to a verb that shows, 1 to one that does.
2. A name is an instance, a worker (all of its instances), or supervisord's way to write either: ``web-0:*``.
3. A name that is wrong spoils nothing for the others.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from xmlrpc.client import Fault

from supervisor.supervisorctl import LSBInitExitStatuses, LSBStatusExitStatuses
from supervisor.xmlrpc import Faults

from crewd import wording

NO_ENGINE = (
    "ERROR: this supervisord runs without crewd's engine; see the section [rpcinterface:crewd] of its configuration"
)


class Controller(Protocol):
    """What is used of supervisorctl's Controller."""

    exitstatus: int

    def output(self, message: str) -> None:
        """Print one line."""
        ...

    def upcheck(self) -> bool:
        """Return whether supervisord answers; prints why not."""
        ...

    def get_server_proxy(self, namespace: str | None = None) -> Any:
        """Return the XML-RPC proxy."""
        ...

    def print_topics(self, header: str, cmds: list[str] | None, cmdlen: int, maxcol: int) -> None:
        """Print the words in columns."""
        ...


def make_verbs(controller: Controller, **_config: str) -> "Verbs":
    """Return the plugin; called by supervisorctl with the options of the section."""
    return Verbs(controller)


class Verbs:
    """Each ``do_x`` is a verb, each ``help_x`` explains it. supervisorctl sets ``name`` to that of the section."""

    name = "crewd"

    def __init__(self, controller: Controller) -> None:
        self._ctl = controller

    def do_restarts(self, arg: str) -> None:
        """Show how often instances were restarted."""
        self._guarded(self._restarts, arg.split())

    def do_why(self, arg: str) -> None:
        """Explain why instances are as they are."""
        self._guarded(self._why, arg.split(), self.help_why)

    def do_history(self, arg: str) -> None:
        """Show the last exits of instances."""
        self._guarded(self._history, arg.split(), self.help_history)

    def do_reset_failed(self, arg: str) -> None:
        """Forget the exits of instances."""
        self._guarded(self._reset_failed, arg.split(), self.help_reset_failed)

    def help_restarts(self) -> None:
        """Explain restarts."""
        self._say("restarts\t\t\tShow restarts, start budget, last exit and next try of all instances")
        self._say("restarts <name> <name>\t\tShow them for the named instances or workers")

    def help_why(self) -> None:
        """Explain why."""
        self._say("why <name>\t\t\tExplain how an instance is: its last exits, the verdict on each,")
        self._say("\t\t\t\tthe starts that its limit leaves, and the next try")

    def help_history(self) -> None:
        """Explain history."""
        self._say("history <name> <name>\t\tShow the last exits of the named instances or workers")
        self._say("history all\t\t\tShow the last exits of all instances")

    def help_reset_failed(self) -> None:
        """Explain reset_failed."""
        self._say("reset_failed <name> <name>\tForget the exits of the named instances or workers,")
        self._say("\t\t\t\tso that what was given up may be started again")
        self._say("reset_failed all\t\tForget the exits of all instances")

    def do_help(self, arg: str) -> None:
        """Explain one verb, or list them; about others' verbs say nothing, for supervisorctl asks every plugin."""
        if not arg:
            self._say("")
            self._ctl.print_topics(f"{self.name} commands (type help <topic>):", self._verbs(), 15, 80)
            return
        explain = getattr(self, f"help_{arg.strip()}", None)
        if explain is not None:
            explain()

    def _verbs(self) -> list[str]:
        return sorted(name.removeprefix("help_") for name in dir(self) if name.startswith("help_"))

    def _guarded(
        self, verb: Callable[[Any, list[str]], None], names: list[str], usage: Callable[[], None] | None = None
    ) -> None:
        """Carry out a verb, if it has the names it needs and the engine is there."""
        if usage is not None and not names:
            self._fail("ERROR: name an instance or a worker", LSBInitExitStatuses.INVALID_ARGS)
            usage()
            return
        if not self._ctl.upcheck():
            return
        try:
            verb(self._ctl.get_server_proxy("crewd"), names)
        except Fault as fault:
            if fault.faultCode == Faults.UNKNOWN_METHOD:
                self._fail(NO_ENGINE, LSBInitExitStatuses.UNIMPLEMENTED_FEATURE)
            else:
                self._fail(f"ERROR: {wording.plain(fault.faultString)}", LSBInitExitStatuses.GENERIC)

    def _restarts(self, engine: Any, names: list[str]) -> None:
        instances = self._select(engine, names or ["all"], LSBStatusExitStatuses.UNKNOWN)
        if instances:
            self._print(wording.restarts(instances))

    def _why(self, engine: Any, names: list[str]) -> None:
        for number, one in enumerate(self._select(engine, names, LSBStatusExitStatuses.UNKNOWN)):
            self._print([""] * bool(number) + wording.why(json.loads(engine.why(one["instance"]))))

    def _history(self, engine: Any, names: list[str]) -> None:
        instances = self._select(engine, names, LSBStatusExitStatuses.UNKNOWN)
        answers = [json.loads(engine.why(one["instance"])) for one in instances if one.get("last_exit")]
        if answers:
            self._print(wording.history(answers))
        elif instances:
            self._say("No exits since they were added.")

    def _reset_failed(self, engine: Any, names: list[str]) -> None:
        instances = [one["instance"] for one in self._select(engine, names, LSBInitExitStatuses.GENERIC)]
        if instances:
            done = json.loads(engine.reset_failed(instances))
            self._print([f"{wording.plain(name)}: {wording.plain(what)}" for name, what in done.items()])

    def _select(self, engine: Any, names: list[str], unknown: int) -> list[dict[str, Any]]:
        """Return the status of the named instances, in the engine's order; complain of names that are none."""
        every = json.loads(engine.status())["instances"]
        if "all" in names:
            return every
        wanted = {name: name.partition(":")[0] for name in names}
        known = {one[key] for one in every for key in ("instance", "worker_id")}
        for name, meant in wanted.items():
            if meant not in known:
                self._fail(f"{wording.plain(name)}: ERROR (no such instance or worker)", unknown)
        meant = set(wanted.values())
        return [one for one in every if one["instance"] in meant or one["worker_id"] in meant]

    def _print(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._say(line)

    def _say(self, line: str) -> None:
        self._ctl.output(line)

    def _fail(self, line: str, status: int) -> None:
        self._say(line)
        self._ctl.exitstatus = status
