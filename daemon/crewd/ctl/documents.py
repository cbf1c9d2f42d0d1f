"""Configurations as people write them: YAML of a file, ``KEY=VALUE`` of a command line; and written as YAML.

Rules:

1. YAML is read as crewd reads its own file: only ``true`` and ``false`` are booleans, ``022`` and ``no`` are text.
2. What is written is YAML that is read as the same again, whatever is in it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

import click

from crewd.config.report import Report
from crewd.config.tree import MappingNode, Node, ScalarNode, SequenceNode, parse
from crewd.errors import ConfigError

Document = dict[str, Any]

_BARE = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def documents(text: str, file: str) -> dict[str, Document]:
    """Return the configurations in a file by worker: one with a ``worker_id``, or those below ``workers``.

    Raises click.UsageError with all that is wrong.
    """
    members = members_of(text, file)
    workers = members.get("workers", ...)
    if workers is ...:
        worker_id = members.pop("worker_id", None)
        if not isinstance(worker_id, str):
            raise click.UsageError(f"{file}: expects a worker_id, or workers by their ids below 'workers'.")
        return {worker_id: members}
    if len(members) > 1:
        raise click.UsageError(f"{file}: beside 'workers' nothing may stand.")
    found = _members(workers)
    if found is None or not all(isinstance(one, dict) for one in found.values()):
        raise click.UsageError(f"{file}: expects workers by their ids below 'workers'.")
    return found


def members_of(text: str, file: str) -> Document:
    """Return the members of the mapping in a file; raises click.UsageError."""
    report = Report()
    root = parse(text, file, report)
    try:
        report.raise_errors()
    except ConfigError as mistakes:
        raise click.UsageError(str(mistakes)) from None
    members = None if root is None else _members(_value(root))
    if members is None:
        raise click.UsageError(f"{file}: expects a mapping.")
    return members


def _members(value: object) -> Document | None:
    return cast("Document", value) if isinstance(value, dict) else None


def _value(node: Node) -> Any:
    match node:
        case MappingNode():
            return {key.text: _value(value) for key, value in node.entries}
        case SequenceNode():
            return [_value(item) for item in node.items]
        case ScalarNode(is_null=True):
            return None
        case ScalarNode(plain=True):
            return _json(node.text)
        case _:
            return node.text


def _json(text: str) -> Any:
    """Return what JSON reads it as, a text where it is none; an object or a list is none here."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, bool | int | float) else text


def assigned(words: tuple[str, ...]) -> Document:
    """Return the members that ``KEY=VALUE`` say; a value that is JSON is taken as that, another is a text."""
    found: Document = {}
    for number, word in enumerate(words, 1):
        key, equals, text = word.partition("=")
        if not key or not equals:  # what it is may be a secret
            raise click.UsageError(f"Expects KEY=VALUE: number {number} of them is none.")
        if key in found:
            raise click.UsageError(f"{key} is given twice.")
        try:
            found[key] = json.loads(text)
        except (ValueError, RecursionError):
            found[key] = text
    return found


def written(members: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Return the lines of a mapping in YAML; what is nested in flow style."""
    for key, value in members.items():
        yield f"{indent}{_scalar(key)}: {_flow(value)}"


def _flow(value: Any) -> str:
    match value:
        case dict():
            pairs = cast("Document", value).items()
            return "{" + ", ".join(f"{_scalar(key)}: {_flow(one)}" for key, one in pairs) + "}"
        case list():
            return "[" + ", ".join(map(_flow, cast("list[Any]", value))) + "]"
        case str():
            return _scalar(value)
        case _:
            return json.dumps(value)


def _scalar(text: str) -> str:
    if _BARE.fullmatch(text) and text.lower() not in _WORDS:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def difference(before: Document, after: Document) -> Document:
    """Return the patch (RFC 7396) that makes one of the other."""
    patch: Document = dict.fromkeys((key for key in before if key not in after), None)
    for key, value in after.items():
        old = before.get(key)
        inner, theirs = _members(value), _members(old)
        if inner is not None and theirs is not None:
            if changed := difference(theirs, inner):
                patch[key] = changed
        elif key not in before or old != value or type(old) is not type(value):
            patch[key] = value
    return patch
