"""Who may report for whom."""

import pytest

from crewd.api.reporting import may_report
from crewd.model.access import ANONYMOUS, How, Principal, Role


def by_uid(role: Role | None, *workers: str, how: How = How.PEER) -> Principal:
    """Return a process of some user, as admission made it out."""
    return Principal("uid 54321", how, role, workers, uid=54321)


def by_token(role: Role, *globs: str, how: How = How.TOKEN) -> Principal:
    """Return who has such a token."""
    return Principal("token", how, role, globs)


@pytest.mark.parametrize("how", [How.PEER, How.LOOPBACK])
def test_a_process_reports_for_the_workers_that_its_user_runs(how: How) -> None:
    """And for nobody else's: not by a glob, and for none where it is not known of any; whatever else it may."""
    assert may_report(by_uid(Role.WORKER, "theirs", "more", how=how), "theirs")
    assert not may_report(by_uid(Role.WORKER, "theirs", how=how), "own")
    assert not may_report(by_uid(Role.WORKER, "*", how=how), "own")
    assert not may_report(by_uid(Role.WORKER, how=how), "own")
    for role in (None, Role.VIEWER, Role.OPERATOR, Role.NODE):
        assert not may_report(by_uid(role, "own", how=how), "own")


@pytest.mark.parametrize("how", [How.TOKEN, How.HMAC, How.CERTIFICATE])
def test_a_token_reports_for_what_its_globs_name(how: How) -> None:
    """One of a worker; a viewer, an operator and a node may not."""
    assert may_report(by_token(Role.WORKER, "the*", how=how), "theirs")
    assert may_report(by_token(Role.WORKER, how=how), "own")
    assert not may_report(by_token(Role.WORKER, "the*", how=how), "own")
    for role in (Role.VIEWER, Role.OPERATOR, Role.NODE):
        assert not may_report(by_token(role, how=how), "own")


def test_an_admin_reports_for_all() -> None:
    """As far as the token says so; nobody does for any."""
    assert may_report(by_uid(Role.ADMIN), "theirs")
    assert may_report(by_token(Role.ADMIN), "stray")
    assert not may_report(by_token(Role.ADMIN, "own"), "theirs")
    assert not may_report(ANONYMOUS, "own")
