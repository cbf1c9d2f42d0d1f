"""``python -m bench.api.asker SOCKET PATH SECONDS``: asks again and again over one connection; prints how often."""

import socket
import sys
import time

LENGTH = b"content-length: "


def main() -> None:
    """Ask until time is up."""
    path, target, seconds = sys.argv[1], sys.argv[2].encode(), float(sys.argv[3])
    request = b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        until, count = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            connection.sendall(request)
            _read(connection)
            count += 1
    print(count)


def _read(connection: socket.socket) -> None:
    """Read one answer, which must be a 200 with its length."""
    answer = connection.recv(65536)
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(answer.decode(errors="replace"))
    missing = int(head.lower().partition(LENGTH)[2].split(b"\r\n")[0]) - len(body)
    while missing > 0:
        missing -= len(connection.recv(65536))


if __name__ == "__main__":
    main()
