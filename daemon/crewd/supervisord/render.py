"""From what is wanted to what supervisord reads: the configuration, and the policy table beside it.

Rules:

1. A function of its arguments: what the machine has to say comes in as ``Surroundings``.
2. The template inserts nothing but Escaped text: a value that has passed no filter of ``escape`` is an error.
3. One ``[program:]`` per instance, so that adding or changing one touches no other. No ``[include]``, no ``[group:]``,
   no ``[supervisord] environment``.
4. Everything that is wrong with all workers is reported at once, by worker and key, never with the value.
"""

import re
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from crewd.errors import ConfigError, Problem
from crewd.model.generated import with_header
from crewd.model.home import Home
from crewd.model.spec import CrewSpec, Stdin, WorkerSpec
from crewd.model.table import TABLE_VERSION, Entry, Table
from crewd.supervisord import escape
from crewd.supervisord.escape import RESERVED_NAMES, Escaped, RefusedError
from crewd.supervisord.program import NO_LOG, Program, fingerprint, program, settings
from crewd.supervisord.surroundings import Surroundings

TEMPLATE = "supervisord.conf.j2"
NAME_LENGTH = 16

_FILTERS: tuple[Callable[..., Escaped], ...] = (
    escape.name,
    escape.plain,
    escape.log_file,
    escape.command,
    escape.environment,
    escape.option,
    escape.passed_through,
    escape.number,
    escape.codes,
    escape.flag,
    escape.octal,
)


@dataclass(frozen=True, slots=True)
class Rendering:
    """A configuration with its policy table, and what they are meant to say."""

    name: str
    """Of the generation folder: a hash of both."""
    conf_text: str
    table: Table
    programs: tuple[Program, ...]
    listeners: Mapping[str, Mapping[str, str]]
    """The options of each event listener, crewd's defaults included."""
    root: bool
    """Whether supervisord runs as root."""


def render(spec: CrewSpec, home: Home, surroundings: Surroundings, source: str = "") -> Rendering:
    """Return the rendering of the crew; raises ConfigError. ``source`` is the configuration's path, for messages."""
    mistakes = _Mistakes(source)
    programs: list[Program] = []
    entries: dict[str, Entry] = {}
    for worker in spec.workers.values():
        with mistakes.at(f"workers.{worker.worker_id}"):
            check_name(worker.worker_id)
            for slot in range(worker.instances):
                meant = program(worker, slot, home, surroundings)
                programs.append(meant)
                entries[meant.instance] = entry_of(worker, slot, meant)
    listeners = {name: _listener(name, given, home) for name, given in spec.engine.eventlisteners.items()}
    sections: dict[str, str] = {}
    for name, options in listeners.items():
        with mistakes.at(f"supervisord.eventlisteners.{name}"):
            if name in entries:
                raise RefusedError("name", "is the name of a worker's instance")
            sections[name] = _section("listener", name, options)
    head = ""
    with mistakes.at("crewd"):
        head = _section("head", home, len(entries) + len(listeners), surroundings.root) + "\n" + control_text(home)
    mistakes.report()
    body = "\n".join((head, *sections.values(), *(entry.section for entry in entries.values())))
    table = _table(spec, home, entries, sections, body)
    return Rendering(table.name, with_header(body), table, tuple(programs), listeners, surroundings.root)


def control_text(home: Home) -> str:
    """Return the sections that supervisorctl reads: where the socket is, and no secret."""
    return _section("control", home)


def fixed_sections(conf_text: str) -> list[str]:
    """Return the sections that the engine does not take over while supervisord runs.

    ``minfds`` is left out: the engine raises the limit itself.
    """
    sections = re.split(r"^(?=\[)", conf_text, flags=re.MULTILINE)[1:]
    kept = [section.strip() for section in sections if not section.startswith(("[program:", "[eventlistener:"))]
    return sorted(re.sub(r"^minfds=.*\n", "", section, flags=re.MULTILINE) for section in kept)


class _Mistakes:
    """What is refused, all of it."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._found: list[Problem] = []

    @contextmanager
    def at(self, path: str) -> Generator[None]:
        try:
            yield
        except RefusedError as refused:
            self._found.append(Problem(self._source, 0, 0, f"{path}.{refused.key}", refused.why))

    def report(self) -> None:
        if self._found:
            raise ConfigError(self._found)


def check_name(worker_id: str) -> None:
    """Return if this may be a worker's id; raises RefusedError."""
    escape.name(worker_id)
    if worker_id in RESERVED_NAMES:
        raise RefusedError("name", "is reserved")


def entry_of(worker: WorkerSpec, slot: int, meant: Program) -> Entry:
    """Return what the policy table holds of an instance, its section included; raises RefusedError."""
    return Entry(
        instance=meant.instance,
        worker_id=worker.worker_id,
        slot=slot,
        section=_section("program", meant),
        fingerprint=fingerprint(meant, worker),
        settings=settings(meant, worker),
        policy=worker.policy,
        timeout_stop_sec=worker.timeout_stop_sec,
        kill_mode=worker.kill_mode,
        environment=meant.table_environment,
        stdin_null=worker.stdin is Stdin.NULL,
        setpriv=meant.setpriv,
    )


def _listener(name: str, given: Mapping[str, str], home: Home) -> dict[str, str]:
    """Return a listener's options, with logs that are not a new temporary file at every start."""
    return {"stdout_logfile": NO_LOG, "stderr_logfile": f"{home.worker_logs}/{name}.err.log", **given}


def _table(spec: CrewSpec, home: Home, entries: Mapping[str, Entry], listeners: Mapping[str, str], body: str) -> Table:
    parts = [body, str(TABLE_VERSION), spec.engine.loop, spec.engine.journal_sync, home.log]
    parts += [f"{entry.instance} {entry.settings}" for entry in entries.values()]
    name = sha256("\0".join(parts).encode()).hexdigest()[:NAME_LENGTH]
    return Table(name, entries, spec.engine.loop, spec.engine.journal_sync, home.log, listeners)


def _section(macro: str, *arguments: Any) -> str:
    return str(getattr(_template(), macro)(*arguments))


@cache
def _template() -> Any:
    environment = Environment(  # noqa: S701 - this is no HTML; ``finalize`` lets nothing through unescaped
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_only_escaped,
    )
    filters: dict[str, Any] = environment.filters
    filters.update({function.__name__: function for function in _FILTERS})
    return environment.from_string(_template_text()).module


def _only_escaped(value: object) -> object:
    if not isinstance(value, Escaped):
        raise TypeError("the template inserts a value that no filter has escaped")
    return value


def _template_text() -> str:
    """Return the template: from the package, or, in an editable install, from beside pyproject.toml."""
    packaged = resources.files("crewd.supervisord") / TEMPLATE
    if packaged.is_file():
        return packaged.read_text("utf-8")
    return (Path(__file__).parents[3] / TEMPLATE).read_text("utf-8")
