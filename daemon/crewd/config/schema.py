"""The JSON Schema (2020-12) of the YAML, for editors and for programs that write it.

Generated from ``keys``. What needs more than one value, or the machine, only the loader says.
"""

from typing import Any

import yaml

from crewd.config.compound import Nested
from crewd.config.key import Alias, Key, Section
from crewd.config.keys import CREWD, DEFAULTS, OFFERED, SUPERVISORD, WORKER
from crewd.config.kind import Schema
from crewd.config.worker_kinds import ID_MOST, ID_PATTERN, ID_RESERVED

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> Schema:
    """Return the schema of ``crewd.yaml``; a file in ``conf.d`` is one that has ``workers`` alone."""
    names = {"pattern": ID_PATTERN, "maxLength": ID_MOST, "not": {"enum": list(ID_RESERVED)}}
    worker: Schema = {"$ref": "#/$defs/worker"}
    workers: Schema = {"type": ["object", "null"], "propertyNames": names, "additionalProperties": worker}
    return {
        "$schema": DIALECT,
        "title": "crewd configuration",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "crewd": _section(CREWD, nothing=True),
            "supervisord": _section(SUPERVISORD, nothing=True),
            "defaults": _section(DEFAULTS, nothing=True),
            "workers": {"description": "The workers, by id.", **workers},
        },
        "$defs": {"worker": _section(WORKER)},
    }


def configuration_schema() -> Schema:
    """Return the schema of what a worker made over the API may hold, but its id; with an example of each member."""
    schema = _section(OFFERED)
    schema.pop("allOf")  # that names exclude each other is more than programs make of a schema: it is said in words
    schema["description"] = "What is configured of a worker. A key and its other name exclude each other."
    for one in (*OFFERED.keys, *OFFERED.aliases):
        if one.example:
            schema["properties"][one.name]["examples"] = [yaml.safe_load(one.example)]
    return schema


def _section(section: Section[Any], *, nothing: bool = False) -> Schema:
    properties = {key.name: _key(section, key) for key in section.keys}
    properties.update({alias.name: _alias(alias) for alias in section.aliases})
    schema: Schema = {
        "description": section.help,
        "type": ["object", "null"] if nothing else "object",
        "properties": properties,
        "additionalProperties": False,
    }
    if required := [key.name for key in section.keys if key.required]:
        schema["required"] = required
    if section.aliases:
        both = [[alias.name, name] for alias in section.aliases for name in alias.of]
        schema["allOf"] = [{"not": {"type": "object", "required": names}} for names in both]
    return schema


def _key(section: Section[Any], key: Key) -> Schema:
    schema = key.kind.schema()
    if section.nullable(key):
        schema = {"anyOf": [schema, {"type": "null"}]}
    if key.field and not key.required and section.default(key) != ():  # no command is nothing to write down
        schema["default"] = _plain(key, section.default(key))
    return {"description": key.help, **schema}


def _alias(alias: Alias) -> Schema:
    return {"description": f"Another way to say {alias.help}", **alias.kind.schema()}


def _plain(key: Key, value: Any) -> Any:
    """Return a default as JSON: as the YAML writes it, where JSON has no such type."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(key.kind, Nested):
        nested: Nested[Any] = key.kind
        return {one.name: _plain(one, nested.section.default(one)) for one in nested.section.keys}
    if type(value) is int and key.kind.written(value) == str(value):
        return value
    written = key.kind.written(value)
    empty: dict[str, Any] = {"[]": [], "{}": {}}
    return empty.get(written, written)
