"""The example crew, as `make run` has it: its file, its programs, a home of its own."""

import os
from pathlib import Path

import yaml

from harness.daemon import Daemon

EXAMPLES = Path(__file__).parents[2] / "examples"


class ExampleCrew(Daemon):
    """A context manager: inside it the example crew can be started, after it nothing is left."""

    def __init__(self) -> None:
        crew = yaml.safe_load((EXAMPLES / "crew.yaml").read_text(encoding="utf-8"))
        super().__init__()
        crew["workers"]["reporting"]["environment"] = {"REPORT_TO": self.home.socket}
        self.write(crew.pop("workers"), **crew)

    def listen(self, port: int) -> None:
        """Start it, with its metrics on a port."""
        path = f"{EXAMPLES / 'workers'}:{os.environ['PATH']}"
        self.start(environ={"CREWD_LISTEN": f"127.0.0.1:{port}", "PATH": path})
