"""``reset:`` of a worker. Every entry of ``actions`` is a plugin's: it is read by that plugin's options, and built."""

from dataclasses import dataclass

from crewd.config.key import Key, Section
from crewd.config.kind import Kind, Refused, Schema, Spot, read_items
from crewd.config.kinds import Flag, Text
from crewd.config.plugin_options import read_options
from crewd.config.reading import read_section
from crewd.config.tree import MappingNode
from crewd.errors import PluginError
from crewd.model.spec import ResetAction, ResetSpec
from crewd.plugin import RESETS, OptionError, plugins, reset_type

ACTIONS_MOST = 100
_TYPE = "type"
_TYPE_HELP = "Which plugin clears: command, http, redis, sql, or that of another package."


@dataclass(frozen=True)
class Action(Kind[ResetAction]):
    """One entry."""

    @property
    def words(self) -> str:
        """Give the form."""
        return "a mapping with a type, such as {type: redis, url: …}"

    def read(self, spot: Spot) -> ResetAction:
        """Read it, and build the plugin, which touches nothing."""
        if not isinstance(spot.node, MappingNode):
            raise spot.expects(self.words)
        types = [(key, node) for key, node in spot.node.entries if key.text == _TYPE]
        if not types:
            raise spot.refuse(f"type is missing: write one of {', '.join(plugins(RESETS))}")
        at = spot.below(_TYPE, types[0][1])
        word = Text("the name of a plugin", r"^[A-Za-z0-9_.-]+$", 100).read(at)
        rest = tuple(entry for entry in spot.node.entries if entry[0].text != _TYPE)
        try:
            plugin = reset_type(word)
            own = Spot(MappingNode(spot.node.place, rest), spot.path, spot.report)
            options = read_options(word, plugin.options_type, own)
            _built(word, plugin, options, spot)
        except PluginError as unusable:
            raise at.refuse(str(unusable)) from None
        return ResetAction(word, options)

    def schema(self) -> Schema:
        """Return an object of which the type alone is known."""
        properties = {_TYPE: {"description": _TYPE_HELP, "type": "string"}}
        return {"type": "object", "properties": properties, "required": [_TYPE]}


def _built(word: str, plugin: type, options: object, spot: Spot) -> None:
    try:
        plugin(options).acts()
    except OptionError as wrong:
        node = spot.node
        entries = node.entries if isinstance(node, MappingNode) else ()
        place = next((spot.below(key.text, value) for key, value in entries if key.text == wrong.name), spot)
        raise place.refuse(str(wrong)) from None
    except Exception as error:  # noqa: BLE001 - a plugin's constructor may raise anything
        raise PluginError(f"cannot use reset type {word!r}: it cannot be built: {type(error).__name__}") from None


@dataclass(frozen=True)
class Actions(Kind[tuple[ResetAction, ...]]):
    """The entries, in order."""

    @property
    def words(self) -> str:
        """Give an example."""
        return "a list of mappings, each with a type"

    def read(self, spot: Spot) -> tuple[ResetAction, ...]:
        """Read all of them."""
        actions = read_items(Action(), spot, self.words)
        if len(actions) > ACTIONS_MOST:
            raise spot.refuse(f"has more than {ACTIONS_MOST} entries")
        return actions

    def schema(self) -> Schema:
        """Return an array."""
        return {"type": "array", "items": Action().schema(), "maxItems": ACTIONS_MOST}

    def written(self, value: tuple[ResetAction, ...]) -> str:
        """Return the types: what else they hold may be secret."""
        return f"[{', '.join(f'{{type: {action.type}}}' for action in value)}]"


RESET = Section(
    "reset",
    "What a manual restart clears.",
    ResetSpec(),
    (
        Key(
            "restart_process",
            Flag(),
            "restart_process",
            "Whether a worker that has processes here is restarted when all is cleared.",
        ),
        Key("actions", Actions(), "actions", "What is cleared: each entry is a plugin and its options."),
    ),
)


@dataclass(frozen=True)
class Resets(Kind[ResetSpec]):
    """All of ``reset:``."""

    @property
    def words(self) -> str:
        """Give the form."""
        return "a mapping of restart_process and actions"

    def read(self, spot: Spot) -> ResetSpec:
        """Read it; anything wrong within leaves nothing of it."""
        if not isinstance(spot.node, MappingNode):
            raise spot.expects(self.words)
        settings = read_section(RESET, spot)
        if {key.text for key, _ in spot.node.entries} - set(settings):
            raise Refused
        return RESET.filled({name: setting.value for name, setting in settings.items()})

    def schema(self) -> Schema:
        """Return an object."""
        properties = {
            key.name: {"description": key.help, **key.kind.schema(), "default": RESET.default(key)}
            for key in RESET.keys
        }
        properties["actions"]["default"] = []
        return {"type": "object", "properties": properties, "additionalProperties": False}
