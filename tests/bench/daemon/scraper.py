"""``python -m bench.daemon.scraper PORT``: scrapes without pause until it is ended; says ``scraped`` after each one."""

import sys
from http.client import HTTPConnection

from bench.daemon.asking import get


def main() -> None:
    """Scrape for ever."""
    while True:
        get(HTTPConnection("127.0.0.1", int(sys.argv[1])), "/metrics")
        print("scraped", flush=True)


if __name__ == "__main__":
    main()
