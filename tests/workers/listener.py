"""An event listener: ``listener.py FILE [reject=N] [die=N] [busy=SEC]``.

Appends one JSON line ``{"name", "serial", "header", "payload", "pid"}`` per event received. It answers FAIL to the
first ``reject`` events, dies after ``die`` events (unanswered), and takes ``busy`` seconds over each.
"""

import json
import os
import sys
import time


def headers(line: str) -> dict[str, str]:
    return dict(pair.split(":", 1) for pair in line.split())


def main(path: str, reject: int, die: int, busy: float) -> None:
    out, source = sys.stdout, sys.stdin
    seen = 0
    while True:
        out.write("READY\n")
        out.flush()
        line = source.readline()
        if not line:
            return
        header = headers(line)
        payload = source.read(int(header["len"]))
        first, _, rest = payload.partition("\n")
        event = {
            "name": header["eventname"],
            "serial": int(header["serial"]),
            "header": headers(first) if ":" in first else {},
            "payload": rest or payload,
            "pid": os.getpid(),
        }
        with open(path, "a") as file:
            file.write(json.dumps(event) + "\n")
        seen += 1
        if seen == die:
            os._exit(1)
        time.sleep(busy)
        answer = "FAIL" if seen <= reject else "OK"
        out.write(f"RESULT {len(answer)}\n{answer}")
        out.flush()


if __name__ == "__main__":
    wishes = dict(word.split("=", 1) for word in sys.argv[2:])
    main(sys.argv[1], int(wishes.get("reject", "0")), int(wishes.get("die", "0")), float(wishes.get("busy", "0")))
