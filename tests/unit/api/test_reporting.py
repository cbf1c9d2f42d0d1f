"""Who may report for whom."""

import os
import pwd

import pytest

from crewd.api.reporting import may_report
from crewd.model.access import ANONYMOUS, How, Principal, Role
from crewd.model.record import Record
from crewd.model.spec import CrewSpec, WorkerSpec
from crewd.reconcile.view import View
from harness.views import shown

NOBODY = pwd.getpwnam("nobody").pw_uid
STRANGER = 54321
ROOT = os.geteuid()


@pytest.fixture
def view() -> View:
    """own runs as the daemon, theirs as nobody, ghost as somebody who was deleted, stray is not configured."""
    workers = {
        "own": WorkerSpec("own", ("true",)),
        "theirs": WorkerSpec("theirs", ("true",), user="nobody"),
        "ghost": WorkerSpec("ghost", ("true",), user="no-such-user-here"),
    }
    return shown({f"{name}-0": Record() for name in (*workers, "stray")}, CrewSpec(workers)).view


def by_uid(uid: int | None, how: How = How.PEER, role: Role | None = None) -> Principal:
    """Return a process of that user."""
    return Principal(f"uid {uid}", how, role, uid=uid)


def by_token(role: Role, *globs: str, how: How = How.TOKEN) -> Principal:
    """Return who has such a token."""
    return Principal("token", how, role, globs)


@pytest.mark.parametrize("how", [How.PEER, How.LOOPBACK])
@pytest.mark.parametrize("role", [None, Role.WORKER, Role.OPERATOR])
def test_a_process_reports_for_what_runs_as_its_user(view: View, how: How, role: Role | None) -> None:
    """And for nobody else's worker, whatever it says, and whatever else it may."""
    assert may_report(by_uid(NOBODY, how, role), "theirs", view)
    assert may_report(by_uid(ROOT, how, role), "own", view)
    assert not may_report(by_uid(NOBODY, how, role), "own", view)
    assert not may_report(by_uid(STRANGER, how, role), "theirs", view)
    assert not may_report(by_uid(STRANGER, how, role), "ghost", view)
    assert not may_report(by_uid(STRANGER, how, role), "stray", view)
    assert not may_report(by_uid(None, how, role), "own", view)


@pytest.mark.parametrize("how", [How.TOKEN, How.HMAC, How.CERTIFICATE])
def test_a_token_reports_for_what_its_globs_name(view: View, how: How) -> None:
    """One of a worker; a viewer, an operator and a node may not."""
    assert may_report(by_token(Role.WORKER, "the*", how=how), "theirs", view)
    assert may_report(by_token(Role.WORKER, how=how), "own", view)
    assert not may_report(by_token(Role.WORKER, "the*", how=how), "own", view)
    for role in (Role.VIEWER, Role.OPERATOR, Role.NODE):
        assert not may_report(by_token(role, how=how), "own", view)


def test_an_admin_reports_for_all(view: View) -> None:
    """As far as the token says so; nobody does for any."""
    assert may_report(by_uid(0, role=Role.ADMIN), "theirs", view)
    assert may_report(by_token(Role.ADMIN), "stray", view)
    assert not may_report(by_token(Role.ADMIN, "own"), "theirs", view)
    assert not may_report(ANONYMOUS, "own", view)
