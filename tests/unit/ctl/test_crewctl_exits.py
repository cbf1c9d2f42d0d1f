"""The exit statuses of crewctl, and what is said where nobody can be asked."""

import errno

import pytest

from crewd.ctl import exits
from crewd.ctl.failures import Fault, RequestError, refused, unreachable
from harness.crewctl_answers import instance, result

SYSTEM, OWN = "/run/crewd/crewd.sock", "/home/me/crew/run/crewd.sock"


@pytest.mark.parametrize(
    ("statuses", "stale", "code"),
    [
        ([], False, 0),
        (["running", "running"], False, 0),
        (["running", "stopped"], False, 3),
        (["starting"], False, 3),
        (["crashed"], False, 3),
        (["error"], False, 3),
        (["running"], True, 4),
    ],
)
def test_status_exits_as_lsb_has_it(statuses: list[str], stale: bool, code: int) -> None:
    """0 all run, 3 something does not, 4 nobody knows."""
    instances = [instance(f"web-{slot}", status) for slot, status in enumerate(statuses)]

    assert exits.of_status(instances, stale=stale) == code


@pytest.mark.parametrize(
    ("fault", "shows", "does"),
    [
        (Fault.USAGE, 2, 2),
        (Fault.UNKNOWN, 4, 1),
        (Fault.DENIED, 4, 4),
        (Fault.ABSENT, 4, 7),
        (Fault.FAILED, 1, 1),
    ],
)
def test_each_failure_has_its_exit_status(fault: Fault, shows: int, does: int) -> None:
    """What shows cannot tell in all three cases; what does something tells them apart."""
    failure = RequestError(fault, "cannot")

    assert exits.of_failure(failure, shows=True) == shows
    assert exits.of_failure(failure, shows=False) == does


def test_one_that_failed_is_a_failure() -> None:
    """However many went well."""
    assert exits.of_results([result("a-0"), result("b-0", changed=False)]) == 0
    assert exits.of_results([result("a-0"), result("b-0", ok=False)]) == 1


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("VALID_001", Fault.USAGE),
        ("WORKER_001", Fault.UNKNOWN),
        ("AUTH_002", Fault.DENIED),
        ("STORE_001", Fault.FAILED),
        ("NEWS_001", Fault.FAILED),
    ],
)
def test_the_daemon_s_no_is_understood_by_its_code(code: str, fault: Fault) -> None:
    """One of a newer daemon is a failure like another."""
    envelope = {
        "success": False,
        "message": "cannot",
        "error": {"code": code, "message": "cannot", "details": {"a": 1}},
    }
    failure = refused(422, envelope)

    assert (failure.fault, failure.status, failure.details, str(failure)) == (fault, 422, {"a": 1}, "cannot")


def test_a_no_without_words_is_still_told() -> None:
    """By its status."""
    assert str(refused(500, {})) == "cannot be done: the daemon answered with status 500"


@pytest.mark.parametrize(
    ("path", "cause", "fault", "said"),
    [
        (
            SYSTEM,
            FileNotFoundError(errno.ENOENT, "No such file"),
            Fault.ABSENT,
            "there is no such socket; is crewd running?",
        ),
        (SYSTEM, FileNotFoundError(errno.ENOENT, "No such file"), Fault.ABSENT, "try `systemctl status crewd`"),
        (OWN, ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), Fault.ABSENT, "`crewd run` starts it"),
        (OWN, TimeoutError("timed out"), Fault.ABSENT, "it does not answer; its log may tell why"),
        (SYSTEM, PermissionError(errno.EACCES, "Permission denied"), Fault.DENIED, "only root and the user that crewd"),
        (OWN, OSError("AF_UNIX path too long"), Fault.ABSENT, "AF_UNIX path too long"),
    ],
)
def test_it_is_told_why_nobody_can_be_asked(path: str, cause: OSError, fault: Fault, said: str) -> None:
    """And what to do about it, which under CREWD_HOME is not systemctl."""
    failure = unreachable(path, cause)

    assert failure.fault is fault
    assert str(failure).startswith(f"cannot reach crewd at {path}: ")
    assert said in str(failure)
