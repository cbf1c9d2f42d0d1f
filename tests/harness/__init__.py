"""Real supervisord, started for tests: in either supported version, with and without crewd's engine.

``Supervisord`` is the way in: it writes a home from ``Program`` descriptions, starts supervisord under a ``Nursery``
(a subreaper, so that nothing can get away from it), talks to it, and leaves nothing behind.
"""

from harness.editions import EDITIONS, ENGINE_EDITIONS, Edition, Mode
from harness.nursery import Nursery
from harness.programs import Program, Section
from harness.server import Supervisord
from harness.waiting import stays, wait_for
from harness.workers import misbehave, shell

__all__ = [
    "EDITIONS",
    "ENGINE_EDITIONS",
    "Edition",
    "Mode",
    "Nursery",
    "Program",
    "Section",
    "Supervisord",
    "misbehave",
    "shell",
    "stays",
    "wait_for",
]
