"""supervisorctl with crewd's verbs, against a real supervisord with the engine, in every edition."""

import re
from collections.abc import Iterator
from subprocess import CompletedProcess

import pytest

from crewd.model.spec import RestartPolicy
from harness import EDITIONS, ENGINE_EDITIONS, Edition, Program, Section, Supervisord, wait_for

SLEEP = ("sleep", "1000")
GIVEN_UP = RestartPolicy(restart_sec=0, start_limit_burst=2, start_success_sec=60)
PATIENT = RestartPolicy(restart_sec=600, start_success_sec=60)
"""What ends at once has not succeeded, however late it is looked at."""
PROGRAMS = (
    Program("steady-0", SLEEP),
    Program("steady-1", SLEEP),
    Program("broken-0", ("sh", "-c", "exit 3"), policy=GIVEN_UP),
    Program("waiting-0", ("sh", "-c", "kill -9 $$"), policy=PATIENT),
    Program("absent-0", ("/nowhere/at-all",), policy=PATIENT),
)


@pytest.fixture(scope="module", params=ENGINE_EDITIONS)
def server(request: pytest.FixtureRequest) -> Iterator[Supervisord]:
    with Supervisord(request.param, PROGRAMS) as server:
        server.wait_state("broken-0", "FATAL")
        server.wait_state("waiting-0", "BACKOFF")
        server.wait_state("absent-0", "BACKOFF")
        server.wait_state("steady-1", "RUNNING")
        yield server


def words(done: CompletedProcess[str]) -> list[list[str]]:
    return [line.split() for line in done.stdout.splitlines()]


def test_restarts_lists_every_instance(server: Supervisord) -> None:
    """State, restarts, budget, last exit and next try."""
    done = server.supervisorctl("restarts")
    rows = {row[0]: row for row in words(done)}

    assert done.returncode == 0
    assert rows.keys() == {"INSTANCE", *(program.name for program in PROGRAMS)}
    assert rows["steady-0"][1:] == ["RUNNING", "0", "9", "-", "-"]
    assert rows["broken-0"][1:6] == ["FATAL", "1", "0", "exit", "code"]
    assert rows["waiting-0"][1:5] == ["BACKOFF", "0", "9", "SIGKILL,"]
    assert rows["waiting-0"][-3:-1] != ["-", "-"]


def test_restarts_of_a_worker_are_those_of_its_instances(server: Supervisord) -> None:
    """A worker's name stands for all of them, and so does supervisord's own way to write one."""
    assert [row[0] for row in words(server.supervisorctl("restarts", "steady"))] == ["INSTANCE", "steady-0", "steady-1"]
    assert [row[0] for row in words(server.supervisorctl("restarts", "steady-1:*"))] == ["INSTANCE", "steady-1"]


def test_why_explains_a_given_up_worker(server: Supervisord) -> None:
    """Both exits with their verdicts, nothing left of the budget, what to do."""
    done = server.supervisorctl("why", "broken-0")

    assert done.returncode == 0
    assert done.stdout.startswith("broken-0 was given up (FATAL): it stays down until `start broken-0`")
    assert "to be started again after 0.1 s (ExitCode -> Restarted)." in done.stdout
    assert "given up, for 2 starts within 10 min are the limit (ExitCode -> StartLimitHit)." in done.stdout
    assert done.stdout.endswith("The limit leaves no start now: 2 starts within 10 min.\n")


def test_why_tells_the_next_try(server: Supervisord) -> None:
    """With the time that is left until then."""
    done = server.supervisorctl("why", "waiting-0")

    assert re.search(r"waiting-0 waits for its restart \(BACKOFF\): next try in \d min", done.stdout)
    assert re.search(r"SIGKILL after \d", done.stdout)


def test_why_tells_what_could_not_be_started(server: Supervisord) -> None:
    """With supervisord's own words."""
    done = server.supervisorctl("why", "absent-0")

    assert "could not be started:" in done.stdout
    assert "/nowhere/at-all" in done.stdout
    assert "(SpawnFailed -> Restarted)." in done.stdout


def test_history_shows_the_exits_of_several(server: Supervisord) -> None:
    """Two exits of one instance, one of the other; who never ended has no line."""
    done = server.supervisorctl("history", "broken", "waiting-0", "steady")

    assert [row[0] for row in words(done)] == ["INSTANCE", "broken-0", "broken-0", "waiting-0"]
    assert server.supervisorctl("history", "steady").stdout == "No exits since they were added.\n"


@pytest.mark.parametrize(("verb", "status"), [("restarts", 4), ("why", 4), ("history", 4), ("reset_failed", 1)])
def test_a_wrong_name_is_told_and_spoils_nothing_else(server: Supervisord, verb: str, status: int) -> None:
    """The verb is carried out for the right one; the exit status tells."""
    done = server.supervisorctl(verb, "nobody-7", "steady-0")

    assert "nobody-7: ERROR (no such instance or worker)\n" in done.stdout
    assert "steady-0" in done.stdout or verb == "history"
    assert done.returncode == status


@pytest.mark.parametrize("verb", ["why", "history", "reset_failed"])
def test_a_verb_without_the_name_it_needs_explains_itself(server: Supervisord, verb: str) -> None:
    """Exit status 2: used wrongly."""
    done = server.supervisorctl(verb)

    assert done.stdout.startswith("ERROR: name an instance or a worker\n" + verb)
    assert done.returncode == 2


def test_help_knows_the_verbs(server: Supervisord) -> None:
    """In the list, and each by itself; about the stock verbs our plugin says nothing."""
    listed = server.supervisorctl("help").stdout

    assert "crewd commands (type help <topic>):" in listed
    for verb in ("restarts", "why", "history", "reset_failed"):
        assert verb in listed
        assert f"{verb} <name>" in server.supervisorctl("help", verb).stdout
    assert "No help" not in server.supervisorctl("help", "start").stdout


@pytest.mark.parametrize("edition", ENGINE_EDITIONS)
def test_reset_failed_lets_a_given_up_worker_start_again(edition: Edition) -> None:
    """It is stopped then, with its whole budget; nothing is started by it."""
    program = Program("broken-0", ("sh", "-c", "exit 3"), policy=GIVEN_UP)
    with Supervisord(edition, [program]) as server:
        server.wait_state("broken-0", "FATAL")
        done = server.supervisorctl("reset_failed", "all")

        assert (done.stdout, done.returncode) == ("broken-0: reset\n", 0)
        assert server.state("broken-0") == "STOPPED"
        assert words(server.supervisorctl("restarts"))[1][3] == "2"
        server.supervisorctl("start", "broken-0")
        assert wait_for(lambda: "StartLimitHit" in server.supervisorctl("history", "broken-0").stdout.splitlines()[-1])


@pytest.mark.parametrize("edition", ENGINE_EDITIONS[:1])
def test_a_server_that_is_down_is_told_as_supervisorctl_tells_it(edition: Edition) -> None:
    """By its own check, with its own exit status."""
    with Supervisord(edition, [], start=False) as server:
        server.write()
        done = server.supervisorctl("why", "web-0")

    assert "no such file" in done.stdout
    assert done.returncode == 7


@pytest.mark.parametrize("edition", [param for param in EDITIONS if "plain" in str(param.id)])
@pytest.mark.parametrize("verb", ["restarts", "why", "history", "reset_failed"])
def test_a_supervisord_without_the_engine_is_told(edition: Edition, verb: str) -> None:
    """Exit status 3, LSB's unimplemented feature, and the section that is missing."""
    verbs = Section("ctlplugin:crewd", {"supervisor.ctl_factory": "crewd_supervisord.ctl:make_verbs"})
    with Supervisord(edition, [], [verbs]) as server:
        done = server.supervisorctl(verb, "web-0")

    assert "[rpcinterface:crewd]" in done.stdout
    assert done.returncode == 3
