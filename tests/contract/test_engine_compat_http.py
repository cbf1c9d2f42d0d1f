"""supervisord's HTTP servers: as in stock for many, for slow, for rude and for unauthorised clients."""

import base64
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from xmlrpc.client import ServerProxy

import pytest

from crewd.model.spec import RestartMode, RestartPolicy
from harness import EDITIONS, Program, Section, Supervisord, misbehave, wait_for
from harness.ports import free_port

AT_ONCE = RestartPolicy(RestartMode.NO, start_success_sec=0)
USER, PASSWORD = "operator", "secret"


@pytest.fixture(scope="module", params=EDITIONS)
def server(request: pytest.FixtureRequest) -> Iterator[tuple[Supervisord, int]]:
    """A supervisord with a TCP server beside its socket, and its port."""
    port = free_port()
    inet = Section("inet_http_server", {"port": f"127.0.0.1:{port}", "username": USER, "password": PASSWORD})
    with Supervisord(request.param, start=False) as server:
        sleeper = Program("steady-0", ("/bin/sleep", "1000"), policy=AT_ONCE)
        printer = Program(
            "printer-0", misbehave("flood=stdout:3000000", "pause"), policy=AT_ONCE, stdout=server.path("printer.log")
        )
        server.boot([sleeper, printer, Program("cycled-0", ("/bin/sleep", "1000"), policy=AT_ONCE)], [inet])
        yield server, port


def test_tcp_needs_the_password(server: tuple[Supervisord, int]):
    """401 without, the answer with it."""
    connection = http.client.HTTPConnection("127.0.0.1", server[1], timeout=60)
    connection.request("GET", "/")
    refused = connection.getresponse()
    refused.read()
    authorised = ServerProxy(f"http://{USER}:{PASSWORD}@127.0.0.1:{server[1]}")

    assert refused.status == 401
    assert authorised.supervisor.getPID() == server[0].pid


def test_both_servers_show_the_same(server: tuple[Supervisord, int]):
    """One supervisord, and one engine, behind both."""
    authorised = ServerProxy(f"http://{USER}:{PASSWORD}@127.0.0.1:{server[1]}")
    names = [info["name"] for info in server[0].rpc.supervisor.getAllProcessInfo()]

    assert [info["name"] for info in authorised.supervisor.getAllProcessInfo()] == names
    if server[0].edition.engine:
        generation = authorised.crewd.version().split('"generation"')[1][:30]
        assert generation in server[0].rpc.crewd.version()


def test_the_web_page_works(server: tuple[Supervisord, int]):
    """supervisor's own status page names every program."""
    connection = http.client.HTTPConnection("127.0.0.1", server[1], timeout=60)
    token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    connection.request("GET", "/index.html", headers={"Authorization": f"Basic {token}"})
    page = connection.getresponse()

    assert page.status == 200
    assert b"steady-0" in page.read()


def test_half_a_request_holds_up_nobody(server: tuple[Supervisord, int]):
    """Clients that say half a sentence and wait; then those that hang up on it."""
    halves = []
    for text in (b"POST /RPC2 HT", b"POST /RPC2 HTTP/1.1\r\nContent-Length: 500\r\n\r\n<?xml", b""):
        half = socket.socket(socket.AF_UNIX)
        half.connect(server[0].home.engine_socket)
        half.sendall(text)
        halves.append(half)
    began = time.monotonic()
    server[0].rpc.supervisor.getState()
    took = time.monotonic() - began  # for ever, where one of them is waited for
    for half in halves:
        half.close()

    assert took < 30
    assert server[0].rpc.supervisor.getState()["statename"] == "RUNNING"


def test_nonsense_is_refused(server: tuple[Supervisord, int]):
    """What is no request, no XML, no method: an error each, and supervisord goes on."""
    for text in (b"nonsense\r\n\r\n", b"POST /RPC2 HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", b"\0" * 5000):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(0.5)
            client.connect(server[0].home.engine_socket)
            client.sendall(text)
            try:
                client.recv(1000)
            except TimeoutError:
                pass

    assert server[0].rpc.supervisor.getPID() == server[0].pid


def test_many_clients_are_served_at_once(server: tuple[Supervisord, int]):
    """Forty of them, ten calls each, on connections that stay open, among a hundred idle ones."""
    idle = [socket.socket(socket.AF_UNIX) for _ in range(100)]
    for one in idle:
        one.connect(server[0].home.engine_socket)
    answers: list[int] = []

    def ask() -> None:
        proxy = server[0].connect()
        answers.extend(proxy.supervisor.getPID() for _ in range(10))

    threads = [threading.Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    for one in idle:
        one.close()

    assert answers == [server[0].pid] * 400


def test_a_large_answer_to_a_slow_reader_holds_up_nobody(server: tuple[Supervisord, int]):
    """A log of megabytes asked for and not read."""
    wait_for(lambda: len(server[0].read("printer.log")) == 3_000_000)
    body = (
        b"<?xml version='1.0'?><methodCall><methodName>supervisor.readProcessStdoutLog</methodName><params>"
        b"<param><value><string>printer-0</string></value></param><param><value><int>0</int></value></param>"
        b"<param><value><int>3000000</int></value></param></params></methodCall>"
    )
    with socket.socket(socket.AF_UNIX) as reader:
        reader.connect(server[0].home.engine_socket)
        head = b"POST /RPC2 HTTP/1.1\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % len(body)
        reader.sendall(head + body)
        assert reader.recv(10).startswith(b"HTTP/1.1 2")
        answer = server[0].supervisorctl("restart", "cycled-0")

    assert answer.stdout == "cycled-0: stopped\ncycled-0: started\n"


def test_a_batch_is_answered_in_order(server: tuple[Supervisord, int]):
    """system.multicall, with faults among the answers and calls that wait."""
    calls = [
        {"methodName": "supervisor.getPID", "params": []},
        {"methodName": "supervisor.stopProcess", "params": ["cycled-0"]},
        {"methodName": "supervisor.startProcess", "params": ["nobody"]},
        {"methodName": "supervisor.startProcess", "params": ["cycled-0"]},
        {"methodName": "supervisor.getState", "params": []},
    ]
    answers = server[0].rpc.system.multicall(calls)

    assert answers[0] == server[0].pid
    assert answers[1] is True
    assert answers[2]["faultCode"] == 10
    assert answers[3] is True
    assert answers[4]["statename"] == "RUNNING"


def test_methods_are_listed(server: tuple[Supervisord, int]):
    """system.listMethods and methodHelp, which read the docstrings of every plugin."""
    methods = server[0].rpc.system.listMethods()

    assert "supervisor.startProcess" in methods
    assert all(server[0].rpc.system.methodHelp(method) for method in methods)
    if server[0].edition.engine:
        assert {"crewd.version", "crewd.status", "crewd.apply"} <= set(methods)
