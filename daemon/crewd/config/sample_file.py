"""A commented configuration with every key at its default: read it, take away what is not needed.

Generated from ``keys``. Lines that begin ``#:`` are prose; a key behind a single ``#`` may be uncommented as it stands.
"""

import textwrap
from collections.abc import Iterator
from typing import Any

from crewd.config.key import Alias, Key, Section
from crewd.config.keys import CREWD, DEFAULTS, SUPERVISORD, WORKER

_WIDTH = 100

_HEAD = """\
The configuration of crewd. Beside this file, conf.d/*.yaml may hold more workers.
Every key is here, behind a # with its default, or with an example where it has none.
`crewd check` says what is wrong with a file and where; nothing is accepted in silence.

Durations are seconds, or numbers with units: 500ms, 30s, 10m, 2h, 1d, 1min 30s.
Sizes are bytes, or KB, MB, GB (also KiB, MiB, GiB), in steps of 1024.
Only true and false are booleans."""


def sample() -> str:
    """Return the sample: it loads without error or warning."""
    lines = [
        *_prose(_HEAD, ""),
        *("", *_prose(CREWD.help, ""), "crewd:", *_keys(CREWD)),
        *("", *_prose(SUPERVISORD.help, ""), "supervisord:", *_keys(SUPERVISORD)),
        *(
            "",
            *_prose(
                "Settings of every worker that does not set them itself: any key of a worker but "
                f"{', '.join(key.name for key in WORKER.keys if not key.in_defaults)}.",
                "",
            ),
        ),
        *(
            "defaults:",
            *_keys(DEFAULTS, only=_of_defaults_alone()),
            "",
            *_prose("The workers, by id.", ""),
            "workers:",
            "  example:",
            *_keys(WORKER, "    "),
        ),
        *("", *_prose("Other names, for those who know them. A key and its other name exclude each other.", "    ")),
        *(line for alias in WORKER.aliases for line in _alias(alias, "    ")),
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _of_defaults_alone() -> tuple[Key, ...]:
    of_workers = {key.name for key in WORKER.keys}
    return tuple(key for key in DEFAULTS.keys if key.name not in of_workers)


def _keys(section: Section[Any], indent: str = "  ", only: tuple[Key, ...] = ()) -> Iterator[str]:
    for index, key in enumerate(only or section.keys):
        if index:
            yield ""
        yield from _prose(f"{key.help} Expects {key.kind.words}.", indent)
        yield f"{indent}{'' if key.required else '#'}{key.name}: {written_default(section, key)}"


def _alias(alias: Alias, indent: str) -> Iterator[str]:
    yield from _prose(f"Another way to say {alias.help}", indent)
    yield f"{indent}#{alias.name}: {alias.example}"


def _prose(text: str, indent: str) -> Iterator[str]:
    for line in text.split("\n"):
        for part in textwrap.wrap(line, _WIDTH - len(indent) - 3, break_on_hyphens=False) or [""]:
            yield f"{indent}#: {part}"


def written_default(section: Section[Any], key: Key) -> str:
    """Return the key's default as YAML, or its example where it has none."""
    default = section.default(key)
    return key.example or ("" if default is None else key.kind.written(default))
