"""What crewd relies on in a shelf of tokens: one suite for the shipped fake, for SQLite and for a real PostgreSQL."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crewd.errors import StoreError
from crewd.model.access import Role
from crewd.reconcile.tokens import Token, Tokens
from crewd.store import SqlTokens
from crewd.testing import FakeTokens
from harness.databases import empty_database, empty_file, opened_store, postgres  # noqa: F401 - fixtures

NOW = 1_800_000_000.0
FULL = Token(
    "7f3a9c01b2d4",
    "ab" * 32,
    Role.OPERATOR,
    "deployment: 'naïve' 🚀 %s",
    ("web", "mail-*"),
    NOW,
    "uid 0 pid 42",
    NOW + 3600.5,
)
BARE = Token("000000000001", "cd" * 32, Role.ADMIN)


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
async def tokens(request: Any, tmp_path: Path) -> AsyncGenerator[Tokens]:
    """A shelf without tokens."""
    if request.param == "fake":
        yield FakeTokens()
        return
    async with opened_store(request.param, request, tmp_path) as store:
        yield SqlTokens(store)


async def test_tokens_come_back_as_they_were(tokens: Tokens) -> None:
    """Every member, oldest first."""
    await tokens.add(FULL)
    await tokens.add(BARE)

    assert await tokens.all() == (BARE, FULL)


async def test_an_id_is_given_once(tokens: Tokens) -> None:
    """The first stays as it is."""
    await tokens.add(FULL)
    with pytest.raises(StoreError):
        await tokens.add(replace(FULL, role=Role.ADMIN))

    assert await tokens.all() == (FULL,)


async def test_a_token_is_revoked_once(tokens: Tokens) -> None:
    """Only what is worth something can be; the first time counts."""
    await tokens.add(FULL)

    assert await tokens.revoke(FULL.token_id, NOW + 1) is True
    assert await tokens.revoke(FULL.token_id, NOW + 2) is False
    assert await tokens.all() == (replace(FULL, revoked_at=NOW + 1),)


async def test_what_is_expired_or_unknown_cannot_be_revoked(tokens: Tokens) -> None:
    """At the instant of its expiry it is worth nothing already."""
    await tokens.add(FULL)

    assert FULL.expires_at is not None
    assert await tokens.revoke(FULL.token_id, FULL.expires_at) is False
    assert await tokens.revoke("ffffffffffff", NOW) is False
    assert await tokens.all() == (FULL,)


async def test_of_two_who_revoke_one_did(tokens: Tokens) -> None:
    """At the same instant, too."""
    await tokens.add(BARE)
    done = await asyncio.gather(*(tokens.revoke(BARE.token_id, NOW + n) for n in range(5)))

    assert sorted(done) == [False, False, False, False, True]


async def test_what_ended_long_ago_is_forgotten(tokens: Tokens) -> None:
    """By expiry or by revocation; what is worth something never is."""
    revoked = replace(BARE, token_id="000000000002", revoked_at=NOW - 10)
    await tokens.add(FULL)
    await tokens.add(BARE)
    await tokens.add(revoked)

    assert await tokens.forget(NOW - 10) == 0
    assert await tokens.forget(NOW) == 1
    assert await tokens.all() == (BARE, FULL)
    assert await tokens.forget(NOW + 10_000) == 1
    assert await tokens.all() == (BARE,)
