"""/proc/net/tcp: who owns the other end."""

import os
import socket
import sys

import pytest

from crewd.policy.attribution import Address, owner, shown

HEAD = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
    "                                                     "
)
CLIENT, SERVER = Address("127.0.0.1", 0xD431), Address("127.0.0.1", 3000)
little = pytest.mark.skipif(sys.byteorder != "little", reason="the lines are those of a little-endian machine")


def line(local: str, remote: str, state: str, uid: int, inode: int) -> str:
    """Return a line as the kernel writes it."""
    return (
        f"   1: {local} {remote} {state} 00000000:00000000 00:00000000 00000000 {uid:5}        0 {inode} 1 "
        "0000000000000000 20 4 30 10 -1"
    )


def named(lines: list[str]) -> int | None:
    """Return whom a table of these lines names."""
    return owner("".join(f"{one}\n" for one in lines), CLIENT, SERVER)


LOCAL, REMOTE = "0100007F:D431", "0100007F:0BB8"
LINES = [
    HEAD,
    line("0100007F:0BB8", "00000000:0000", "0A", 0, 4711),
    line("0100007F:0BB8", "0100007F:D431", "01", 0, 4712),
    line("0100007F:D432", "0100007F:0BB8", "01", 1001, 4714),
]


@little
def test_the_client_s_own_end_names_its_owner() -> None:
    """Not the server's end of the same connection, nor a neighbour's."""
    assert named([*LINES, line(LOCAL, REMOTE, "01", 1000, 4713)]) == 1000


@little
def test_nobody_is_named_where_there_is_no_such_line() -> None:
    """Nor by half a line."""
    assert named(LINES) is None
    assert named([*LINES, f"   9: {LOCAL} {REMOTE} 01"]) is None
    assert named([]) is None


@little
@pytest.mark.parametrize("state", ["02", "03", "04", "05", "06", "07", "08", "09", "0B"])
def test_a_connection_that_is_ending_has_no_owner(state: str) -> None:
    """The kernel shows uid 0 for a socket that its process has closed: whoever hangs up at once would be root."""
    assert named([*LINES, line(LOCAL, REMOTE, state, 0, 0)]) is None
    assert named([*LINES, line(LOCAL, REMOTE, state, 0, 4713)]) is None


@little
def test_a_socket_that_no_process_holds_has_no_owner() -> None:
    """Even where it is said to be established."""
    assert named([*LINES, line(LOCAL, REMOTE, "01", 0, 0)]) is None


@little
@pytest.mark.parametrize(
    ("host", "written"),
    [
        ("127.0.0.1", "0100007F:0BB8"),
        ("192.168.1.2", "0201A8C0:0BB8"),
        ("::1", "00000000000000000000000001000000:0BB8"),
        ("2001:db8::1:2", "B80D0120000000000000000002000100:0BB8"),
    ],
)
def test_addresses_are_written_as_the_kernel_does(host: str, written: str) -> None:
    """Each word of four bytes in the machine's own order."""
    assert shown(Address(host, 3000)) == written


@little
def test_an_ipv4_client_may_have_an_ipv6_socket() -> None:
    """Then it stands in the other table, in IPv6's clothes."""
    mapped = [shown(one, mapped=True) for one in (CLIENT, SERVER)]

    assert mapped[0] == "0000000000000000FFFF00000100007F:D431"
    assert named([HEAD, line(*mapped, "01", 1000, 4713)]) == 1000


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_kernel_s_own_table_is_read(family: socket.AddressFamily) -> None:
    """A connection of this process belongs to this user; once it is closed, to nobody."""
    host, table = ("127.0.0.1", "tcp") if family is socket.AF_INET else ("::1", "tcp6")
    with socket.create_server((host, 0), family=family) as listening:
        client = socket.create_connection(listening.getsockname()[:2])
        accepted, peer = listening.accept()
        ends = Address(*peer[:2]), Address(*accepted.getsockname()[:2])
        with open(f"/proc/net/{table}") as file:
            found = owner(file.read(), *ends)
        client.close()
        with open(f"/proc/net/{table}") as file:
            afterwards = owner(file.read(), *ends)
        accepted.close()

    assert found == os.geteuid()
    assert afterwards is None
