"""Whom the kernel names as the owner of the other end of a TCP connection: /proc/net/tcp and tcp6, read. Pure.

Only a socket that is established and held by a process counts: one that was closed while its last bytes were under way
belongs to nobody any more, and the kernel shows it as root's.
"""

import ipaddress
import sys
from collections.abc import Iterable
from typing import NamedTuple

_ESTABLISHED = "01"
_LOCAL, _REMOTE, _STATE, _UID, _INODE = 1, 2, 3, 7, 9
_IPV6 = 6
_WORD_BYTES = 4


class Address(NamedTuple):
    """One end of a connection."""

    host: str
    port: int


def owner(lines: Iterable[str], client: Address, server: Address) -> int | None:
    """Return the uid that owns the client's end; None where no line names it."""
    ends = {(shown(client, mapped=mapped), shown(server, mapped=mapped)) for mapped in (False, True)}
    for line in lines:
        fields = line.split()
        if len(fields) <= _INODE or (fields[_LOCAL], fields[_REMOTE]) not in ends:
            continue
        held = fields[_INODE] != "0" and fields[_UID].isdecimal()
        return int(fields[_UID]) if fields[_STATE] == _ESTABLISHED and held else None
    return None


def shown(address: Address, *, mapped: bool = False) -> str:
    """Return the address as the kernel writes it; ``mapped``: one of IPv4 as that of an IPv6 socket."""
    ip = ipaddress.ip_address(address.host)
    packed = b"\0" * 10 + b"\xff\xff" + ip.packed if mapped and ip.version != _IPV6 else ip.packed
    words = (packed[at : at + _WORD_BYTES] for at in range(0, len(packed), _WORD_BYTES))
    digits = "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
    return f"{digits}:{address.port:04X}"
