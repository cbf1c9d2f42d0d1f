"""The words that the operator writes."""

import pytest

from crewd.model.spec import CLEAN_EXITS, ExitStatusSet, WorkerSpec


@pytest.mark.parametrize(
    ("code", "signal", "held"),
    [(0, None, True), (1, None, False), (15, None, False), (None, 15, True), (None, 9, False), (None, None, False)],
)
def test_a_status_set_tells_codes_from_signals(code: int | None, signal: int | None, held: bool) -> None:
    """Exit code 15 is not SIGTERM; a run without either is in no set."""
    assert CLEAN_EXITS.holds(code, signal) is held


def test_an_empty_set_holds_nothing() -> None:
    """Neither a zero nor a None."""
    assert not ExitStatusSet().holds(0, None)
    assert not ExitStatusSet().holds(None, None)


def test_a_single_instance_is_numbered_too() -> None:
    """Scaling to two renames nobody."""
    assert WorkerSpec("web", ("true",)).instance_names == ("web-0",)
    assert WorkerSpec("web", ("true",), instances=3).instance_names == ("web-0", "web-1", "web-2")
