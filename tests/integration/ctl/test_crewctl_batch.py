"""`crewctl batch`: names from a file or a pipe."""

import json
from pathlib import Path

import pytest

from harness.canned_api import Api, Asked, Reply, data, no, parts
from harness.crewctl import Terminal, crewctl
from harness.crewctl_answers import crew, instance, many, result, results, worker

BATCH = "POST /workers/batch"
GONE = no(503, "SUPERVISORD_001", "cannot reach supervisord: it is gone")


def done(asked: Asked) -> Reply:
    """Do what is asked for."""
    each = (result(name, "stopping") for name in asked.body["worker_ids"])
    return data(results(asked.body["action"], *each, waited=bool(asked.query)))


def test_names_come_from_a_pipe_or_a_file(api: Api, root: Path) -> None:
    """A line for each instance, as of `stop`."""
    api.serve(BATCH, done)
    (root / "names").write_text("web-0\nweb-1\n")
    for arguments, given in (
        (("stop",), "web-0\nweb-1"),
        (("stop", "-"), '["web-0", "web-1"]'),
        (("stop", "names"), ""),
    ):
        ran = crewctl(root, "batch", *arguments, given=given)

        assert (ran.returncode, ran.stderr) == (0, "")
        assert ran.stdout == "✓ web-0  stopped\n✓ web-1  stopped\n"
        assert api.last().body == {"action": "stop", "worker_ids": ["web-0", "web-1"]}
        assert api.last().query == (("wait", "60s"),)


def test_nothing_to_wait_for_is_not_waited_for(api: Api, root: Path) -> None:
    """reset-failed is done when it is asked for; and the others may be."""
    api.serve(BATCH, done)
    crewctl(root, "batch", "reset-failed", given="web-0")
    assert api.last().query == ()
    crewctl(root, "batch", "restart", "--no-wait", given="web-0")
    assert api.last().query == ()


def test_no_names_are_no_work(api: Api, root: Path) -> None:
    """What a pipe found may be nothing."""
    ran = crewctl(root, "batch", "stop", given="# nobody\n")

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "no name was given: nothing was done\n")
    assert not api.asked


def test_many_are_done_in_parts_and_shown_as_one(api: Api, root: Path) -> None:
    """A thousand at once; the names are checked before the first part."""
    api.serve(BATCH, done)
    api.serve("GET /workers", data(many(2500)))
    names = [f"web{number:04}" for number in range(2500)]
    ran = crewctl(root, "batch", "stop", "-o", "json", given=json.dumps(names))

    assert ran.returncode == 0
    assert [one["instance"] for one in json.loads(ran.stdout)["results"]] == names
    assert [len(one.body["worker_ids"]) for one in api.asked[1:]] == [1000, 1000, 500]


def test_an_unknown_name_among_many_spoils_the_whole(api: Api, root: Path) -> None:
    """Also one of the last part: nothing was done for any."""
    api.serve(BATCH, done)
    api.serve("GET /workers", data(many(1500)))
    names = [f"web{number:04}" for number in range(1500)] + ["web0000:*", "web9999", "webb0001"]
    ran = crewctl(root, "batch", "stop", given="\n".join(names))

    assert ran.returncode == 1
    assert ran.stderr.startswith(
        "cannot stop web9999, webb0001: no worker, instance or label of that name; nothing was"
    )
    assert {one.what for one in api.asked} == {"GET /api/v1/workers"}


def test_what_was_done_is_shown_where_the_rest_failed(api: Api, root: Path) -> None:
    """With the reason, and the exit status of a failure."""
    api.serve(BATCH, lambda asked: GONE if len(asked.body["worker_ids"]) < 1000 else done(asked))
    api.serve("GET /workers", data(many(1500)))
    ran = crewctl(root, "batch", "stop", given="\n".join(f"web{number:04}" for number in range(1500)))

    assert ran.returncode == 1
    assert len(ran.stdout.splitlines()) == 1000
    assert ran.stderr == "cannot reach supervisord: it is gone\n"


@pytest.mark.parametrize("action", ["stop", "restart"])
def test_everything_needs_a_yes(api: Api, root: Path, action: str) -> None:
    """As for `stop --all`: a pipe has nobody to ask."""
    api.serve(BATCH, done)
    ran = crewctl(root, "batch", action, given="web-0\n*\n")

    assert ran.returncode == 2
    assert "say --yes" in ran.stderr
    assert not api.asked
    assert crewctl(root, "batch", action, "--yes", given="*").returncode == 0


def test_many_can_be_killed_at_once(api: Api, root: Path) -> None:
    """What is started or forgotten is not."""
    api.serve(BATCH, done)

    assert crewctl(root, "batch", "stop", "--force", given="web-0").returncode == 0
    assert api.last().body["options"] == {"graceful": False}
    assert crewctl(root, "batch", "start", "--force", given="web-0").returncode == 2


def test_what_cannot_be_read_is_refused(api: Api, root: Path) -> None:
    """Before anything is asked."""
    for arguments, given in ((("stop", "nowhere"), ""), (("dance",), "web"), (("stop",), "[1]")):
        ran = crewctl(root, "batch", *arguments, given=given)
        assert ran.returncode == 2, arguments
    assert not api.asked


def test_on_a_terminal_a_bar_shows_how_far_it_is(api: Api, root: Path) -> None:
    """And names may be typed."""
    last = json.dumps({"success": True, "data": results("restart", result("web-0"), result("web-1"))}).encode()
    lines = [b'{"progress":{"done":%d,"of":2}}\n' % number for number in range(3)]
    api.serve(BATCH, parts("application/x-ndjson", *lines, last + b"\n"))
    api.serve("GET /workers", data(crew(worker(instance("web-0"), instance("web-1")))))
    with Terminal(root, "batch", "restart") as terminal:
        terminal.reads("names, one a line; Ctrl-D ends")
        terminal.types("web-0\nweb-1\n\x04")

        assert terminal.ends() == 0
        assert "2/2" in terminal.text()
        assert "✓ web-1  restarted" in terminal.text()
