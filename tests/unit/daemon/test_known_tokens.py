"""The tokens that this process knows: at once what is done here, soon what is done elsewhere."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from crewd.errors import StoreError
from crewd.model.access import Role
from crewd.reconcile.known_tokens import AGAIN_SEC, ENDED_KEPT_SEC, REFRESH_SEC, KnownTokens
from crewd.reconcile.tokens import Token, digest_of, id_of, minted, without_secrets
from crewd.testing import FakeClock, FakeTokens

ONE = Token("7f3a9c01b2d4", "ab" * 32, Role.OPERATOR, "one")
TWO = replace(ONE, token_id="7f3a9c01b2d5", name="two")


class Slow(FakeTokens):
    """Reads when the test lets it, and tells what was there when it was asked."""

    def __init__(self, *tokens: Token) -> None:
        super().__init__(*tokens)
        self.gate = asyncio.Event()
        self.reads = 0

    async def all(self) -> tuple[Token, ...]:
        """Return all, late."""
        self.reads += 1
        found = await super().all()
        await self.gate.wait()
        return found


class Stalled(Slow):
    """Stores a revocation when the test lets it, too."""

    def __init__(self, *tokens: Token) -> None:
        super().__init__(*tokens)
        self.storing = asyncio.Event()

    async def revoke(self, token_id: str, at: float) -> bool:
        """Revoke it, late."""
        await self.storing.wait()
        return await super().revoke(token_id, at)


async def settle() -> None:
    """Let all tasks do what they can do without the clock."""
    for _ in range(30):
        await asyncio.sleep(0)


@asynccontextmanager
async def running(known: KnownTokens) -> AsyncIterator[None]:
    """Let it run."""
    task = asyncio.create_task(known.run())
    try:
        await settle()
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_they_are_loaded_as_soon_as_the_database_can_be_read() -> None:
    """Before, that one is not found means nothing; and nothing is said of it, for the recorder does."""
    clock, tokens = FakeClock(), FakeTokens(ONE)
    tokens.trouble = "it is not open"
    known = KnownTokens(tokens, clock)
    with capture_logs() as logs:
        async with running(known):
            assert (known.loaded, known.find(ONE.token_id)) == (False, None)
            tokens.trouble = ""
            clock.advance(AGAIN_SEC)
            await settle()
            assert known.loaded
            assert known.find(ONE.token_id) == ONE
            assert known.find("another") is None
    assert logs == []


async def test_what_is_done_here_holds_at_once_and_is_stored() -> None:
    """No refresh in between."""
    clock, tokens = FakeClock(), FakeTokens(ONE)
    known = KnownTokens(tokens, clock)
    await known.refresh()
    await known.add(TWO)
    assert known.find(TWO.token_id) == tokens.kept[TWO.token_id] == TWO

    assert await known.revoke(ONE.token_id) is True
    found = known.find(ONE.token_id)
    assert found is not None
    assert found == tokens.kept[ONE.token_id]
    assert not found.valid(clock.time())
    assert await known.revoke(ONE.token_id) is False
    assert await known.revoke("another") is False


async def test_what_was_read_before_a_revocation_was_stored_is_read_again() -> None:
    """A refresh that begins while it is being stored sees the token valid, and ends after nothing is left to store."""
    clock, tokens = FakeClock(), Stalled(ONE)
    tokens.gate.set()
    known = KnownTokens(tokens, clock)
    await known.refresh()
    tokens.gate.clear()

    revoking = asyncio.create_task(known.revoke(ONE.token_id))
    await settle()
    refreshing = asyncio.create_task(known.refresh())
    await settle()
    tokens.storing.set()
    await revoking
    tokens.gate.set()
    await refreshing

    found = known.find(ONE.token_id)
    assert found is not None
    assert not found.valid(clock.time())


async def test_what_another_process_did_is_known_soon() -> None:
    """By the refresh; and whoever revokes a token that is not known here yet does."""
    clock, tokens = FakeClock(), FakeTokens(ONE)
    known = KnownTokens(tokens, clock)
    async with running(known):
        await tokens.revoke(ONE.token_id, clock.time())
        await tokens.add(TWO)
        assert await known.revoke(TWO.token_id) is True
        found = [known.find(token.token_id) for token in (ONE, TWO)]
        assert [one is not None and one.valid(clock.time()) for one in found] == [False, False]

        three = replace(ONE, token_id="three")
        await tokens.add(three)
        assert known.find("three") is None
        clock.advance(REFRESH_SEC)
        await settle()
        assert known.find("three") == three


async def test_a_revocation_is_not_undone_by_what_was_read_before_it() -> None:
    """A refresh is under way: what it brings is older, and it is read again."""
    clock, tokens = FakeClock(), Slow(ONE)
    known = KnownTokens(tokens, clock)
    tokens.gate.set()
    await known.refresh()
    tokens.gate.clear()
    refreshing = asyncio.create_task(known.refresh())
    await settle()
    await known.revoke(ONE.token_id)
    await known.add(TWO)
    tokens.gate.set()
    await refreshing

    found = known.find(ONE.token_id)
    assert found is not None
    assert found.revoked_at is not None
    assert known.find(TWO.token_id) == TWO
    assert tokens.reads == 3


async def test_while_the_database_is_away_what_was_known_holds() -> None:
    """It is said once, and its end too; what cannot be stored does not hold."""
    clock, tokens = FakeClock(), FakeTokens(ONE)
    known = KnownTokens(tokens, clock)
    with capture_logs() as logs:
        async with running(known):
            tokens.trouble = "no route"
            for _ in range(10):
                clock.advance(REFRESH_SEC)
                await settle()
            assert known.find(ONE.token_id) == ONE
            with pytest.raises(StoreError):
                await known.add(TWO)
            with pytest.raises(StoreError, match="it may still let in"):
                await known.revoke(TWO.token_id)
            assert known.find(TWO.token_id) is None
            assert known.find(ONE.token_id) == ONE
            tokens.trouble = ""
            clock.advance(REFRESH_SEC)
            await settle()
    assert [line["event"] for line in logs] == [
        "cannot read the tokens; those that are known hold",
        "reading the tokens again",
    ]


async def test_what_is_revoked_without_a_database_is_worth_nothing_and_is_stored_later() -> None:
    """At once, through every refresh, with the time at which it was revoked."""
    clock, tokens = FakeClock(), FakeTokens(ONE)
    known = KnownTokens(tokens, clock)
    async with running(known):
        tokens.trouble = "no route"
        at = clock.time()
        assert await known.revoke(ONE.token_id) is True
        assert await known.revoke(ONE.token_id) is False
        assert not known.stored(ONE.token_id)
        assert known.find(ONE.token_id) == replace(ONE, revoked_at=at)
        assert tokens.kept[ONE.token_id] == ONE
        tokens.trouble = ""
        await known.refresh()
        assert known.find(ONE.token_id) == replace(ONE, revoked_at=at)
        clock.advance(REFRESH_SEC)
        await settle()
        assert known.stored(ONE.token_id)
        assert tokens.kept[ONE.token_id] == known.find(ONE.token_id) == replace(ONE, revoked_at=at)


async def test_what_ended_long_ago_is_forgotten() -> None:
    """Valid ones never are."""
    clock = FakeClock()
    ended = replace(TWO, revoked_at=clock.time())
    tokens = FakeTokens(ONE, ended)
    known = KnownTokens(tokens, clock)
    async with running(known):
        clock.advance(ENDED_KEPT_SEC)
        await settle()
        assert set(tokens.kept) == {ONE.token_id, TWO.token_id}
        clock.advance(REFRESH_SEC)
        await settle()
        assert set(tokens.kept) == {ONE.token_id}
        assert known.all() == (ONE,)


def test_a_token_expires_by_the_clock() -> None:
    """At that instant it is worth nothing."""
    token = replace(ONE, expires_at=10.0)

    assert (token.valid(9.9), token.valid(10.0)) == (True, False)
    assert replace(ONE, revoked_at=1.0).ended_at == 1.0
    assert replace(token, revoked_at=20.0).ended_at == 10.0


def test_a_new_token_is_one_of_ours_and_no_other() -> None:
    """With more than 160 bits of its own, which two never share."""
    made = [minted() for _ in range(1000)]

    assert all(id_of(text) == token_id for token_id, text in made)
    secrets = {text.rpartition("_")[2] for _, text in made}
    assert len(secrets) == len({token_id for token_id, _ in made}) == 1000
    assert {len(secret) for secret in secrets} == {40}  # 62 signs: 238 bits
    assert len(digest_of(made[0][1])) == 64
    assert digest_of(made[0][1]) != digest_of(made[1][1])


@pytest.mark.parametrize("text", ["", "crw_", "crw__", "crw_7f3a9c01b2d4_", "crw_7f3a9c01b2d4_" + 41 * "x", "Bearer x"])
def test_what_is_none_of_ours_has_no_id(text: str) -> None:
    """Nor does what merely begins like one; and its digest is that of nothing."""
    assert id_of(text) is None
    assert digest_of(text + "\udc80")


def test_a_text_is_shown_without_secrets() -> None:
    """Whole ones, and what was cut off or has a wrong length."""
    token_id, token = minted()

    assert without_secrets(f"a {token} b") == f"a crw_{token_id}_*** b"
    assert without_secrets(f"{token[:-5]}/x{token}") == f"crw_{token_id}_***/xcrw_{token_id}_***"
    assert without_secrets("crw_x") == "crw_x"
