"""``crewctl status`` beside ``supervisorctl status``, both of a thousand workers, turn by turn.

supervisorctl asks two supervisords: crewd's own, which answers it many times faster than stock's, and stock's, with as
many of the same workers, up for these turns alone.
"""

import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from bench.daemon.asking import program_ms
from bench.daemon.crew import Crew
from bench.fleet import Fleet
from bench.peers.stock import Stock
from bench.targets import CREWCTL, SUPERVISORCTL, SUPERVISORCTL_STOCK


def turns(crew: Crew, count: int) -> Iterator[tuple[str, float]]:
    """Yield who asked, and how long it took until all was printed."""
    site = crew.peer.site
    folder = site.folder.with_name("stock-beside-crew")
    stamps = site.stamp_file.with_name("stock-beside-crew.stamps")
    with closing(Fleet(Stock, replace(site, folder=folder, stamp_file=stamps))) as stock:
        stock.start()
        commands = {
            CREWCTL: ["crewctl"],
            SUPERVISORCTL: ["supervisorctl", "-c", crew.peer.home.supervisorctl_conf],
            SUPERVISORCTL_STOCK: ["supervisorctl", "-c", f"{folder}/supervisord.conf"],
        }
        for _ in range(count):
            for who, (program, *options) in commands.items():
                yield who, program_ms([_installed(program), *options, "status"], str(site.folder), crew.n)
        stock.stop()


def _installed(program: str) -> str:
    return str(Path(sys.executable).with_name(program))
