"""What keeps workers from running, or from being heard. Pure."""

from collections.abc import Iterator
from shlex import quote

from crewd.doctor.facts import Entry, Facts, Kind
from crewd.doctor.finding import Area, Finding, problem, warning
from crewd.model.record import Standing

_AREA = Area.WORKERS
_ROOT = 0
SHOWN_MOST = 5


def check_workers(facts: Facts) -> Iterator[Finding]:
    """Look at who was given up, and where output goes."""
    given_up = [str(one["instance"]) for one in facts.instances if one.get("standing") == Standing.GIVEN_UP]
    if given_up:
        what = f"{_named(given_up)} died too often, and is not started any more"
        yield warning(
            _AREA, "given-up", what, remedy=f"crewctl why {given_up[0]}; once it is mended: crewctl start {given_up[0]}"
        )
    for path in facts.files.logs:
        yield from _logs(facts, path)


def _logs(facts: Facts, path: str) -> Iterator[Finding]:
    entry = facts.files.entries.get(path)
    if entry is None:
        seen = not any(path.startswith(one.what) for one in facts.unseen)
        if seen and path == facts.home.worker_logs:  # of another the configuration's own doubts tell
            what = "there is no such directory: the output of workers is lost"
            yield problem(
                _AREA, "log-directory", what, path=path, remedy=f"mkdir -m 0750 {path}, owned by uid {facts.engine_uid}"
            )
    elif entry.kind not in (Kind.DIRECTORY, Kind.SYMLINK) or not may_write(entry, facts.engine_uid):
        what = f"supervisord, which is uid {facts.engine_uid}, may not write to it: the output of workers is lost"
        yield problem(
            _AREA,
            "log-directory",
            what,
            path=path,
            remedy=f"chown {facts.engine_uid} {quote(path)}; chmod u+rwx {quote(path)}",
        )


def may_write(entry: Entry, uid: int) -> bool:
    """Return whether a user may write there; a group that may is taken for theirs."""
    if uid == _ROOT or entry.kind is Kind.SYMLINK:
        return True
    return bool(entry.mode & (0o200 if entry.uid == uid else 0o022))


def _named(names: list[str]) -> str:
    more = len(names) - SHOWN_MOST
    return ", ".join(names[:SHOWN_MOST]) + (f" and {more} more" if more > 0 else "")
