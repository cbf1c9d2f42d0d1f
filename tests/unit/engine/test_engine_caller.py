"""Who sent a request, on real sockets."""

import os
import socket
from types import SimpleNamespace

from crewd_supervisord.caller import Caller


def test_outside_a_request_nobody_is_the_caller():
    """A dash."""
    assert Caller().who() == "-"


def test_a_unix_socket_tells_uid_and_pid():
    """By the kernel's word, not the client's."""
    caller = Caller()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        caller.channel = SimpleNamespace(socket=ours)

        assert caller.who() == f"uid:{os.getuid()} pid:{os.getpid()}"


def test_a_network_socket_tells_the_address():
    """Without its port."""
    caller = Caller()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        connection, _ = server.accept()
        with connection:
            caller.channel = SimpleNamespace(socket=connection)

            assert caller.who() == "127.0.0.1"


def test_a_connection_that_is_gone_is_nobody():
    """No failure."""
    caller = Caller()
    gone = socket.socket()
    gone.close()
    caller.channel = SimpleNamespace(socket=gone)

    assert caller.who() == "-"
