"""``python -m crewd.man DIRECTORY``: write all man pages there."""

import sys
from pathlib import Path

from crewd.man import PAGES


def main() -> None:
    """Write them."""
    for name, page in PAGES.items():
        Path(sys.argv[1], name).write_text(page(), encoding="ascii")


if __name__ == "__main__":
    main()
