"""A FastCGI program, as far as supervisord is concerned: accepts on descriptor 0 and tells each caller its pid."""

import os
import socket

if __name__ == "__main__":
    listening = socket.socket(fileno=0)
    while True:
        connection, _ = listening.accept()
        connection.sendall(f"{os.getpid()}\n".encode())
        connection.close()
