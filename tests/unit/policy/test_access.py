"""Who may do what: roles, globs."""

import pytest

from crewd.model.access import Access, Principal, Role
from crewd.policy.access import covers, permits, strongest

LADDER = [Access.ANYONE, Access.VIEWER, Access.OPERATOR, Access.ADMIN]


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (None, {Access.ANYONE}),
        (Role.VIEWER, {*LADDER[:2]}),
        (Role.OPERATOR, {*LADDER[:3]}),
        (Role.ADMIN, {*Access}),
        (Role.NODE, {Access.ANYONE, Access.NODE}),
        (Role.WORKER, {Access.ANYONE, Access.WORKER}),
    ],
)
def test_a_role_may_what_is_its_own(role: Role | None, may: set[Access]) -> None:
    """And nothing else: for each of both sets."""
    assert {access for access in Access if permits(Principal("x", role=role), access)} == may


def test_who_is_limited_to_some_workers_is_never_admin() -> None:
    """What an admin may concerns all, or runs code: with it the limit would be gone."""
    limited = Principal("x", role=Role.ADMIN, workers=("web-*",))

    assert not permits(limited, Access.ADMIN)
    assert permits(limited, Access.OPERATOR)


def test_globs_name_workers() -> None:
    """As a whole, with regard to case; without globs all are meant."""
    limited = Principal("x", role=Role.OPERATOR, workers=("web-*", "mail"))

    assert [covers(limited, name) for name in ("web-a", "mail", "web", "WEB-a", "mail2", "")] == [True] * 2 + [
        False
    ] * 4
    assert covers(Principal("x"), "anything")


def test_the_strongest_of_several_roles_counts() -> None:
    """Whoever is in two groups is what the better one makes them."""
    assert strongest([Role.VIEWER, Role.ADMIN, Role.OPERATOR]) is Role.ADMIN
    assert strongest([]) is None
