"""Hypothesis strategies for crewd's words: policies, endings, facts, records. Every value is one that can occur.

CREWD_EXAMPLES sets how many examples each property is tried on.
"""

import os
from math import inf

from hypothesis import settings
from hypothesis import strategies as st

from crewd.model.facts import Event, Fact
from crewd.model.reasons import Reason, Verdict
from crewd.model.record import REMEMBERED_EXITS, PastExit, Record, Standing
from crewd.model.spec import ExitStatusSet, RestartMode, RestartPolicy
from crewd.model.states import ProcessState
from crewd.policy.restart import Ending

settings.register_profile("crewd", max_examples=int(os.environ.get("CREWD_EXAMPLES", "20")), deadline=None)
settings.load_profile("crewd")

codes = st.integers(0, 255)
signals = st.integers(1, 31)
seconds = (st.integers(0, 128) | st.integers(0, 4000 * 64)).map(lambda n: n / 64)
"""Up to a bit over an hour, in steps that floats hold exactly; half of them below two seconds."""
jitters = st.integers(0, 1023).map(lambda n: n / 1024)
finite = st.floats(allow_nan=False, allow_infinity=False)
text = st.text(st.characters(), max_size=20)
"""Lone surrogates included: what ``os.fsdecode`` makes of bytes that are no UTF-8."""

status_sets = st.builds(ExitStatusSet, st.frozensets(codes, max_size=3), st.frozensets(signals, max_size=3))

policies = st.builds(
    RestartPolicy,
    restart=st.sampled_from(RestartMode),
    restart_sec=seconds,
    restart_steps=st.integers(0, 8),
    restart_max_delay_sec=seconds | st.just(inf),
    restart_randomized_delay_sec=seconds,
    start_limit_burst=st.integers(0, 12),
    start_limit_interval_sec=seconds | st.just(inf),
    restart_reset_sec=seconds | st.just(inf),
    start_success_sec=seconds,
    success_exit_status=status_sets,
    restart_prevent_exit_status=status_sets,
    restart_force_exit_status=status_sets,
)


@st.composite
def endings(draw: st.DrawFn) -> Ending:
    """Draw an exit by code, by signal with or without a core, or a spawn that failed."""
    kind = draw(st.sampled_from(["code", "signal", "spawn_failed"]))
    if kind == "spawn_failed":
        return Ending(spawn_failed=True)
    ran = draw(seconds)
    if kind == "code":
        return Ending(code=draw(codes), ran_sec=ran)
    return Ending(signal=draw(signals), core=draw(st.booleans()), ran_sec=ran)


past_exits = st.builds(
    PastExit,
    at=finite,
    reason=st.sampled_from(Reason),
    code=st.none() | codes,
    signal=st.none() | signals,
    ran_sec=finite,
    message=text,
    verdict=st.none() | st.sampled_from(Verdict),
    delay_sec=st.none() | finite,
)

records = st.builds(
    Record,
    standing=st.sampled_from(Standing),
    process_state=st.sampled_from(ProcessState),
    token=text,
    pid=st.integers(0, 2**22),
    start_ticks=st.integers(0, 2**62),
    started_at=st.none() | finite,
    started_wall=st.none() | finite,
    due_at=st.none() | finite,
    starts=st.lists(finite, max_size=4).map(tuple),
    restarts=st.integers(0, 10**6),
    restart_count=st.integers(0, 10**6),
    exits=st.lists(past_exits, max_size=REMEMBERED_EXITS).map(tuple),
    fingerprint=text,
    settings=text,
)

st.register_type_strategy(float, finite)
st.register_type_strategy(str, text)
_plain = st.recursive(st.none() | st.booleans() | st.integers() | finite | text, st.lists, max_leaves=4)
_snapshots = st.dictionaries(text, st.dictionaries(text, _plain, max_size=3), max_size=3)


def facts(cls: type[Fact]) -> st.SearchStrategy[Fact]:
    """Return a strategy for one class of facts; every field is drawn."""
    given = {"records": _snapshots} if "records" in cls.__dataclass_fields__ else {}
    return st.builds(cls, **{name: given.get(name, ...) for name in cls.__dataclass_fields__})


def events(fact: st.SearchStrategy[Fact]) -> st.SearchStrategy[Event]:
    """Return a strategy for events that carry such a fact."""
    return st.builds(Event, sequence=st.integers(1, 2**53), boottime=finite, at=finite, fact=fact)
