"""Whom the kernel names as the owner of the other end of a TCP connection: /proc/net/tcp and tcp6, read. Pure.

Only a socket that is established and held by a process counts: one that was closed while its last bytes were under way
belongs to nobody any more, and the kernel shows it as root's.
"""

import ipaddress
import sys
from typing import NamedTuple

_ESTABLISHED = "01"
_LINE_MOST = 512
_STATE, _UID, _INODE = 3, 7, 9
_IPV6 = 6
_WORD_BYTES = 4


class Address(NamedTuple):
    """One end of a connection."""

    host: str
    port: int


def owner(table: str, client: Address, server: Address) -> int | None:
    """Return the uid that owns the client's end; None where no line names it. There may be thousands of lines."""
    for mapped in (False, True):
        at = table.find(f": {shown(client, mapped=mapped)} {shown(server, mapped=mapped)} ")
        if at >= 0:
            return _uid(table[at : at + _LINE_MOST].partition("\n")[0].split())
    return None


def _uid(fields: list[str]) -> int | None:
    """Return whose the socket of a line is, whose fields begin with the colon behind its number."""
    if len(fields) <= _INODE or not fields[_UID].isdecimal():
        return None
    return int(fields[_UID]) if fields[_STATE] == _ESTABLISHED and fields[_INODE] != "0" else None


def shown(address: Address, *, mapped: bool = False) -> str:
    """Return the address as the kernel writes it; ``mapped``: one of IPv4 as that of an IPv6 socket."""
    ip = ipaddress.ip_address(address.host)
    packed = b"\0" * 10 + b"\xff\xff" + ip.packed if mapped and ip.version != _IPV6 else ip.packed
    words = (packed[at : at + _WORD_BYTES] for at in range(0, len(packed), _WORD_BYTES))
    digits = "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
    return f"{digits}:{address.port:04X}"
