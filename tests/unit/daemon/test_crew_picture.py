"""The picture of the crew: folded from the journal, and honest about its age."""

from crewd.model.facts import (
    Event,
    Exited,
    Fact,
    FaultCaught,
    Judged,
    LeftoverEnded,
    Removed,
    SegmentOpened,
    Spawned,
    Starting,
    StateChanged,
    TableApplied,
)
from crewd.model.reasons import Cause, Reason, Verdict
from crewd.model.record import Record, Standing, to_json
from crewd.model.states import ProcessState, Status
from crewd.reconcile.crew import Crew
from crewd.reconcile.port import Batch

GENERATION = "00000001-abcdef"


def batch(*facts: Fact, first: int = 1, generation: str = GENERATION) -> Batch:
    """Return facts as they were read together."""
    return Batch(generation, tuple(Event(first + n, 100.0 + n, 1e9 + n, fact) for n, fact in enumerate(facts)))


def seen(crew: Crew, *facts: Fact, first: int = 1, generation: str = GENERATION) -> list[Fact]:
    """Let the crew observe these, return those that were new."""
    return [event.fact for _, event in crew.observe(batch(*facts, first=first, generation=generation))]


def snapshot(**records: Record) -> SegmentOpened:
    """Return a snapshot, ``web_0`` meaning ``web-0``."""
    return SegmentOpened(GENERATION, "b", {name.replace("_", "-"): to_json(one) for name, one in records.items()})


def running(name: str, pid: int) -> tuple[Fact, ...]:
    """Return how an instance comes up."""
    return (
        Starting(name, "t", Cause.BOOT),
        Spawned(name, "t", pid, 7),
        StateChanged(name, ProcessState.STARTING, ProcessState.RUNNING),
    )


def test_a_snapshot_is_the_whole_picture() -> None:
    """Whoever is not in it is not there."""
    crew = Crew()
    seen(crew, *running("old-0", 5))

    seen(crew, snapshot(web_0=Record(Standing.UP, ProcessState.RUNNING, pid=6)), first=9)
    assert set(crew.records) == {"web-0"}


def test_the_picture_follows_the_events() -> None:
    """From one event to the next."""
    crew = Crew()
    seen(crew, snapshot(), TableApplied("t", added=("web-0",)), *running("web-0", 7))

    assert crew.status("web-0") is Status.RUNNING
    assert crew.running() == {"web-0": (7, 7)}
    assert (crew.generation, crew.sequence, crew.table) == (GENERATION, 5, "t")


def test_an_instance_that_was_only_added_is_stopped() -> None:
    """autostart: false, and nobody asked yet."""
    crew = Crew()
    seen(crew, TableApplied("t", added=("web-0",)))

    assert crew.status("web-0") is Status.STOPPED


def test_a_removed_instance_is_forgotten() -> None:
    """Also where the engine has a last word on it."""
    crew = Crew()
    seen(crew, *running("web-0", 7), Removed("web-0"), LeftoverEnded("web-0", "t", 7), FaultCaught("x", "y", "web-0"))

    assert not crew.records


def test_each_event_is_told_once() -> None:
    """Reading a segment again, from its snapshot, makes no news; what comes after does."""
    crew = Crew()
    first = (snapshot(), *running("web-0", 7))
    seen(crew, *first)

    assert seen(crew, *first, Removed("web-0")) == [Removed("web-0")]


def test_a_new_generation_counts_anew() -> None:
    """Its first line is news although its number was seen before."""
    crew = Crew()
    seen(crew, snapshot(), *running("web-0", 7))

    assert seen(crew, snapshot(), generation="00000002-abcdef") == [snapshot()]


def test_the_record_before_an_event_comes_with_it() -> None:
    """What is logged of a start depends on what was before."""
    crew = Crew()
    seen(crew, *running("web-0", 7))

    [(before, _)] = crew.observe(batch(Exited("web-0", "t", 7, Reason.EXIT_CODE, 1, None, False, 2.0), first=9))
    assert before.pid == 7
    assert crew.records["web-0"].pid == 0


def test_a_clean_end_is_stopped_and_any_other_is_crashed() -> None:
    """EXITED is one process state and two statuses."""
    crew = Crew()
    for name, reason in (("good-0", Reason.CLEAN_EXIT), ("bad-0", Reason.EXIT_CODE)):
        ends = (
            Exited(name, "t", 7, reason, 0, None, False, 2.0),
            Judged(name, reason, Verdict.NOT_WANTED),
            StateChanged(name, ProcessState.RUNNING, ProcessState.EXITED),
        )
        seen(crew, *running(name, 7), *ends, first=crew.sequence + 1)

    assert crew.status("good-0") is Status.STOPPED
    assert crew.status("bad-0") is Status.CRASHED
    assert str(crew.summary()) == "2 workers (2 instances): 1 stopped, 1 crashed"


def test_the_summary_counts_workers_and_instances() -> None:
    """Instances of one worker are told by the last dash."""
    crew = Crew()
    seen(crew, TableApplied("t", added=("web-0", "web-1", "my-job-0")), *running("web-0", 7))

    assert str(crew.summary()) == "2 workers (3 instances): 1 running, 2 stopped"
    assert str(Crew().summary()) == "0 workers (0 instances): none"


def test_the_workers_are_those_of_the_picture_at_any_time() -> None:
    """Sorted, instances by number; made anew when a name comes or goes, and not before."""
    crew = Crew()
    names = [f"web-{number}" for number in (0, 10, 2)]
    seen(crew, snapshot(), TableApplied("t", added=("mail-0", *names)))
    assert crew.workers == {"mail": ["mail-0"], "web": ["web-0", "web-2", "web-10"]}

    before = crew.workers
    seen(crew, *running("web-0", 7), first=9)
    assert crew.workers is before

    seen(crew, Removed("web-2"), first=20)
    assert crew.workers["web"] == ["web-0", "web-10"]
    seen(crew, *running("new-0", 8), first=30)
    assert list(crew.workers) == ["mail", "new", "web"]
    seen(crew, snapshot(other_0=Record()), first=40)
    assert crew.workers == {"other": ["other-0"]}
