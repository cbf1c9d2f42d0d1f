"""supervisord's event listeners, passed through: the options that supervisor documents for [eventlistener:x]."""

from collections.abc import Mapping
from dataclasses import dataclass

from crewd.config import listener_options
from crewd.config.accounts import USERS
from crewd.config.kind import Kind, Refused, Schema, Spot
from crewd.config.kinds import Text, uncut
from crewd.config.tree import MappingNode, ScalarNode, shown
from crewd.config.worker_kinds import ID_MOST, ID_PATTERN, ID_RESERVED, Account, Pairs, wrong_id

REQUIRED = ("command", "events")
# redirect_stderr and the capture options are documented as not allowed: they break the listener protocol
OPTIONS = (
    *("command", "process_name", "numprocs", "numprocs_start", "events", "buffer_size", "result_handler"),
    *("directory", "umask", "user", "environment", "serverurl", "priority"),
    *("autostart", "autorestart", "startsecs", "startretries", "exitcodes"),
    *("stopsignal", "stopwaitsecs", "stopasgroup", "killasgroup"),
    *("stdout_logfile", "stdout_logfile_maxbytes", "stdout_logfile_backups", "stdout_syslog", "stdout_events_enabled"),
    *("stderr_logfile", "stderr_logfile_maxbytes", "stderr_logfile_backups", "stderr_syslog", "stderr_events_enabled"),
)

Options = Mapping[str, str]

# an unknown user would keep supervisord from starting at all
_USER = Account(USERS)


@dataclass(frozen=True)
class _Option(Kind[str]):
    """Any single value, as the text that it is written as."""

    @property
    def words(self) -> str:
        """Say that it is single."""
        return "text, a number, true or false"

    def read(self, spot: Spot) -> str:
        """Read numbers and flags as text."""
        node = spot.node
        if isinstance(node, ScalarNode) and node.plain and node.text in {"true", "false"}:
            return node.text
        return uncut(Text(self.words, "^.+$", numbers=True).read(spot), spot)

    def schema(self) -> Schema:
        """Return the three types."""
        return {"type": ["string", "number", "boolean"]}


_OPTION = _Option()


@dataclass(frozen=True)
class Listeners(Kind[Mapping[str, Options]]):
    """Listeners by name."""

    @property
    def words(self) -> str:
        """Give the form."""
        return "a mapping of names to options"

    def read(self, spot: Spot) -> Mapping[str, Options]:
        """Read all listeners; what is wrong with each is reported."""
        if not isinstance(spot.node, MappingNode):
            raise spot.expects(self.words)
        listeners: dict[str, Options] = {}
        for key, node in spot.node.entries:
            below = spot.below(key.text, node)
            if wrong := wrong_id(key.text, "listener's name"):
                spot.report.error(key.place, below.path, wrong)
            try:
                listeners[key.text] = _read_options(below)
            except Refused:
                pass
        if len(listeners) < len(spot.node.entries):
            raise Refused
        return listeners

    def schema(self) -> Schema:
        """Return an object of objects."""
        options: Schema = {
            "type": "object",
            "properties": {option: _Option().schema() for option in OPTIONS},
            "required": list(REQUIRED),
            "additionalProperties": False,
        }
        names = {"pattern": ID_PATTERN, "maxLength": ID_MOST, "not": {"enum": list(ID_RESERVED)}}
        return {"type": "object", "propertyNames": names, "additionalProperties": options}

    def written(self, value: Mapping[str, Options]) -> str:
        """Return it in one line."""
        pairs = (f"{name}: {Pairs('options', '').written(options)}" for name, options in value.items())
        return "{" + ", ".join(pairs) + "}"


def _read_options(spot: Spot) -> Options:
    if not isinstance(spot.node, MappingNode):
        raise spot.expects("a mapping of options")
    options: dict[str, str] = {}
    wrong = False
    for key, node in spot.node.entries:
        below = spot.below(key.text, node)
        if key.text not in OPTIONS:
            hint = below.hint(key.text, OPTIONS, "see [eventlistener:x] in supervisor's manual")
            spot.report.error(key.place, below.path, f"is no option that an event listener may have: {hint}")
            wrong = True
            continue
        try:
            text = (_USER if key.text == "user" else _OPTION).read(below)
            if fault := listener_options.wrong(key.text, text):
                raise below.refuse(f"{fault}, found {shown(text)}")
            options[key.text] = text
        except Refused:
            wrong = True
    present = {key.text for key, _ in spot.node.entries}
    for option in REQUIRED:
        if option not in present:
            spot.refuse(f"{option} is missing: an event listener needs it")
            wrong = True
    if wrong:
        raise Refused
    return options
