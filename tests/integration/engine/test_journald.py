"""supervisord's log where it goes to journald, and journald is away."""

import socket
import subprocess
import sys
from pathlib import Path

SPEAKING = """
import sys
from supervisor import loggers
from crewd.model import journald as model
from crewd_supervisord import journald
model.SOCKET = sys.argv[1]
logger = loggers.getLogger()
journald._handle(logger, "")
logger.critical("nobody hears it")
"""


def test_a_journald_that_is_away_costs_words(tmp_path: Path) -> None:
    """Nobody is at its socket, and the streams that it gave have no other end: nothing is raised."""
    stream, other_end = socket.socketpair()
    other_end.close()
    with stream:
        speaking = [sys.executable, "-c", SPEAKING, str(tmp_path / "nobody")]
        done = subprocess.run(speaking, stdout=stream, stderr=stream, check=False)

    assert done.returncode == 0
