#!/usr/bin/env python3
"""A worker that dies at once, each time: what it needs is not there. crewd gives it up in the end."""

import sys
from pathlib import Path


def main() -> None:
    """Read a file that does not exist."""
    try:
        Path("/nonexistent/settings.ini").read_text(encoding="utf-8")
    except OSError as cause:
        sys.exit(f"cannot read settings: {cause}")


if __name__ == "__main__":
    main()
