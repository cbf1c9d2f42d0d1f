"""``python -m bench.api.readers SOCKET COUNT``: listens to all events so many times over until it is ended.

Says ``listening`` once all of them are let in.
"""

import selectors
import socket
import sys

REQUEST = b"GET /api/v1/events?follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n"


def main() -> None:
    """Listen for ever."""
    with selectors.DefaultSelector() as selector:
        for _ in range(int(sys.argv[2])):
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(sys.argv[1])
            connection.sendall(REQUEST)
            answer = connection.recv(4096)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise SystemExit(answer.decode(errors="replace"))
            selector.register(connection, selectors.EVENT_READ)
        print("listening", flush=True)
        while True:
            for key, _ in selector.select():
                source = key.fileobj
                if isinstance(source, socket.socket) and not source.recv(65536):
                    raise SystemExit("a stream ended")


if __name__ == "__main__":
    main()
