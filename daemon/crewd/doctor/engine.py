"""What the engine and the daemon tell of themselves: their own self-checks. Pure."""

from collections.abc import Iterator

from crewd.doctor.facts import Facts, Members
from crewd.doctor.finding import Area, Finding, problem, warning

_AREA = Area.ENGINE
LAG_MOST = 1000
CHOSEN = "the configuration asks for it"
"""The engine's words where supervisor's own loop is what was asked for."""


def check_engine(facts: Facts) -> Iterator[Finding]:
    """Look at what both say."""
    if facts.version is not None:
        yield from _mode(facts, facts.version)
        yield from _journal(facts, facts.version.get("journal") or {})
        if faults := facts.version.get("faults"):
            what = f"the engine failed {faults} times since supervisord started, and went on"
            yield warning(
                _AREA, "engine-faults", what, path=facts.home.supervisord_log, remedy="the log tells where: report it"
            )
    if facts.crew is not None:
        yield from _recording(facts.crew["recording"])


def _mode(facts: Facts, version: Members) -> Iterator[Finding]:
    reason = version.get("mode_reason")
    if version.get("mode") == "stock" and reason != CHOSEN and not facts.installed.unknown_parts:
        what = f"the engine uses supervisor's own loop, which is slower: {reason}"
        yield warning(_AREA, "stock-mode", what, remedy="install a version of supervisor that crewd knows")


def _journal(facts: Facts, journal: Members) -> Iterator[Finding]:
    path = facts.home.journal
    if error := journal.get("error"):
        what = f"the journal cannot be written: {error}; workers are restarted all the same"
        yield problem(
            _AREA, "journal", what, path=path, remedy="make room there, or mend the disk: it is tried again by itself"
        )
    elif lost := journal.get("lost"):
        what = f"{lost} lines of the journal were lost since supervisord started: they could not be written"
        yield warning(_AREA, "journal-lost", what, path=path)
    if discarded := journal.get("discarded_bytes"):
        what = f"{discarded} bytes of the journal went before they were recorded: nobody had fetched them for too long"
        yield warning(_AREA, "journal-lost", what, path=path, remedy="have crewd run, and its database answer")


def _recording(recording: Members) -> Iterator[Finding]:
    if trouble := recording["trouble"]:
        yield problem(
            _AREA,
            "not-recorded",
            f"what happens is not recorded: {trouble}",
            remedy="mend the database: it is tried again by itself",
        )
    elif (lag := recording["lag_events"]) > LAG_MOST:
        yield warning(
            _AREA,
            "recording-behind",
            f"recording is {lag} events behind",
            remedy="wait; if it grows, the database is too slow",
        )
