"""What an ended crewd-apply meant."""

import json

from crewd.reconcile.port import Applied, ApplyFailed, ApplyRefused
from crewd.supervisord.applier import read_result

ANSWER = {
    "name": "abc",
    "changed": True,
    "engine": {"table": "abc"},
    "warnings": ["mind the gap"],
    "plan": {"added": ["web-0"], "removed": [], "restarted": [], "changed": [], "kept": 3},
}


def test_the_answer_is_read() -> None:
    """Names and counts as they come."""
    plan = {"added": ("web-0",), "changed": (), "restarted": (), "removed": (), "kept": 3}

    read = read_result(0, json.dumps(ANSWER).encode(), "")
    assert read == Applied("abc", changed=True, plan=plan, warnings=("mind the gap",), told=True)


def test_what_the_engine_did_is_what_was_done() -> None:
    """Where it undoes drift, of which the files know nothing, that is told, and was not kept."""
    drift = {"table": "abc", "added": ["web-0", "web-1"], "changed": [], "restarted": ["web-2"], "removed": ["x"]}

    read = read_result(0, json.dumps({**ANSWER, "engine": {**drift, "listeners": []}}).encode(), "")
    assert isinstance(read, Applied)
    assert read.plan == {
        "added": ("web-0", "web-1"),
        "changed": (),
        "restarted": ("web-2",),
        "removed": ("x",),
        "kept": 1,
    }


def test_no_engine_was_told() -> None:
    """Where none runs."""
    read = read_result(0, json.dumps({**ANSWER, "engine": None}).encode(), "")

    assert isinstance(read, Applied)
    assert not read.told


def test_mistakes_come_one_per_line() -> None:
    """Exit 78."""
    assert read_result(78, b"", "a.yaml:1:1: x: y\n\na.yaml:2:1: x: z\n") == ApplyRefused(
        ("a.yaml:1:1: x: y", "a.yaml:2:1: x: z")
    )


def test_any_other_failure_is_one_sentence() -> None:
    """The last line; a traceback ends with what matters."""
    assert read_result(1, b"", "Traceback\n  File\nOSError: disk full\n") == ApplyFailed("OSError: disk full")
    assert isinstance(read_result(-9, b"", ""), ApplyFailed)


def test_nonsense_is_a_failure() -> None:
    """Never taken for success."""
    for output in (b"", b"[]", b'{"name": 1}', b"{"):
        assert isinstance(read_result(0, output, ""), ApplyFailed)
