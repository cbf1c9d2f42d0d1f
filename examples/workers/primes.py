#!/usr/bin/env python3
"""One of several: each instance looks for primes on its own stretch of the number line, told by its slot."""

import os
import time
from itertools import count


def is_prime(number: int) -> bool:
    """Return whether no smaller number divides it."""
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


def main() -> None:
    """Print a prime a second."""
    name = os.environ["CREWD_INSTANCE"]
    slot = int(name.rpartition("-")[2])
    for number in count((slot + 1) * 1_000_000):
        if is_prime(number):
            print(f"{name}: {number}", flush=True)
            time.sleep(1)


if __name__ == "__main__":
    main()
