"""The reference page of the YAML, generated from ``keys``; a test holds ``docs/reference/configuration.md`` to it."""

from collections.abc import Iterator
from typing import Any

from crewd.config.access_kinds import HMAC_KEY, ROLES_OF, TLS
from crewd.config.key import Key, Section
from crewd.config.keys import API_WORKERS, CREWD, DEFAULTS, SUPERVISORD, WORKER
from crewd.config.kinds import DURATION_MOST_SEC
from crewd.config.quantities import written_duration
from crewd.config.resets import RESET
from crewd.config.source import SIZE_MOST
from crewd.config.tree import DEPTH_MOST, NODES_MOST
from crewd.config.worker_kinds import ID_MOST, ID_PATTERN, ID_RESERVED, INSTANCE_PLACEHOLDER

_HEAD = f"""\
# Configuration

<!-- generated, do not edit: python -c 'import crewd.config; print(crewd.config.reference(), end="")' -->

crewd reads `crewd.yaml` (`/etc/crewd/crewd.yaml`, or `$CREWD_HOME/etc/crewd.yaml`) and `conf.d/*.yaml` beside it, in
the order of their names. The files in `conf.d` may hold `workers` only, and no worker may stand in two files. A file
that ends in `.yml` is not read, with a warning.

`crewd check` reports every mistake of every file as `file:line:column: path: what is wrong and what to do`.
`crewd schema` prints the JSON Schema, `crewd schema --sample` a commented sample with every key.

## Values

- Unknown keys, keys written twice, and a key beside its other name are errors.
- Only `true` and `false` are booleans; `no`, `off` and `22:22` are text. There are no dates and no merge keys.
- A duration is a number of seconds, or numbers with `ms`, `s`, `m`, `h`, `d`, `w` (also `min`, `sec`, `hours` and so
  on): `500ms`, `1min 30s`. At most {written_duration(DURATION_MOST_SEC)}. `infinity` where it is said.
- A size is a number of bytes, or a whole number with `KB`, `MB`, `GB`, `KiB`, `MiB` or `GiB`, all in steps of 1024.
- A number where text is due is written in quotes: `command: [sleep, "5"]`. Variables and labels take numbers as they
  are written.
- No value may hold NUL, carriage return or line break.
- `null` unsets a key that has no default, for instance one that stands under `defaults`.
- A file is UTF-8 without byte order mark; it has at most {SIZE_MOST // 1024 // 1024} MiB and {NODES_MOST} values,
  aliases expanded, nested at most {DEPTH_MOST} deep.
"""

_ACCESS = """\
### Members of `tls`, `roles` and `hmac_keys`

Who is let in, and as whom, is explained in [Access](access.md). A key of `hmac_keys` has the members below its name.

```yaml
crewd:
  allowed_hosts: [crewd.example.org]
  roles:
    groups: {root: admin}
    certificates: {deployment.example.org: operator}
```

| key | type | meaning |
| --- | --- | --- |
"""

_DEFAULTS = """\
## `defaults`

Settings of every worker that does not set them itself: every key of a worker but {absent}. `environment` and `labels`
are added to the worker's own, which go first; anything else the worker's own value replaces. Besides:

| key | type | meaning |
| --- | --- | --- |
{rows}"""

_RESERVED = ", ".join(f"`{word}`" for word in ID_RESERVED)
_WORKERS = f"""\
## `workers`

The workers, by id. An id matches `{ID_PATTERN}`, has at most {ID_MOST} characters, is none of
{_RESERVED}, and is not the name of another worker's instance (`web-0` is that of `web`).

A log path with several instances needs `{INSTANCE_PLACEHOLDER}` in the file's name, which the instance's name replaces:
`/var/log/mail/{INSTANCE_PLACEHOLDER}.log`. A file below `/dev`, such as `/dev/stdout`, may be shared and cannot be
rotated: it needs a `_maxbytes` of 0.
"""


_RESETS = """\
## `reset`

What a manual restart of the worker clears. Each entry of `actions` is a plugin: its `type`, and the options of that
type, which [resets](resets.md) lists. Under `defaults` it is that of every worker that has none of its own.
"""


_OTHER_NAMES = """\
## Other names

A worker's keys under other names. A key and its other name exclude each other.
"""


_SECTIONS: tuple[Section[Any], ...] = (CREWD, API_WORKERS, SUPERVISORD)


def reference() -> str:
    """Return the page."""
    absent = ", ".join(f"`{key.name}`" for key in WORKER.keys if not key.in_defaults)
    parts = [
        _HEAD,
        f"## `{CREWD.name}`\n\n{CREWD.help}\n\n{_table(CREWD)}",
        f"## `{API_WORKERS.name}`\n\n{API_WORKERS.help}\n\n{_table(API_WORKERS)}",
        _ACCESS + "".join(_member_rows()),
        f"## `{SUPERVISORD.name}`\n\n{SUPERVISORD.help}\n\n{_table(SUPERVISORD)}",
        _DEFAULTS.format(absent=absent, rows=_of_defaults_alone()),
        f"{_WORKERS}\n{_table(WORKER)}",
        f"{_RESETS}\n{_table(RESET)}",
        f"{_OTHER_NAMES}\n{_aliases()}",
    ]
    return "\n".join(parts)


def _of_defaults_alone() -> str:
    of_workers = {key.name for key in WORKER.keys}
    keys = [key for key in DEFAULTS.keys if key.name not in of_workers]
    return "".join(f"| `{key.name}` | {_cell(key.kind.words)} | {_cell(key.help)} |\n" for key in keys)


def _table(section: Section[Any]) -> str:
    return "| key | type | default | meaning |\n| --- | --- | --- | --- |\n" + "".join(_rows(section))


def _member_rows() -> Iterator[str]:
    for path, members in (("tls", TLS), ("roles", ROLES_OF), ("hmac_keys.NAME", HMAC_KEY)):
        for member in members.members:
            yield f"| `{path}` `{member.name}` | {_cell(member.kind.words)} | {_cell(member.help)} |\n"


def _rows(section: Section[Any]) -> Iterator[str]:
    for key in section.keys:
        yield f"| `{key.name}` | {_cell(key.kind.words)} | {_default(section, key)} | {_cell(key.help)} |\n"


def _default(section: Section[Any], key: Key) -> str:
    if key.required:
        return "required"
    default = section.default(key)
    return "" if default is None else f"`{key.kind.written(default)}`"


def _aliases() -> str:
    rows = (f"| `{alias.name}` | {_cell(alias.kind.words)} | {_cell(alias.help)} |\n" for alias in WORKER.aliases)
    return "| key | type | means |\n| --- | --- | --- |\n" + "".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
