"""``python -m bench``: measure, print Markdown on stdout, write JSON. Fails only where nothing can be measured."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from bench.peers import PEERS
from bench.plan import FULL, QUICK
from bench.reaper import run_reaped
from bench.report import as_json, markdown
from bench.run import PARTS, measure_all


def main() -> int:
    """Run under the reaper."""
    return run_reaped(measure)


def measure() -> int:
    """Do what the options say."""
    options = _options()
    planned = QUICK if options.quick else FULL
    sizes = tuple(size for size in planned.sizes if not options.sizes or size.n in options.sizes)
    log_modes = {"both": (False, True), "no": (False,), "yes": (True,)}[options.logs]
    figures, failures = measure_all(replace(planned, sizes=sizes), options.parts, tuple(options.peers), log_modes)
    options.json.write_text(as_json(figures, failures))
    print(markdown(figures, failures))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench", description="crewd, runit and stock supervisord, interleaved in one run"
    )
    parser.add_argument(
        "--quick", action="store_true", help="up to 100 workers, and less of all, instead of up to 3000"
    )
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=PARTS,
        default=list(PARTS),
        help="only these: the engine beside its peers, the daemon with 1000 workers, its API, the store",
    )
    parser.add_argument("--sizes", type=int, nargs="+", help="only these numbers of workers, of those that are planned")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), help="only these")
    parser.add_argument(
        "--logs", choices=("both", "no", "yes"), default="both", help="with log files, without, or both"
    )
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parents[2] / "bench-results.json", help="where the samples go"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
