"""Writes the dashboards: python packaging/grafana/write.py [DIRECTORY]. Without one, where they are kept."""

import json
import sys
from pathlib import Path

import overview
import worker

KEPT = Path(__file__).parent / "dashboards"


def main() -> None:
    """Write each under its uid."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else KEPT
    for found in (overview.build(), worker.build()):
        (directory / f"{found['uid']}.json").write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
