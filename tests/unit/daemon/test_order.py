"""How long a graceful stop may take."""

from math import inf

from crewd.model.spec import CrewSpec, EngineSpec, WorkerSpec
from crewd.policy.order import longest_stop_sec


def crew(*workers: tuple[int, float], **listener: str) -> CrewSpec:
    """Return a crew of workers, by priority and stop timeout, and one listener where options are given."""
    specs = (
        WorkerSpec(f"w{n}", ("true",), priority=priority, timeout_stop_sec=timeout)
        for n, (priority, timeout) in enumerate(workers)
    )
    return CrewSpec(
        {spec.worker_id: spec for spec in specs},
        engine=EngineSpec(eventlisteners={"one": listener} if listener else {}),
    )


def test_one_priority_takes_its_longest_timeout() -> None:
    """They stop together."""
    assert longest_stop_sec(crew((1, 5.0), (1, 30.0), (1, 10.0))) == 30.0


def test_priorities_add_up() -> None:
    """They stop one after the other."""
    assert longest_stop_sec(crew((1, 5.0), (2, 30.0), (2, 7.0))) == 35.0


def test_fractions_are_rounded_as_supervisord_does() -> None:
    """stopwaitsecs is whole seconds."""
    assert longest_stop_sec(crew((1, 0.2), (2, 0.2))) == 2.0


def test_listeners_count() -> None:
    """With supervisord's defaults where they say nothing, or nonsense."""
    assert longest_stop_sec(crew((1, 5.0), command="x")) == 15.0
    assert longest_stop_sec(crew((1, 5.0), priority="1", stopwaitsecs="3")) == 5.0
    assert longest_stop_sec(crew((1, 5.0), stopwaitsecs="soon")) == 15.0


def test_no_timeout_is_for_ever() -> None:
    """And an empty crew is at once."""
    assert longest_stop_sec(crew((1, inf))) == inf
    assert longest_stop_sec(CrewSpec()) == 0.0
