"""What crewctl does, against a server with canned answers: start, stop, restart, reset-failed, reload, shutdown."""

import json
from pathlib import Path

import pytest

from harness.canned_api import Api, Asked, Feed, Reply, data, no, parts
from harness.crewctl import Terminal, crewctl
from harness.crewctl_answers import crew, instance, reasons, result, results, worker
from harness.waiting import wait_for


@pytest.mark.parametrize("verb", ["start", "stop", "restart"])
def test_an_action_waits_and_tells_each_result(api: Api, root: Path, verb: str) -> None:
    """A minute, unless said otherwise; 0 where all went well."""
    api.serve("POST /workers/batch", data(results(verb, result("web-0", "x"), result("web-1", "done", changed=False))))
    ran = crewctl(root, verb, "web", "job-3")

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == f"✓ web-0  {'stopped' if verb == 'stop' else f'{verb}ed'}\n✓ web-1  done\n"
    assert api.last().body == {"action": verb, "worker_ids": ["web", "job-3"]}
    assert api.last().query == (("wait", "60s"),)


def test_an_action_says_how_long_it_waits(api: Api, root: Path) -> None:
    """As long as asked for, or not at all."""
    api.serve("POST /workers/batch", data(results("start", result("web-0"), waited=False)))

    crewctl(root, "start", "web", "--timeout", "2m 30s")
    assert api.last().query == (("wait", "2m 30s"),)

    ran = crewctl(root, "start", "web", "--no-wait")
    assert api.last().query == ()
    assert ran.stdout == "✓ web-0  started\n"


def test_what_failed_is_told_and_is_1(api: Api, root: Path) -> None:
    """Beside what went well."""
    failed = result("web-1", "started", ok=False, status="crashed", message="exit code 3 while starting")
    api.serve("POST /workers/batch", data(results("start", result("web-0"), failed)))
    ran = crewctl(root, "start", "web")

    assert ran.returncode == 1
    assert ran.stdout == "✓ web-0  started\n✗ web-1  not started: exit code 3 while starting (now crashed)\n"
    assert ran.stderr == "1 of 2 not started; `crewctl why web-1` tells more\n"


def test_an_action_as_json_is_the_api_s(api: Api, root: Path) -> None:
    """With the exit status that the results come to."""
    answer = results("stop", result("web-0", ok=False))
    api.serve("POST /workers/batch", data(answer))
    ran = crewctl(root, "stop", "web", "-o", "json")

    assert (ran.returncode, ran.stderr, json.loads(ran.stdout)) == (1, "", answer)


def test_an_unknown_worker_fails_an_action(api: Api, root: Path) -> None:
    """1, and nothing is done for any."""
    api.serve("POST /workers/batch", no(404, "WORKER_001", "cannot start nobody: it is not known", names=["nobody"]))
    api.serve("GET /workers", data(crew(worker(instance("web-0")))))
    ran = crewctl(root, "start", "web", "nobody")

    assert ran.returncode == 1
    assert ran.stderr == "cannot start nobody: it is not known; `crewctl status` lists all\n"


def test_failed_ones_can_be_meant(api: Api, root: Path) -> None:
    """By their names, as they are now; where there is none, nothing is done."""
    api.serve("GET /workers", data(crew(worker(instance("web-0"), instance("web-1", "error")))))
    api.serve("POST /workers/batch", data(results("reset-failed", result("web-1", "reset"), waited=False)))
    ran = crewctl(root, "reset-failed", "--failed")

    assert ran.stdout == "✓ web-1  reset\n"
    assert api.last().body == {"action": "reset-failed", "worker_ids": ["web-1"]}
    assert api.last().query == ()

    api.serve("GET /workers", data(crew(worker(instance("web-0")))))
    ran = crewctl(root, "restart", "--failed")

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "nothing has failed\n")
    assert api.last().what == "GET /api/v1/workers"


def test_more_than_a_thousand_names_go_in_several_requests(api: Api, root: Path) -> None:
    """The API takes a thousand at once; the results are told as one."""
    names = [instance(f"web-{slot}", "error") for slot in range(1500)]
    api.serve("GET /workers", data(crew(worker(*names))))
    api.serve(
        "POST /workers/batch",
        lambda asked: data(results("start", *(result(name) for name in asked.body["worker_ids"]))),
    )
    ran = crewctl(root, "start", "--failed")

    assert [len(asked.body["worker_ids"]) for asked in api.asked if asked.body] == [1000, 500]
    assert len(ran.stdout.splitlines()) == 1500


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("start",), "Name workers or instances, or say --failed or --all."),
        (("why",), "Name workers or instances, or say --failed or --all."),
        (("restart", "web", "--rolling", "--no-wait"), "not both"),
        (("start", "web", "--all"), "Name workers, or say --all: not both."),
        (("stop", "web", "--timeout", "5 parsecs"), "write seconds, or a number with ms, s, m, h, d or w"),
        (("stop", "web", "--timeout", "2h"), "at most 1h"),
        (("stop", "web", "--timeout", "infinity"), "at most 1h"),
        (("stop", "web", "--timeout", "5s", "--no-wait"), "Say --timeout or --no-wait: not both."),
        (("logs",), "Missing argument 'SEL'."),
        (("events", "-n", "-1"), "Invalid value for '-n'"),
        (("dance",), "No such command 'dance'"),
        (("status", "-o", "xml"), "Invalid value for '-o'"),
    ],
)
def test_wrong_use_is_told_and_is_2(api: Api, root: Path, arguments: tuple[str, ...], said: str) -> None:
    """And nobody is asked anything."""
    ran = crewctl(root, *arguments)

    assert ran.returncode == 2
    assert said in ran.stderr
    assert api.asked == []


def test_what_the_daemon_finds_wrong_is_2_too(api: Api, root: Path) -> None:
    """Such as a label that is none."""
    api.serve("GET /workers", no(422, "VALID_001", "cannot read selector =x: a label has a name"))

    assert crewctl(root, "status", "=x").returncode == 2


@pytest.mark.parametrize(
    "arguments", [("stop", "--all"), ("stop", "*"), ("restart", "--all"), ("restart", "web", "*"), ("shutdown",)]
)
def test_everything_needs_a_yes_where_there_is_no_terminal(api: Api, root: Path, arguments: tuple[str, ...]) -> None:
    """It neither hangs nor takes an answer from a pipe, and nothing is done."""
    for given in (None, "y\n"):
        ran = crewctl(root, *arguments, given=given)

        assert ran.returncode == 2
        assert "there is no terminal to ask on; say --yes." in ran.stderr
    assert api.asked == []


def test_everything_is_done_with_a_yes(api: Api, root: Path) -> None:
    """All of the crew, in one word."""
    api.serve("POST /workers/batch", data(results("stop", result("web-0"))))

    assert crewctl(root, "stop", "--all", "--yes").returncode == 0
    assert api.last().body == {"action": "stop", "worker_ids": ["*"]}

    api.serve("POST /workers/batch", data(results("start", result("web-0"))))
    assert crewctl(root, "start", "--all").returncode == 0


@pytest.mark.parametrize(
    ("typed", "code", "does"), [("y\n", 0, True), ("n\n", 1, False), ("\n", 1, False), ("\x04", 1, False)]
)
def test_a_terminal_is_asked(api: Api, root: Path, typed: str, code: int, does: bool) -> None:
    """With how many that would be; all but a yes is a no, and so is the end of the input."""
    api.serve("GET /workers", data(crew(worker(instance("web-0"), instance("web-1")))))
    api.serve("POST /workers/batch", data(results("stop", result("web-0"))))
    with Terminal(root, "stop", "--all") as terminal:
        terminal.reads("stop all 2 instances? [y/N] ")
        terminal.types(typed)

        assert terminal.ends() == code
        assert ("nothing was done" in terminal.text()) is not does
    assert any(asked.body for asked in api.asked) is does


def test_a_question_can_be_interrupted(api: Api, root: Path) -> None:
    """Ctrl-C: 130, and nothing was done."""
    api.serve("GET /workers", data(crew(worker(instance("web-0")))))
    with Terminal(root, "shutdown") as terminal:
        terminal.reads("shut down all 1 instances? [y/N] ")
        terminal.types("\x03")

        assert terminal.ends() == 130
        assert "Traceback" not in terminal.text()
    assert not any(asked.body for asked in api.asked)


def test_a_terminal_sees_how_far_it_is(api: Api, root: Path) -> None:
    """A bar that follows the daemon's progress, then the results."""
    feed = Feed()
    api.serve("POST /workers/batch", Reply(kind="application/x-ndjson", parts=feed))
    with Terminal(root, "restart", "web") as terminal:
        feed.send(b'{"progress":{"done":0,"of":4}}\n')
        terminal.reads("0/4")
        feed.send(b'{"progress":{"done":3,"of":4}}\n')
        terminal.reads("3/4")
        answer = {"success": True, "data": results("restart", *(result(f"web-{slot}") for slot in range(4)))}
        feed.send(json.dumps({"progress": {"done": 4, "of": 4}}).encode() + b"\n" + json.dumps(answer).encode() + b"\n")
        feed.end()

        assert terminal.ends() == 0
        assert "✓ web-3  restarted" in terminal.text()
    assert api.last().headers["accept"] == "application/x-ndjson"


def test_a_daemon_that_ends_while_one_waits_is_told(api: Api, root: Path) -> None:
    """7, and no endless bar."""
    api.serve("POST /workers/batch", parts("application/x-ndjson", b'{"progress":{"done":0,"of":4}}\n'))
    with Terminal(root, "restart", "web") as terminal:
        assert terminal.ends() == 7
        assert "it ended the connection" in terminal.text()


def test_an_action_on_an_empty_crew_is_done(api: Api, root: Path) -> None:
    """There is nothing to wait for, and no bar is made of nothing."""
    answer = json.dumps({"success": True, "data": results("start")}).encode()
    api.serve("POST /workers/batch", parts("application/x-ndjson", b'{"progress":{"done":0,"of":0}}\n', answer + b"\n"))
    with Terminal(root, "start", "--all") as terminal:
        assert terminal.ends() == 0
        assert "Traceback" not in terminal.text()


@pytest.mark.parametrize("verb", ["stop", "restart"])
def test_what_is_to_stop_can_be_killed_at_once(api: Api, root: Path, verb: str) -> None:
    """Asked for with --force, and never otherwise."""
    api.serve("POST /workers/batch", data(results(verb, result("web-0"))))

    assert crewctl(root, verb, "web", "--force").returncode == 0
    assert api.last().body == {"action": verb, "worker_ids": ["web"], "options": {"graceful": False}}
    assert crewctl(root, "start", "web", "--force").returncode == 2


def rolling(api: Api, *broken: str) -> None:
    """Have a crew in which these do not come up."""

    def answer(asked: Asked) -> Reply:
        name = asked.body["worker_ids"][0]
        return data(
            results("restart", result(name, ok=name not in broken, message="crashed" if name in broken else ""))
        )

    api.serve("GET /workers", data(crew(worker(*(instance(f"web-{slot}") for slot in range(3))))))
    api.serve("POST /workers/batch", answer)


def test_one_is_restarted_after_the_other(api: Api, root: Path) -> None:
    """Each in a request of its own, and waited for as long as is said."""
    rolling(api)
    ran = crewctl(root, "restart", "web", "--rolling", "--timeout", "5s", "--force")

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "✓ web-0  restarted\n✓ web-1  restarted\n✓ web-2  restarted\n"
    asked = [one for one in api.asked if one.body]
    assert [one.body["worker_ids"] for one in asked] == [["web-0"], ["web-1"], ["web-2"]]
    assert {one.query for one in asked} == {(("wait", "5s"),)}
    assert all(one.body["options"] == {"graceful": False} for one in asked)


def test_the_first_that_does_not_come_up_ends_it(api: Api, root: Path) -> None:
    """1, and which were not touched is said; programs are told so, too."""
    rolling(api, "web-1")
    ran = crewctl(root, "restart", "web", "--rolling")
    told = json.loads(crewctl(root, "restart", "web", "--rolling", "-o", "json").stdout)

    assert ran.returncode == 1
    assert ran.stdout == "✓ web-0  restarted\n✗ web-1  not restarted: crashed (now running)\n"
    assert ran.stderr == "1 of 2 not restarted; `crewctl why web-1` tells more\nnot touched: web-2\n"
    assert told["untouched"] == ["web-2"]
    assert [one["ok"] for one in told["results"]] == [True, False]


def test_a_daemon_that_goes_away_ends_it_too(api: Api, root: Path) -> None:
    """What was done is shown, and what was not touched."""
    rolling(api)
    well = api.answers["POST /api/v1/workers/batch"]
    gone = no(503, "TARGET_001", "cannot reach supervisord: it is gone")
    api.serve("POST /workers/batch", lambda asked: gone if asked.body["worker_ids"] == ["web-1"] else well(asked))
    ran = crewctl(root, "restart", "web", "--rolling")

    assert (ran.returncode, ran.stdout) == (1, "✓ web-0  restarted\n")
    assert ran.stderr == "not touched: web-2\ncannot reach supervisord: it is gone\n"


def test_ctrl_c_ends_it_and_says_what_was_not_touched(api: Api, root: Path) -> None:
    """While one is waited for."""
    rolling(api)
    feed = Feed()
    api.serve("POST /workers/batch", Reply(parts=feed))
    with Terminal(root, "restart", "--rolling", "web") as terminal:
        wait_for(lambda: any(one.body for one in api.asked))
        terminal.types("\x03")

        assert terminal.ends() == 130
        assert "not touched: web-1, web-2" in terminal.text()
    feed.end()


def test_why_explains_all_instances_that_are_named(api: Api, root: Path) -> None:
    """In sentences, with a blank line between them."""
    api.serve("GET /workers", data(crew(worker(instance("web-0", "crashed"), instance("web-1", "crashed")))))
    for name in ("web-0", "web-1"):
        api.serve(f"GET /workers/{name}/why", data(reasons(name)))
    ran = crewctl(root, "why", "web")

    assert ran.returncode == 0
    assert ran.stdout.startswith("web-0 waits for its restart (BACKOFF): next try in 3.2 s, at 2026-01-31 09:00:12.\n")
    assert "  2026-01-31 09:00:00  exit code 3 after 2.5 s; to be started again after 0.5 s" in ran.stdout
    assert "\n\nweb-1 waits for its restart" in ran.stdout
    assert json.loads(crewctl(root, "why", "--failed", "-o", "json").stdout) == [reasons("web-0"), reasons("web-1")]


def test_reload_tells_what_it_did(api: Api, root: Path) -> None:
    """And that is what the API says, for programs."""
    plan = {"added": ["web-2"], "changed": [], "restarted": [], "removed": [], "kept": 2}
    answer = {"name": "abc", "changed": True, "plan": plan, "warnings": [], "told": True}
    api.serve("POST /reload", data(answer))
    ran = crewctl(root, "reload")

    assert (ran.returncode, ran.stdout) == (0, "added: web-2\nkept: 2\n")
    assert json.loads(crewctl(root, "reload", "-o", "json").stdout) == answer


def test_a_reload_that_is_refused_lists_the_mistakes(api: Api, root: Path) -> None:
    """One line each, as `crewd check` has them, then what came of it."""
    problems = ["crewd.yaml:3:5: workers.web: no", "crewd.yaml:9:1: x: y"]
    api.serve("POST /reload", no(422, "RESTART_004", "cannot apply crewd.yaml: nothing was changed", problems=problems))
    ran = crewctl(root, "reload")

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.splitlines() == [*problems, "cannot apply crewd.yaml: nothing was changed"]


def test_check_needs_no_daemon(root: Path) -> None:
    """It says what `crewd check` says, and ends as that does."""
    (root / "etc").mkdir()
    (root / "etc/crewd.yaml").write_text("workers:\n  web: {command: [sleep, '1'], instances: 3}\n")
    (root / "bad.yaml").write_text("workers:\n  web: {command: [sleep, '1'], instances: many}\n")
    good, bad = crewctl(root, "check"), crewctl(root, "check", "-c", "bad.yaml")

    assert (good.returncode, good.stdout) == (0, "1 worker, 3 instances: ok\n")
    assert bad.returncode == 78
    assert bad.stderr.startswith("bad.yaml:2:")
    counted = {"problems": [], "warnings": [], "workers": 1, "instances": 3}
    assert json.loads(crewctl(root, "check", "-o", "json").stdout) == counted
    assert json.loads(crewctl(root, "check", "-c", "bad.yaml", "-o", "json").stdout)["problems"]


def test_shutdown_ends_everything(api: Api, root: Path) -> None:
    """Also a supervisord that would be kept."""
    api.serve("POST /shutdown", data({"ending": True}))
    ran = crewctl(root, "shutdown", "--yes")

    assert (ran.returncode, ran.stdout) == (0, "crewd ends, and supervisord and all workers with it\n")
    assert api.last().body == {"keep": False}


def test_a_reset_whose_processes_are_not_up_in_time_is_told(api: Api, root: Path) -> None:
    """All was done; whoever waited for the processes learns that they are not there, also by the exit status."""
    late = {"action": "restart_process", "key": "web", "success": True, "instances": ["web-0"], "late": ["web-0"]}
    summary = {"total_actions": 1, "successful_actions": 1, "failed_actions": 0}
    members = {"success": True, "worker_id": "web", "duration": 1000, "actions": [late], "summary": summary}
    api.serve("POST /workers/web/reset", Reply(json.dumps(members).encode(), 202))
    ran = crewctl(root, "reset", "web", "--timeout", "1s")

    assert ran.returncode == 1
    assert ran.stdout == "✓ restart_process  web  not up in time: web-0\n"
