#!/usr/bin/env python3
"""A worker that reports: heartbeats with what it is busy with, and what goes wrong. Nothing but the standard library.

REPORT_TO is crewd's socket; without it, that of `make run` or else of the machine. Whether crewd is there or not, the
work goes on: what cannot be reported is tried again.
"""

import http.client
import json
import os
import random
import socket
import time
from collections import deque
from pathlib import Path
from typing import Any

INSTANCE = os.environ.get("CREWD_INSTANCE", "reporting-0")
SOCKETS = (Path(__file__).resolve().parents[2] / ".crewd/run/crewd.sock", Path("/run/crewd/crewd.sock"))
EVERY_SEC = float(os.environ.get("REPORT_EVERY_SEC", "10"))
TIMEOUT_SEC = 5.0
KEPT_MOST = 1000
OK = 200


def socket_path() -> str:
    """Return where crewd is to be reached: that may come later than this process does."""
    there = next((str(path) for path in SOCKETS if path.exists()), str(SOCKETS[-1]))
    return os.environ.get("REPORT_TO", there)


class Crewd(http.client.HTTPConnection):
    """HTTP to crewd's socket."""

    def __init__(self) -> None:
        super().__init__("localhost", timeout=TIMEOUT_SEC)

    def connect(self) -> None:
        """Connect to the socket in the place of a port."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(socket_path())


def report(what: str, body: dict[str, Any]) -> bool:
    """Tell crewd; return whether it was taken."""
    crewd = Crewd()
    try:
        text = json.dumps(body)
        crewd.request("POST", f"/api/v1/workers/{INSTANCE}/{what}", text, {"Content-Type": "application/json"})
        return crewd.getresponse().status == OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        crewd.close()


def main() -> None:
    """Work, and say so."""
    accounts = int(os.environ.get("MAX_ACCOUNTS", "3"))
    errors = 0
    unsaid: deque[dict[str, Any]] = deque(maxlen=KEPT_MOST)
    while True:
        tasks = random.randint(0, accounts)
        if not tasks:
            errors += 1
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            unsaid.append({"kind": "error", "message": "nothing to do", "details": {"errors": errors}, "at": now})
        report("heartbeat", {"assigned_accounts": accounts, "active_tasks": tasks, "error_count": errors})
        if unsaid and report("logs", {"entries": list(unsaid)}):
            unsaid.clear()
        time.sleep(EVERY_SEC)


if __name__ == "__main__":
    main()
