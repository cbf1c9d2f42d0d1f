"""What every command is handed: the daemon to ask, and the screen to show it on."""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from crewd.ctl.address import Address, way
from crewd.ctl.client import Client
from crewd.ctl.screen import Screen


@dataclass(frozen=True, slots=True)
class Session:
    """One run of crewctl."""

    client: Client
    screen: Screen

    @classmethod
    def begin(cls, environ: Mapping[str, str], address: Address, color: str) -> "Session":
        """Return the session that the options and the environment ask for."""
        return cls(Client(way(address, environ)), Screen.of(sys.stdout, environ, color))

    def show(self, lines: Iterable[str]) -> None:
        """Print lines, at once and all together."""
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()

    def show_json(self, value: Any) -> None:
        """Print a value: for people on a terminal, in one line elsewhere. ASCII: nothing in it can be a command."""
        self.show([json.dumps(value, indent=2 if self.screen.terminal else None)])
