"""The snapshot's codec."""

import json

import pytest
from hypothesis import given

from crew_strategies import records
from crewd.model.reasons import Reason, Verdict
from crewd.model.record import PastExit, Record, Standing, from_json, to_json
from crewd.model.states import ProcessState

EXIT = PastExit(1.7e9, Reason.SIGNAL, None, 9, 2.5, "", Verdict.RESTARTED, 0.5)


@given(record=records)
def test_a_record_survives_its_members(record: Record) -> None:
    """Straight, and by way of JSON text."""
    assert from_json(to_json(record)) == record
    assert from_json(json.loads(json.dumps(to_json(record)))) == record


@given(record=records)
def test_enums_come_back_as_enums(record: Record) -> None:
    """An equal string would pass for one until somebody asks for its name."""
    read = from_json(json.loads(json.dumps(to_json(record))))

    assert isinstance(read.standing, Standing)
    assert isinstance(read.process_state, ProcessState)
    assert all(isinstance(past.reason, Reason) for past in read.exits)
    assert all(past.verdict is None or isinstance(past.verdict, Verdict) for past in read.exits)


def test_defaults_are_left_out() -> None:
    """A thousand idle instances make a short snapshot."""
    assert to_json(Record()) == {}
    assert to_json(Record(standing=Standing.UP, pid=7)) == {"standing": "up", "pid": 7}


def test_unknown_members_are_skipped() -> None:
    """Of the record and of its exits: a newer engine may write more."""
    members = to_json(Record(pid=7, exits=(EXIT,)))
    members["weight"] = 3
    members["exits"] = [{**members["exits"][0], "cgroup": "/crewd"}]

    assert from_json(members) == Record(pid=7, exits=(EXIT,))


@pytest.mark.parametrize(
    "members",
    [
        {"standing": "asleep"},
        {"process_state": 21},
        {"starts": None},
        {"starts": ["soon"]},
        {"exits": 3},
        {"exits": [{}]},
        {"exits": [{"reason": "Boredom"}]},
        {"exits": [{"reason": "Signal"}]},
        {"exits": [{**to_json(Record(exits=(EXIT,)))["exits"][0], "verdict": "Guilty"}]},
    ],
)
def test_what_is_no_record_is_refused(members: dict[str, object]) -> None:
    """With ValueError or TypeError, and no other exception."""
    with pytest.raises((ValueError, TypeError)):
        from_json(members)
