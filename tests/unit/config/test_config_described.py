"""Schema, sample and reference say what the loader does: all are made from one set of keys."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from crewd.config import json_schema, reference, sample
from crewd.config.keys import CREWD, SUPERVISORD, WORKER
from crewd.model.spec import CrewSpec, WorkerSpec

PAGE = Path(__file__).parents[3] / "docs/reference/configuration.md"
SAMPLE_KEYS = [(number, line) for number, line in enumerate(sample().split("\n")) if re.match(r" +#[a-z]", line)]
NO_DEFAULT = re.compile(
    r"tls|directory|environment_file|user|group|umask|name|host|port|max_accounts|eventlisteners|max_restart|restart_delay_ms"
    r"|auto_restart|cwd|reset|default_worker|api_workers|heartbeat_stale_sec"
)


def test_the_sample_loads_without_a_word(crew):
    """And is the crew of one worker with all defaults."""
    loaded = crew(sample())

    assert loaded.warnings == ()
    assert loaded.spec == CrewSpec({"example": WorkerSpec("example", ("sleep", "infinity"))})


@pytest.mark.parametrize(("number", "line"), SAMPLE_KEYS, ids=[line.strip().split(":")[0] for _, line in SAMPLE_KEYS])
def test_each_line_of_the_sample_can_be_uncommented(number, line, crew, folder):
    """It loads, and is the default wherever there is one."""
    if "eventlisteners" in line:
        line = line.replace("/usr/local/bin/crashmail", "/bin/true")
    if "group" in line:
        line = line.replace("nogroup", "root")
    lines = sample().split("\n")
    lines[number] = line.replace("#", "", 1)

    spec = crew("\n".join(lines)).spec

    changed = spec != CrewSpec({"example": WorkerSpec("example", ("sleep", "infinity"))})
    assert changed == bool(NO_DEFAULT.match(line.strip(" #")))


def test_the_sample_shows_every_key_once():
    """Other names included."""
    shown = [line.strip(" #").split(":")[0] for line in sample().split("\n") if re.match(r" +#?[a-z]", line)]
    keys = [key.name for section in (CREWD, SUPERVISORD, WORKER) for key in section.keys]

    assert sorted(shown) == sorted(["example", "local", *keys, *(alias.name for alias in WORKER.aliases)])


def test_the_page_is_the_reference():
    """It is generated: its first lines say how."""
    assert PAGE.read_text() == reference()


def test_the_schema_is_json():
    """Nothing in it is Python's own."""
    schema = json_schema()

    assert json.loads(json.dumps(schema, allow_nan=False)) == schema


def test_the_schema_accepts_the_sample():
    """An editor shows no error in what `crewd schema --sample` gave."""
    assert accepted(yaml.safe_load(sample()))


def test_the_schema_s_defaults_are_values_of_their_keys():
    """And those of the sample: what an editor inserts, loads."""
    for section in (json_schema()["$defs"]["worker"], *json_schema()["properties"].values()):
        for name, key in section.get("properties", {}).items():
            if "default" in key:
                assert fits(key["default"], key, {}), name


RIGHT = [
    {"workers": {"w": {"command": "x"}}},
    {"workers": {"w": {"command": ["x", "y"], "restart_sec": "1min 30s", "umask": "022", "user": None}}},
    {"workers": {"w": {"command": "x", "start_limit_interval_sec": "infinity", "success_exit_status": [2, "SIGTERM"]}}},
    {"workers": {"w": {"command": "x", "auto_restart": True, "environment": {"A": "b", "N": 1}, "stdin": None}}},
    {"crewd": None, "supervisord": {"eventlisteners": {"l": {"command": "x", "events": "TICK_5"}}}, "workers": None},
    {"defaults": {"restart_sec": 0.5, "cwd": "/srv"}},
    {"defaults": None, "workers": None},
    {"defaults": {"local": {"command": ["x", "y"]}}},
    {"crewd": {"api_workers": {"users": ["nobody", 0], "roots": ["/srv"], "instances": 5}}},
]
WRONG = [
    {"workers": {"w": {}}},
    {"workers": {"all": {"command": "x"}}},
    {"workers": {"-": {"command": "x"}}},
    {"workers": {"w": {"command": [1]}}},
    {"workers": {"w": {"command": []}}},
    {"workers": {"w": {"command": "x", "reset": {"action": []}}}},
    {"workers": {"w": {"command": "x", "restart": "on-watchdog"}}},
    {"workers": {"w": {"command": "x", "restart": False}}},
    {"workers": {"w": {"command": "x", "restart_sec": -1}}},
    {"workers": {"w": {"command": "x", "restart_sec": "1 parsec"}}},
    {"workers": {"w": {"command": "x", "restart_sec": "infinity"}}},
    {"workers": {"w": {"command": "x", "start_success_sec": 0}}},
    {"workers": {"w": {"command": "x", "instances": 0}}},
    {"workers": {"w": {"command": "x", "directory": "srv"}}},
    {"workers": {"w": {"command": "x", "cwd": "/a", "directory": "/b"}}},
    {"workers": {"w": {"command": "x", "environment": {"CREWD_A": "x"}}}},
    {"workers": {"w": {"command": "x", "environment": {"A": True}}}},
    {"workers": {"w": {"command": "x", "success_exit_status": [256]}}},
    {"workers": {"w": {"command": "x", "deployment_type": "docker"}}},
    {"workers": {"w": {"command": "x", "port": "80"}}},
    {"defaults": {"command": "x"}},
    {"supervisord": {"eventlisteners": {"l": {"command": "x"}}}},
    {"listen": "x"},
    {"defaults": {"local": {"command": []}}},
    {"defaults": {"local": {"user": "nobody"}}},
    {"defaults": {"docker": {"command": ["x"]}}},
    {"crewd": {"api_workers": {"roots": ["srv"]}}},
    {"crewd": {"api_workers": {"users": "nobody"}}},
    {"crewd": {"api_workers": {"commands": ["x"]}}},
    {"workers": {"w": {"command": "x", "local": {}}}},
]


@pytest.mark.parametrize("configuration", RIGHT)
def test_the_schema_accepts_what_the_loader_accepts(configuration, crew):
    """The same file, read by both."""
    assert accepted(configuration)
    assert crew(json.dumps(configuration))


@pytest.mark.parametrize("configuration", WRONG)
def test_the_schema_refuses_what_the_loader_refuses(configuration, refused):
    """As far as one value can tell."""
    assert not accepted(configuration)
    assert refused(json.dumps(configuration))


def accepted(configuration: Any) -> bool:
    """Return whether the schema accepts it."""
    schema = json_schema()
    return fits(configuration, schema, schema["$defs"])


TYPES = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
}


def fits(value: Any, schema: dict[str, Any], defs: dict[str, Any]) -> bool:
    """Return whether the value fits: JSON Schema, as much of it as ours uses; any other keyword is a KeyError."""
    return all(KEYWORDS[word](value, said, schema, defs) for word, said in schema.items())


def _properties(value, said, schema, defs):
    return not isinstance(value, dict) or all(fits(value[key], said[key], defs) for key in value if key in said)


def _additional(value, said, schema, defs):
    rest = [value[key] for key in value if key not in schema.get("properties", {})] if isinstance(value, dict) else []
    return not rest if said is False else all(fits(item, said, defs) for item in rest)


def _number(check):
    return lambda value, said, schema, defs: not TYPES["number"](value) or check(value, said)


def _string(check):
    return lambda value, said, schema, defs: not isinstance(value, str) or check(value, said)


KEYWORDS = {
    **dict.fromkeys(("$schema", "$defs", "title", "description", "default"), lambda *_: True),
    "$ref": lambda value, said, schema, defs: fits(value, defs[said.removeprefix("#/$defs/")], defs),
    "type": lambda value, said, schema, defs: any(
        TYPES[kind](value) for kind in ([said] if isinstance(said, str) else said)
    ),
    "enum": lambda value, said, schema, defs: any(type(word) is type(value) and word == value for word in said),
    "const": lambda value, said, schema, defs: value == said,
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": lambda value, said, schema, defs: (
        not isinstance(value, dict) or all(fits(key, said, defs) for key in value)
    ),
    "required": lambda value, said, schema, defs: not isinstance(value, dict) or all(key in value for key in said),
    "items": lambda value, said, schema, defs: (
        not isinstance(value, list) or all(fits(item, said, defs) for item in value)
    ),
    "minItems": lambda value, said, schema, defs: not isinstance(value, list) or len(value) >= said,
    "anyOf": lambda value, said, schema, defs: any(fits(value, one, defs) for one in said),
    "allOf": lambda value, said, schema, defs: all(fits(value, one, defs) for one in said),
    "not": lambda value, said, schema, defs: not fits(value, said, defs),
    "minimum": _number(lambda value, least: value >= least),
    "maximum": _number(lambda value, most: value <= most),
    "exclusiveMinimum": _number(lambda value, least: value > least),
    "pattern": _string(lambda value, pattern: re.search(pattern, value) is not None),
    "minLength": _string(lambda value, least: len(value) >= least),
    "maxLength": _string(lambda value, most: len(value) <= most),
}
