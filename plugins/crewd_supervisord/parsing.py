"""From a section's text to supervisor's configuration objects, by supervisor's own parser."""

import os
from collections.abc import Iterable
from typing import Any

from supervisor import options as options_module
from supervisor.options import UnhosedConfigParser


def group_configs(options: Any, sections: Iterable[str]) -> dict[str, Any]:
    """Return the group configurations of the sections by name; raises ValueError where supervisor refuses one."""
    parser = UnhosedConfigParser()
    parser.expansions = options.environ_expansions
    parser.read_string("\n".join(sections))
    found = {str(config.name): config for config in options.process_groups_from_parser(parser)}
    for config in found.values():
        config.after_setuid()
    return found


def forgive_missing_log_directories() -> None:
    """Let a program's log directory be missing when supervisord starts: that program cannot start then, the others can.

    Stock refuses the whole file.
    """
    module: Any = options_module
    stock = module.logfile_name

    def logfile_name(value: Any) -> Any:
        try:
            return stock(value)
        except ValueError:
            return os.path.expanduser(value)

    module.logfile_name = logfile_name


def speed_up() -> None:
    """Expand ``%`` only in values that hold one: supervisor merges all expansions for every option of every program."""
    stock = UnhosedConfigParser.saneget

    def saneget(
        self: Any, section: str, option: str, default: Any = _MISSING, do_expand: bool = True, expansions: Any = None
    ) -> Any:
        known = self._sections.get(section)
        value = known.get(option, self._defaults.get(option, default)) if known is not None else _MISSING
        if value is not _MISSING and not (do_expand and isinstance(value, str) and "%" in value):
            return value
        rest: tuple[Any, ...] = () if default is _MISSING else (default,)
        return stock(self, section, option, *rest, do_expand=do_expand, expansions=expansions or {})

    UnhosedConfigParser.saneget = saneget


_MISSING: Any = object()
