"""The codec of a journal line."""

import json
from math import inf, nan
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crew_strategies import events, facts
from crewd.model.facts import (
    JOURNAL_VERSION,
    ClockJumped,
    Event,
    Exited,
    Fact,
    Gap,
    GenerationEnded,
    Judged,
    Spawned,
    SpawnFailed,
    Starting,
    TableApplied,
)
from crewd.model.journal_line import JournalLineError, decode, encode, type_word
from crewd.model.reasons import Cause, Reason, Verdict

CLASSES: tuple[type[Fact], ...] = get_args(Fact)
EXITED = Event(7, 12.5, 1.7e9, Exited("web-0", "g.3", 42, Reason.CORE_DUMP, None, 11, core=True, ran_sec=0.25))


def changed(event: Event, **members: object) -> str:
    """Return the event's line with members replaced; ``...`` takes one out."""
    line = json.loads(encode(event)) | members
    return json.dumps({name: value for name, value in line.items() if value is not ...})


@given(event=st.one_of([events(facts(cls)) for cls in CLASSES]))
def test_every_fact_survives_its_line(event: Event) -> None:
    """Decoding gives the equal event back, types and enums included, whatever the values."""
    line = encode(event)
    read = decode(line.encode("ascii"))

    assert read == event
    assert [type(value) for value in vars_of(read)] == [type(value) for value in vars_of(event)]


def vars_of(event: Event) -> list[object]:
    return [getattr(event.fact, name) for name in event.fact.__dataclass_fields__]


@given(event=st.one_of([events(facts(cls)) for cls in CLASSES]))
def test_a_line_is_one_line(event: Event) -> None:
    """Nothing in a value can end the line early, for any reader's idea of a line's end."""
    line = encode(event)

    assert line.endswith("\n")
    assert len(line.splitlines()) == 1


def test_a_line_reads_as_documented() -> None:
    """The members and their order are a promise to other readers."""
    assert encode(EXITED) == (
        '{"v":1,"seq":7,"boottime":12.5,"at":1700000000.0,"type":"exited","instance":"web-0","token":"g.3","pid":42,'
        '"reason":"CoreDump","code":null,"signal":11,"core":true,"ran_sec":0.25,"commanded":false}\n'
    )


def test_the_type_of_a_line_is_the_facts_name() -> None:
    """CamelCase becomes snake_case, and no two facts share a word."""
    words = [type_word(cls) for cls in CLASSES]

    assert type_word(SpawnFailed) == "spawn_failed"
    assert len(set(words)) == len(words)


@given(event=st.one_of([events(facts(cls)) for cls in (Exited, Judged, TableApplied)]), data=st.data())
def test_a_torn_line_is_refused(event: Event, data: st.DataObject) -> None:
    """Cut anywhere before its last brace, a line is no line."""
    line = encode(event)
    cut = data.draw(st.integers(0, len(line) - 3))

    with pytest.raises(JournalLineError):
        decode(line[:cut])


def test_unknown_members_are_skipped() -> None:
    """A newer engine of the same version may write more."""
    assert decode(changed(EXITED, cgroup="/crewd", weight={"a": [1]})) == EXITED


def test_a_member_with_a_default_may_be_missing() -> None:
    """An older engine of the same version may have written less."""
    spawned = Event(1, 1.0, 1.0, Spawned("web-0", "g.1", 2, 3))

    assert decode(changed(spawned, method=..., lag_sec=...)) == spawned


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\n",
        "null",
        "[]",
        "7",
        "[" * 100_000,
        b"\xff\xfe\x00",
        changed(EXITED, v=JOURNAL_VERSION + 1),
        changed(EXITED, v=...),
        changed(EXITED, type="levitated"),
        changed(EXITED, type=...),
        changed(EXITED, type=["exited"]),
        changed(EXITED, token=...),
        changed(EXITED, reason="Boredom"),
        changed(EXITED, reason={}),
        changed(EXITED, seq=...),
        changed(EXITED, seq="many"),
        changed(EXITED, seq=None),
        changed(EXITED, at=...),
        changed(EXITED, at="now"),
        changed(EXITED, boottime=nan),
        changed(EXITED, boottime=inf),
        changed(EXITED, at="nan"),
        changed(EXITED, ran_sec=nan),
        encode(EXITED).replace("12.5", "1e999"),
        encode(EXITED).replace('"seq":7', '"seq":1e999'),
        changed(Event(1, 1.0, 1.0, TableApplied("t")), added=5),
    ],
)
def test_what_is_no_line_is_refused_with_a_sentence(line: str | bytes) -> None:
    """Unknown versions, unknown types, missing members, wrong values, numbers that are none: one error for all."""
    with pytest.raises(JournalLineError, match=r"^cannot read journal line: "):
        decode(line)


@pytest.mark.parametrize("number", [nan, inf, -inf])
def test_a_number_that_is_none_is_never_written(number: float) -> None:
    """It would be no JSON."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode(Event(1, 1.0, 1.0, ClockJumped(number)))


def test_enums_come_back_as_enums() -> None:
    """Also inside optional fields."""
    judged = decode(encode(Event(1, 1.0, 1.0, Judged("web-0", Reason.SIGNAL, Verdict.PREVENTED)))).fact
    starting = decode(encode(Event(1, 1.0, 1.0, Starting("web-0", "g.1", Cause.CONFIG)))).fact

    assert isinstance(judged, Judged)
    assert judged.verdict is Verdict.PREVENTED
    assert isinstance(starting, Starting)
    assert starting.cause is Cause.CONFIG


@pytest.mark.parametrize("fact", [Gap(1, 5, 5), GenerationEnded("reload")])
def test_facts_of_the_whole_engine_have_lines_too(fact: Fact) -> None:
    """Not every line concerns an instance."""
    assert decode(encode(Event(3, 1.0, 2.0, fact))).fact == fact
