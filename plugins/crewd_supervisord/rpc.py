"""The XML-RPC namespace ``crewd``, version 1: described in docs/reference/engine-rpc.md.

Answers are JSON in one string: XML-RPC has no null, and a struct for each of a thousand instances costs a hundred times
as much. No method takes anything that is run. What fails in a method is a fault of the engine's, and answered FAILED.
"""

from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from supervisor.xmlrpc import Faults, RPCError

from crewd.model.table import TableError
from crewd_supervisord import changes, commands, views
from crewd_supervisord.boot import load_table
from crewd_supervisord.instance import Instance
from crewd_supervisord.runner import Runner
from crewd_supervisord.views import encode

if TYPE_CHECKING:
    from collections.abc import Callable


P = ParamSpec("P")
T = TypeVar("T")


def _answer(method: "Callable[Concatenate[EngineRPC, P], T]") -> "Callable[Concatenate[EngineRPC, P], T]":
    """Count, journal and answer what the method raises; a TypeError for wrong arguments is supervisor's to answer."""
    expected = signature(method)

    @wraps(method)
    def answer(self: "EngineRPC", *args: P.args, **kwargs: P.kwargs) -> T:
        expected.bind(self, *args, **kwargs)
        try:
            return method(self, *args, **kwargs)
        except RPCError:
            raise
        except Exception as cause:
            engine = self._run.engine  # pyright: ignore[reportPrivateUsage] - its own class's methods
            engine.faults.caught(engine, f"rpc {method.__name__}")
            raise RPCError(Faults.FAILED, f"cannot {method.__name__}: {cause!r}") from None

    return answer


class EngineRPC:
    """The public methods are the namespace."""

    def __init__(self, run: Runner) -> None:
        self._run = run

    @_answer
    def version(self) -> str:
        """Return the engine's version, mode, generation, journal and count of faults

        @return string result A JSON object
        """
        return encode(views.version(self._run))

    @_answer
    def status(self, names: Any = None) -> str:
        """Return the state of all instances, or of the named ones

        @param array names Names of instances or workers, or nothing for all
        @return string result A JSON object
        """
        return views.status(self._run, self._select(names))

    @_answer
    def why(self, name: str) -> str:
        """Return an instance's last exits, the verdicts on them, and its restart policy

        @param string name The name of the instance
        @return string result A JSON object
        """
        found = self._select([name])
        if len(found) != 1:
            raise RPCError(Faults.BAD_NAME, f"{name}: name one instance, such as {found[0].name}")
        return encode(views.why(found[0]))

    @_answer
    def apply(self, name: str) -> str:
        """Take over the policy table in force, whose name must be as given

        @param string name The name of the table
        @return string result A JSON object
        """
        try:
            table = load_table(self._run.engine.directory)
        except (OSError, TableError) as cause:
            raise RPCError(Faults.FAILED, f"cannot apply: {cause}") from None
        if table.name != name:
            raise RPCError(Faults.FAILED, f"cannot apply {name}: the table in force is {table.name}")
        try:
            done = changes.apply(self._run.engine, table)
        except ValueError as cause:
            raise RPCError(Faults.FAILED, f"cannot apply {name}: {cause}") from None
        plan = done.plan
        return encode(
            {
                "table": done.table,
                "added": plan.added,
                "changed": plan.changed,
                "restarted": plan.restarted,
                "removed": plan.removed,
                "listeners": done.listeners,
            }
        )

    @_answer
    def acknowledge(self, generation: str, sequence: int) -> bool:
        """Let the journal go up to a sequence number of a generation

        @param string generation The generation
        @param int sequence The last sequence number that is known elsewhere
        @return boolean result Always true
        """
        if not isinstance(generation, str) or not isinstance(sequence, int):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise RPCError(Faults.INCORRECT_PARAMETERS)
        self._run.engine.journal.acknowledge(generation, sequence)
        return True

    @_answer
    def start(self, names: Any, who: str = "") -> str:
        """Start instances; a manual start is never refused and begins a new history

        @param array names Names of instances or workers
        @param string who On whose behalf
        @return string result A JSON object: what was done, by instance
        """
        return encode(commands.start(self._run.engine, self._select(names), self._who(who), "crewd"))

    @_answer
    def stop(self, names: Any, who: str = "", force: bool = False) -> str:
        """Stop instances; they stay stopped

        @param array names Names of instances or workers
        @param string who On whose behalf
        @param boolean force By SIGKILL at once
        @return string result A JSON object: what was done, by instance
        """
        instances, forced = self._select(names), _flag(force)
        return encode(commands.stop(self._run.engine, instances, self._who(who), "crewd", force=forced))

    @_answer
    def restart(self, names: Any, who: str = "", force: bool = False) -> str:
        """Stop and start instances

        @param array names Names of instances or workers
        @param string who On whose behalf
        @param boolean force Stop by SIGKILL at once
        @return string result A JSON object: what was done, by instance
        """
        instances, forced = self._select(names), _flag(force)
        return encode(commands.restart(self._run.engine, instances, self._who(who), "crewd", force=forced))

    @_answer
    def reset_failed(self, names: Any, who: str = "") -> str:
        """Forget the starts of instances, so that one that was given up may run again

        @param array names Names of instances or workers
        @param string who On whose behalf
        @return string result A JSON object: what was done, by instance
        """
        return encode(commands.reset_failed(self._run.engine, self._select(names), self._who(who), "crewd"))

    def _who(self, claimed: str) -> str:
        caller = self._run.caller.who()
        return f"{caller} for {str(claimed)[:100]}" if claimed else caller

    def _select(self, names: Any) -> list[Instance]:
        instances = self._run.engine.instances
        if names is None:
            return list(instances.values())
        if not isinstance(names, list | tuple):
            raise RPCError(Faults.INCORRECT_PARAMETERS, "names must be an array")
        found: dict[str, Instance] = {}
        for name in names:  # pyright: ignore[reportUnknownVariableType]
            matching = self._named(str(name))  # pyright: ignore[reportUnknownArgumentType]
            if not matching:
                raise RPCError(Faults.BAD_NAME, str(name))  # pyright: ignore[reportUnknownArgumentType]
            found.update((instance.name, instance) for instance in matching)
        return list(found.values())

    def _named(self, name: str) -> list[Instance]:
        instances = self._run.engine.instances
        if name in instances:
            return [instances[name]]
        return [instance for instance in instances.values() if instance.entry.worker_id == name]


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise RPCError(Faults.INCORRECT_PARAMETERS, "force must be a boolean")
    return value
