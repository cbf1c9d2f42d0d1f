"""What crewctl follows, against a server with canned answers: events and logs."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import stays, wait_for
from harness.canned_api import Api, Asked, Feed, Reply, data, no, parts
from harness.crewctl import COMMAND, Terminal, crewctl, environ
from harness.crewctl_answers import event


def sse(one: dict[str, Any]) -> bytes:
    """Return an event as a stream has it."""
    place = f"{one['generation']}.{one['sequence']}"
    return f"id: {place}\nevent: {one['type']}\ndata: {json.dumps(one)}\n\n".encode()


def paged(count: int) -> Callable[[Asked], Reply]:
    """Return answers to GET /events as of a store that has so many, numbered from 1."""

    def answer(asked: Asked) -> Reply:
        query = dict(asked.query)
        end = int(query.get("cursor", count + 1))
        first = max(1, end - int(query["limit"]))
        events = [event("removed", f"web-{number}", number) for number in range(first, end)]
        return data({"events": events, "next_cursor": str(first) if first > 1 else None})

    return answer


def stream(feed: Feed) -> Reply:
    """Return an answer that goes on."""
    return Reply(kind="text/event-stream", parts=feed)


def followed(count: int, *feeds: Feed) -> Callable[[Asked], Reply]:
    """Return answers as of a store that has so many, and to each that follows the next of the feeds."""
    streams = iter(feeds)
    return lambda asked: stream(next(streams)) if ("follow", "true") in asked.query else paged(count)(asked)


def test_events_are_told_in_words(api: Api, root: Path) -> None:
    """The newest twenty, the newest last, of what is asked for."""
    api.serve(
        "GET /events",
        data({"events": [event("removed"), event("gap", None, first=1, last=2, lost=2)], "next_cursor": None}),
    )
    ran = crewctl(root, "events", "web", "--type", "removed", "--type", "gap")

    assert ran.stdout.splitlines() == [
        "2026-01-31 09:00:00.000  web-0           removed from the crew",
        "2026-01-31 09:00:00.000  supervisord     2 events were not recorded: 1 to 2",
    ]
    assert api.last().query == (("instance", "web"), ("type", "removed"), ("type", "gap"), ("limit", "20"))


def test_events_for_programs_are_one_object_a_line(api: Api, root: Path) -> None:
    """As the API has them."""
    api.serve("GET /events", paged(3))
    ran = crewctl(root, "events", "-o", "json")

    assert [json.loads(line)["sequence"] for line in ran.stdout.splitlines()] == [1, 2, 3]


def test_events_come_page_by_page(api: Api, root: Path) -> None:
    """As many as asked for; with a beginning and no number, all since then."""
    api.serve("GET /events", paged(2500))

    counts = [len(crewctl(root, "events", *more).stdout.splitlines()) for more in (["-n", "1200"], ["--since", "1h"])]
    assert counts == [1200, 2500]
    assert dict(api.last().query)["since"] == "1h"
    first = crewctl(root, "events", "--since", "1h", "-o", "json").stdout.splitlines()[0]
    assert json.loads(first)["sequence"] == 1


def test_events_are_followed_through_a_restart_of_the_daemon(api: Api, root: Path) -> None:
    """It waits for the next daemon and goes on behind the last event; Ctrl-C ends it quietly with 130."""
    first, second = Feed(), Feed()
    api.serve("GET /events", followed(1, first, second))
    with Terminal(root, "events", "-f", "web") as terminal:
        terminal.reads("web-1 ")
        first.send(b": keepalive\n\n" + sse(event("removed", "web-2", 2)))
        terminal.reads("web-2 ")
        first.end()
        wait_for(lambda: len(api.asked) == 3)
        second.send(sse(event("removed", "web-3", 3)))
        terminal.reads("web-3 ")

        assert [asked.headers.get("last-event-id") for asked in api.asked] == [
            None,
            "00000001-abcdef.1",
            "00000001-abcdef.2",
        ]
        terminal.types("\x03")
        assert terminal.ends() == 130
        assert "Traceback" not in terminal.text()
        assert terminal.text().count("web-2 ") == 1
    second.end()


def test_following_waits_while_no_daemon_is_there(root: Path) -> None:
    """Between one that ended and the next; what only starts yet answers 503 and is waited for, too."""
    api = Api(root)
    with api:
        feed = Feed()
        api.serve("GET /events", followed(1, feed))
        terminal = Terminal(root, "events", "-f", "-o", "json")
        terminal.reads('"sequence": 1')
        wait_for(lambda: len(api.asked) == 2)
    feed.end()
    with terminal:
        assert stays(terminal.runs, 0.8)
        with Api(root) as again:
            later = Feed()
            replies = iter([no(503, "STORE_001", "cannot read the store: not yet"), stream(later)])
            again.serve("GET /events", lambda _: next(replies))
            later.send(sse(event("removed", "web-0", 9)))
            terminal.reads('"sequence": 9')
            later.end()


def test_following_without_an_event_yet_begins_now(api: Api, root: Path) -> None:
    """Nothing is shown that happened before."""
    feed = Feed()
    api.serve("GET /events", followed(0, feed))
    with Terminal(root, "events", "-f") as terminal:
        wait_for(lambda: len(api.asked) == 2)
        feed.send(sse(event("removed")))
        terminal.reads("removed from the crew")

        assert dict(api.last().query)["limit"] == "0"
        assert "last-event-id" not in api.last().headers
    feed.end()


def test_following_begins_also_while_the_database_is_away(api: Api, root: Path) -> None:
    """Without the past, and aloud; without -f that is an error."""
    feed = Feed()
    away = no(503, "STORE_001", "cannot read the store: away")
    api.serve("GET /events", lambda asked: stream(feed) if ("follow", "true") in asked.query else away)
    with Terminal(root, "events", "-f", "-n", "5") as terminal:
        terminal.reads("cannot read the store: away: what happens is shown from now on")
        feed.send(sse(event("removed")))
        terminal.reads("removed from the crew")
    feed.end()
    ran = crewctl(root, "events")

    assert (ran.returncode, ran.stdout) == (1, "")
    assert "cannot read the store: away" in ran.stderr


HOSTILE = b"\x1b[31mred\x1b[0m \xff\tend\n"


def test_logs_pass_through_a_pipe_as_they_are(api: Api, root: Path) -> None:
    """Byte by byte, and what is asked for is what the daemon is asked."""
    api.serve("GET /workers/web-0/logs", parts("text/plain", b"one\n", HOSTILE, b"no newline"))
    command = [*COMMAND, "logs", "web-0", "-n", "7", "--stderr", "--grep", "a b&c", "--since", "1h"]
    ran = subprocess.run(command, env=environ(root), capture_output=True, check=True)

    assert ran.stdout == b"one\n" + HOSTILE + b"no newline"
    assert api.last().query == (("stream", "stderr"), ("tail", "7"), ("grep", "a b&c"), ("since", "1h"))


def test_logs_on_a_terminal_are_stripped_of_commands(api: Api, root: Path) -> None:
    """The words stay."""
    api.serve("GET /workers/web-0/logs", parts("text/plain", HOSTILE))
    with Terminal(root, "logs", "web-0") as terminal:
        assert terminal.ends() == 0
        assert terminal.raw() == "red �   end\r\n"
    assert api.last().query == (("stream", "stdout"), ("tail", "100"))


def test_logs_for_programs_are_one_object_a_line(api: Api, root: Path) -> None:
    """The line as it is, its newline left off."""
    api.serve("GET /workers/web-0/logs", parts("text/plain", HOSTILE))
    ran = crewctl(root, "logs", "web-0", "-o", "json")

    assert json.loads(ran.stdout) == {"stream": "stdout", "line": "\x1b[31mred\x1b[0m �\tend"}


def test_logs_are_followed_until_ctrl_c(api: Api, root: Path) -> None:
    """Each line when it comes; 130, and nothing is said."""
    feed = Feed()
    api.serve("GET /workers/web-0/logs", Reply(kind="text/plain", parts=feed))
    with Terminal(root, "logs", "-f", "web-0") as terminal:
        feed.send(b"first\n")
        terminal.reads("first\n")
        feed.send(b"second\n")
        terminal.reads("second\n")
        terminal.types("\x03")

        assert terminal.ends() == 130
        assert terminal.text().replace("^C", "") == "first\nsecond\n"
    feed.end()
    assert ("follow", "true") in api.last().query


def test_a_follower_without_a_terminal_ends_quietly_too(api: Api, root: Path) -> None:
    """SIGINT, as Ctrl-C sends it to all of a pipeline."""
    feed = Feed()
    api.serve("GET /workers/web-0/logs", Reply(kind="text/plain", parts=feed))
    process = subprocess.Popen(
        [*COMMAND, "logs", "-f", "web-0"], env=environ(root), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    feed.send(b"first\n")
    assert process.stdout
    assert process.stdout.readline() == b"first\n"
    process.send_signal(signal.SIGINT)

    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == 130
    feed.end()


def broken_off() -> Iterator[bytes]:
    """Give a part of an answer, and then break the connection off."""
    yield b"first\n"
    raise OSError


@pytest.mark.parametrize("more", [(), ("-f",), ("-o", "json")])
def test_an_answer_that_breaks_off_is_told(api: Api, root: Path, more: tuple[str, ...]) -> None:
    """After what had come; nobody takes it for the whole."""
    api.serve("GET /workers/web-0/logs", lambda _: Reply(kind="text/plain", parts=broken_off()))
    ran = crewctl(root, "logs", "web-0", *more)

    assert ran.returncode == 4
    assert "first" in ran.stdout
    assert ran.stderr.endswith("it ended the connection; its log may tell why\n")


def test_a_worker_without_a_log_is_told(api: Api, root: Path) -> None:
    """With the daemon's reason."""
    api.serve("GET /workers/web-0/logs", no(404, "LOG_001", "cannot show the output of web-0: stdout_logfile is none"))
    ran = crewctl(root, "logs", "web-0")

    assert (ran.returncode, ran.stderr) == (1, "cannot show the output of web-0: stdout_logfile is none\n")
