"""Which parts of the installed supervisor are known, and why the others are not.

Rules:

1. A part fits when the source of every function that it relies on (parts.py) is one that known.py has.
2. The functions that live in the classes are looked at, not the files: what another plugin replaced is unknown too.
   So the survey is made once, before our own hooks go in.
3. Comments, blank lines and indentation do not count. Only text is compared, so the Python version does not matter.
4. Nothing here raises: what cannot be read is unknown.

``python -m crewd_supervisord.guard`` shows what is unknown; with ``--merge`` it prints known.py with that added.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from importlib import import_module
from itertools import chain
from typing import Any, cast

from crewd_supervisord.known import KNOWN
from crewd_supervisord.parts import PARTS

_STRING_OR_COMMENT = re.compile(
    r"""
    (?P<comment> \#[^\n]* )
    | \"\"\" (?: \\. | [^\\] )*? \"\"\"
    | \'\'\' (?: \\. | [^\\] )*? \'\'\'
    | " (?: \\. | [^"\\\n] )* "
    | ' (?: \\. | [^'\\\n] )* '
    """,
    re.VERBOSE | re.DOTALL,
)
_IN_STRING = "\x01"
"""Begins a line that continues a string: it ends no function, wherever it begins."""


@dataclass(frozen=True, slots=True)
class Guard:
    """What is to be said of one part."""

    part: str
    unknown: Mapping[str, str] = field(default_factory=dict[str, str])
    """Each function that does not fit, to the reason why."""

    @property
    def fits(self) -> bool:
        """Whether the part may be used."""
        return not self.unknown

    @property
    def reason(self) -> str:
        """Why not, in a sentence; empty where it fits."""
        if self.fits:
            return ""
        name, why = next(iter(self.unknown.items()))
        more = len(self.unknown) - 1
        return f"{name} {why}" + (f", and {more} more" if more else "")


def examine(part: str) -> Guard:
    """Return whether the part fits the installed supervisor."""
    if part not in PARTS:
        return Guard(part, {part: "is no part that parts.py knows"})
    strange = _strange()
    return Guard(part, {name: strange[name] for name in PARTS[part] if name in strange})


def unknown(part: str) -> tuple[str, ...]:
    """Return the functions of the part that are not known."""
    return tuple(examine(part).unknown)


def measure(names: Iterable[str]) -> dict[str, str | None]:
    """Return the hash of each function as it is now; None where it has no source."""
    sources: dict[str, list[str]] = {}
    return {name: _hash(name, sources) for name in names}


@cache
def _strange() -> Mapping[str, str]:
    """Return each unknown function with the reason. Measured once: later, our own hooks are in the way."""
    names = dict.fromkeys(chain.from_iterable(PARTS.values()))
    try:
        found = measure(names)
    except Exception as cause:
        return dict.fromkeys(names, f"cannot be examined: {cause!r}")
    return {name: _why(found[name]) for name in names if found[name] not in KNOWN.get(name, ())}


def _why(digest: str | None) -> str:
    return "has no source to compare" if digest is None else "differs from every known version"


def _hash(name: str, sources: dict[str, list[str]]) -> str | None:
    try:
        function = _function(name)
        lines = _lines(function, sources)
        body = _body(lines, function.__code__.co_firstlineno - 1)
    except Exception:
        return None
    return sha256("\n".join(body).encode()).hexdigest()[:16] if body else None


def _function(name: str) -> Any:
    """Return the function behind a dotted name; the longest prefix that is a module is taken for one."""
    names = name.split(".")
    for end in range(len(names) - 1, 0, -1):
        module = ".".join(names[:end])
        try:
            found: Any = import_module(module)
        except ModuleNotFoundError:
            continue
        for attribute in names[end:]:
            found = getattr(found, attribute)
        return found
    raise AttributeError(name)


def _lines(function: Any, sources: dict[str, list[str]]) -> list[str]:
    """Return the lines of the file in which the function was written, without comments."""
    module = cast("dict[str, Any]", function.__globals__)
    name = str(module["__name__"])
    if name not in sources:
        get_source = cast("Callable[[str], str]", module["__loader__"].get_source)
        sources[name] = _STRING_OR_COMMENT.sub(_mark, get_source(name)).split("\n")
    return sources[name]


def _mark(match: re.Match[str]) -> str:
    return "" if match["comment"] else match[0].replace("\n", f"\n{_IN_STRING}")


def _body(lines: list[str], start: int) -> list[str]:
    """Return the lines of the function that begins at ``start``: up to the next one that is indented no deeper."""
    indent = len(lines[start]) - len(lines[start].lstrip())
    body: list[str] = []
    opened = False
    for line in lines[start:]:
        text = line.strip()
        if opened and text and not line.startswith((" " * (indent + 1), _IN_STRING)) and text[0] not in ")]}":
            break
        opened = opened or text.startswith("def ")
        if text:
            body.append(line.removeprefix(" " * indent).rstrip())
    return body


def _merged() -> str:
    """Return the text of known.py with the functions of the installed supervisor added."""
    names = sorted({*chain.from_iterable(PARTS.values())})
    found = measure(names)
    rows: list[str] = []
    for name in names:
        hashes = sorted({*KNOWN.get(name, ()), *filter(None, [found[name]])})
        inside = ", ".join(f'"{digest}"' for digest in hashes)
        rows.append(f'    "{name}": frozenset({{{inside}}}),\n')
    return _HEAD + "".join(rows) + "}\n"


_HEAD = '''"""The sources of supervisor's functions that are known to fit: 16 hex digits of SHA-256, made by guard.py.

Written by ``python -m crewd_supervisord.guard --merge``; docs/how-to/support-a-new-supervisor.md says when.
Measured: supervisor 4.2.5 and 4.3.0.
"""

from collections.abc import Mapping

KNOWN: Mapping[str, frozenset[str]] = {
'''


def main(arguments: list[str]) -> int:
    """Print what is unknown, or the merged table; 1 where something is unknown."""
    if arguments == ["--merge"]:
        sys.stdout.write(_merged())
        return 0
    version: Any = import_module("supervisor.options").VERSION
    sys.stdout.write(f"supervisor {version}\n")
    for part in PARTS:
        guard = examine(part)
        sys.stdout.write(f"{part:10} {'known' if guard.fits else f'{len(guard.unknown)} unknown'}\n")
        for name, why in guard.unknown.items():
            sys.stdout.write(f"    {name} {why} ({measure([name])[name]})\n")
    return 1 if _strange() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
