"""The peers: each knows how its supervisor is configured, started, asked and stopped. They measure nothing."""

from bench.peers.crewd import Crewd, CrewdStock
from bench.peers.peer import Peer, Site
from bench.peers.runit import Runit, RunitDirect
from bench.peers.stock import Stock

PEERS: dict[str, type[Peer]] = {peer.name: peer for peer in (Crewd, Runit, Stock, CrewdStock, RunitDirect)}

__all__ = ["PEERS", "Peer", "Site"]
