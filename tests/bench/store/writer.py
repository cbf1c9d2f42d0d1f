"""``python -m bench.store.writer DIRECTORY WORKERS RATE SECONDS``: writes a journal by the engine's own writer.

Prints, in JSON, how many lines it wrote and by how much it was late itself at the worst.
"""

import json
import sys
import time

from bench.store.lines import instances, records, storm
from crewd.model.record import to_json
from crewd_supervisord.journal import Journal

GENERATION = "00000001-bench0"
TURN_SEC = 0.005


def main() -> None:
    """Write RATE lines a second, evenly, for so many seconds."""
    directory, workers, rate, seconds = sys.argv[1], *map(int, sys.argv[2:])
    names = instances(workers)
    snapshot = {name: to_json(record) for name, record in records(names, time.time()).items()}
    journal = Journal(directory, GENERATION, "bench", lambda: snapshot, lambda line: print(line, file=sys.stderr))
    journal.open()
    facts = storm(names, GENERATION)
    begun, written, late_sec = time.monotonic(), 0, 0.0
    while written < rate * seconds:
        due = min(rate * seconds, int(rate * (time.monotonic() - begun)))
        for _ in range(due - written):
            journal.append(next(facts))
        written = due
        late_sec = max(late_sec, time.monotonic() - begun - written / rate)
        time.sleep(TURN_SEC)
    journal.close()
    print(json.dumps({"lines": journal.sequence, "late_sec": late_sec}))


if __name__ == "__main__":
    main()
