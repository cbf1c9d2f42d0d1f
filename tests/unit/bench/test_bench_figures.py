"""The bench judges rightly: quantiles, targets and stamps."""

import struct
from pathlib import Path

from bench.figures import Figures, Key, quantile, summary
from bench.stamps import Stamp, Stamps
from bench.targets import Line, lines


def judged(figures: Figures, beginning: str) -> Line:
    """Return the first target that begins so."""
    return next(line for line in lines(figures) if line.target.startswith(beginning))


def test_a_quantile_is_a_sample_that_was_measured() -> None:
    """p99 of a hundred is the second largest, of ten the largest."""
    assert quantile(range(1, 101), 0.99) == 99
    assert quantile(range(1, 11), 0.99) == 10
    assert quantile([7.5], 0.99) == 7.5


def test_a_summary_counts_its_samples() -> None:
    """Median, p99, max and n."""
    assert summary([3.0, 1.0, 2.0]) == {"p50": 2.0, "p99": 3.0, "max": 3.0, "n": 3}


def test_a_target_beside_a_peer_is_met_where_crewd_is_no_slower() -> None:
    """The same promise is met or missed by what the peer needed in the same run."""
    figures = Figures()
    figures.add(Key("crash ms", 100, "crewd", logs=False), 2.0, 3.0, 4.0)
    figures.add(Key("crash ms", 100, "runit", logs=False), 3.0, 3.5, 3.9)

    assert judged(figures, "crash → new process, n = 100, p50 ≤ runit's").met is True
    assert judged(figures, "crash → new process, n = 100, p99 ≤ runit's").met is False


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    """Without one of the two sides nothing is claimed."""
    figures = Figures()
    figures.add(Key("crash ms", 100, "crewd", logs=True), 2.0)

    assert {line.met for line in lines(figures)} == {None}


def test_one_doubled_worker_misses_its_target() -> None:
    """Losses and doubles are added up over all storms, never averaged away."""
    figures = Figures()
    figures.add(Key("twice", 1000, "crewd", logs=False), 0, 0, 1, 0)

    assert judged(figures, "none twice").met is False


def test_stamps_are_read_as_they_are_appended(tmp_path: Path) -> None:
    """Each record goes to its slot, once, oldest first."""
    stamps = Stamps(tmp_path / "stamps", 2)
    with stamps.path.open("ab") as file:
        file.write(struct.pack("=IIQ", 1, 4711, 10))
        file.flush()
        stamps.read()
        file.write(struct.pack("=IIQ", 1, 4712, 20) + struct.pack("=IIQ", 0, 4713, 30))
        file.flush()
        stamps.read()

    assert stamps.starts == [[Stamp(4713, 30)], [Stamp(4711, 10), Stamp(4712, 20)]]
    stamps.close()
