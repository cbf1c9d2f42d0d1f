#!/usr/bin/env python3
"""A steady worker: says every few seconds what it has seen of the machine, and never dies by itself."""

import os
import time


def main() -> None:
    """Report the load until somebody stops it."""
    while True:
        one, five, fifteen = os.getloadavg()
        print(f"load {one:.2f} {five:.2f} {fifteen:.2f}", flush=True)
        time.sleep(5)


if __name__ == "__main__":
    main()
