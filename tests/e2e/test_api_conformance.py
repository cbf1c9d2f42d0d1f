"""The API of a live daemon does what it says of itself: schemathesis asks whatever the description allows, and not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.daemon import Daemon
from harness.forwarding import forwarded

TESTS = Path(__file__).parents[1]
SETTINGS = str(TESTS / "harness/schemathesis.toml")
EXAMPLES = 8
"""For each route, of valid requests and of invalid ones; besides there is one for each boundary of each schema."""
RESET = {"restart_process": False, "actions": [{"type": "command", "argv": ["true"]}]}
WORKER = {"command": ["sleep", "1000"], "start_success_sec": 0.05, "timeout_stop_sec": "1s", "reset": RESET}
CREW = {"web": {**WORKER, "labels": {"tier": "front"}}, "mail": WORKER}
LEFT_OUT = ("/api/v1/shutdown",)
"""It does what it says: there would be nobody left to ask."""


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_schemathesis_finds_nothing(tmp_path: Path, soak: int) -> None:
    """All checks: no 5xx, no status, header, type or shape that is not described; what is wrong is refused, what is
    right is accepted."""
    with Daemon(CREW, crewd={"default_worker": "web"}) as daemon:
        daemon.start()
        with forwarded(daemon.home.socket) as port:
            left_out = [word for path in LEFT_OUT for word in ("--exclude-path", path)]
            command = [
                *(Path(sys.executable).with_name("schemathesis"), "--config-file", SETTINGS, "run"),
                *(f"http://127.0.0.1:{port}/openapi.json", "--checks", "all", "--max-examples", str(EXAMPLES * soak)),
                *("--seed", "4", "--generation-database", "none"),
                *("--request-timeout", "60", "--no-color", *left_out),
            ]
            variables = {**os.environ, "SCHEMATHESIS_HOOKS": "harness.schemathesis_hooks", "PYTHONPATH": str(TESTS)}
            ran = subprocess.run(command, env=variables, cwd=tmp_path, capture_output=True, text=True, check=False)
        log = daemon.log()

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Traceback" not in log
    assert "internal error" not in log
