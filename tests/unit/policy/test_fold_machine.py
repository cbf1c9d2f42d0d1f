"""Any course of an instance's life: the journal read back always gives the record that the engine holds."""

import json
from collections.abc import Iterable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from crew_strategies import endings, jitters, policies, seconds, text
from crewd.model import journal_line, record
from crewd.model.facts import (
    Commanded,
    Event,
    Exited,
    Fact,
    Judged,
    Lost,
    SegmentOpened,
    Spawned,
    SpawnFailed,
    Starting,
    StateChanged,
)
from crewd.model.reasons import Cause, Verdict
from crewd.model.record import REMEMBERED_EXITS, Record, Standing
from crewd.model.spec import RestartPolicy
from crewd.model.states import ProcessState
from crewd.policy.fold import fold
from crewd.policy.restart import Ending, History, Restart, decide, reason_of

NAME = "web-0"


def read_back(lines: Iterable[str]) -> Record:
    """Fold the lines of one instance as a reader does: a snapshot stands for all lines before it."""
    found = Record()
    for line in lines:
        event = journal_line.decode(line)
        if isinstance(event.fact, SegmentOpened):
            found = record.from_json(event.fact.records[NAME])
        else:
            found = fold(found, event)
    return found


class Life(RuleBasedStateMachine):
    """An engine with one instance: it journals each fact, then folds it. Beside it, what is expected of the record."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.live = Record()
        self.lines: list[str] = []
        self.last_snapshot = 0
        self.restarts = 0
        self.history: list[float] = []

    @initialize(policy=policies)
    def begin(self, policy: RestartPolicy) -> None:
        self.policy = policy

    def journal(self, fact: Fact) -> None:
        event = Event(len(self.lines) + 1, self.now, 1.7e9 + self.now, fact)
        self.lines.append(journal_line.encode(event))
        self.live = fold(self.live, event)

    @rule(wait=seconds)
    def time_passes(self, wait: float) -> None:
        self.now += wait

    @precondition(lambda self: not self.live.token)
    @rule(cause=st.sampled_from(Cause), settings_hash=text)
    def starts(self, cause: Cause, settings_hash: str) -> None:
        self.journal(Starting(NAME, f"g.{len(self.lines) + 1}", cause, settings_hash, settings_hash))
        self.history = [*([] if cause in {Cause.COMMAND, Cause.CONFIG} else self.history), self.now]
        self.restarts += cause is Cause.RESTART

    @precondition(lambda self: self.live.token and not self.live.pid)
    @rule(pid=st.integers(2, 2**22), ticks=st.integers(1, 2**40))
    def is_spawned(self, pid: int, ticks: int) -> None:
        self.journal(Spawned(NAME, self.live.token, pid, ticks))

    @precondition(lambda self: self.live.token)
    @rule(ending=endings(), jitter=jitters, message=text, judged=st.booleans())
    def ends(self, ending: Ending, jitter: float, message: str, judged: bool) -> None:
        reason = reason_of(self.policy, ending)
        if ending.spawn_failed:
            self.journal(SpawnFailed(NAME, self.live.token, "exec", 2, message))
        else:
            how = (ending.code, ending.signal, ending.core, ending.ran_sec)
            self.journal(Exited(NAME, self.live.token, self.live.pid, reason, *how))
        if judged:
            self.is_judged(ending, jitter)

    def is_judged(self, ending: Ending, jitter: float) -> None:
        verdict = decide(self.policy, History(self.live.starts, self.live.restarts), ending, self.now, jitter)
        delay = verdict.after_sec if isinstance(verdict, Restart) else None
        due = None if delay is None else self.now + delay
        self.journal(Judged(NAME, verdict.reason, verdict.verdict, delay, due, verdict.fresh))
        self.history = [] if verdict.fresh else self.history

    @precondition(lambda self: self.live.token)
    @rule()
    def is_lost(self) -> None:
        self.journal(Lost(NAME, self.live.token, self.live.pid or None))

    @rule(verb=st.sampled_from(["start", "stop", "restart", "reset_failed"]), who=text)
    def is_commanded(self, verb: str, who: str) -> None:
        self.journal(Commanded(NAME, verb, who, "supervisorctl"))
        self.history = self.history if verb == "stop" else []

    @rule(state=st.sampled_from(ProcessState))
    def changes_state(self, state: ProcessState) -> None:
        before = self.live.standing
        self.journal(StateChanged(NAME, self.live.process_state, state))
        assert self.live.standing is before

    @rule()
    def opens_a_segment(self) -> None:
        self.last_snapshot = len(self.lines)
        self.journal(SegmentOpened("g", "b", {NAME: record.to_json(self.live)}))

    @invariant()
    def the_whole_journal_gives_the_live_record(self) -> None:
        assert read_back(self.lines) == self.live

    @invariant()
    def the_newest_segment_alone_gives_the_live_record(self) -> None:
        assert read_back(self.lines[self.last_snapshot :]) == self.live

    @invariant()
    def a_record_survives_its_own_codec(self) -> None:
        assert record.from_json(json.loads(json.dumps(record.to_json(self.live)))) == self.live

    @invariant()
    def the_counts_are_those_that_happened(self) -> None:
        assert self.live.restart_count == self.restarts
        assert list(self.live.starts) == self.history
        assert len(self.live.exits) <= REMEMBERED_EXITS

    @invariant()
    def a_due_restart_belongs_to_an_instance_that_is_to_run_and_does_not(self) -> None:
        if self.live.due_at is not None:
            assert self.live.standing is Standing.UP
            assert not self.live.token
            assert self.live.exits[-1].verdict is Verdict.RESTARTED


Life.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestLife = Life.TestCase
