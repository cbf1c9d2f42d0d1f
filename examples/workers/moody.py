#!/usr/bin/env python3
"""A worker that dies now and then: by an exit status, by an exception, or by a signal, as programs do."""

import os
import random
import signal
import sys
import time


def main() -> None:
    """Work for a while, then die in one of three ways."""
    lifetime = random.uniform(5, 25)
    print(f"will last {lifetime:.1f} s", flush=True)
    time.sleep(lifetime)
    match random.choice(("status", "exception", "signal")):
        case "status":
            sys.exit(3)
        case "exception":
            raise RuntimeError("lost the connection to nowhere")
        case _:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
