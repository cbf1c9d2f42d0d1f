"""Resets of type redis, on a real Redis."""

import asyncio
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from crewd.model.spec import ResetAction
from crewd.plugin import Occasion, Step
from crewd.reconcile.clearing import cleared
from crewd_plugins.resets import redis_locks
from crewd_plugins.resets.redis import RedisOptions, RedisReset
from harness.redis import RedisServer, _redis, redis  # noqa: F401 - fixtures

PATIENT: dict[str, Any] = {"timeout_sec": 30.0, "deadline_sec": 60.0}
"""Where it is not about that, nobody is left for a machine that stands still."""
RUNS = Occasion("ingest", ("ingest-0", "ingest-1"))
STOPPED = Occasion("ingest", ("ingest-0", "ingest-1"), stopped=True)


async def reset(server: RedisServer, occasion: Occasion = RUNS, **options: Any) -> list[Step]:
    """Carry one out; return its steps."""
    return await cleared(ResetAction("redis", RedisOptions(**{"url": server.url, **PATIENT, **options})), occasion)


def failures(steps: list[Step]) -> list[str]:
    """Return why the steps failed that did."""
    return [step.error for step in steps if not step.success]


async def test_what_the_document_clears_is_cleared_in_its_order(redis: RedisServer) -> None:  # noqa: F811
    """Locks by name, wallets by pattern, rate limits by prefix; and nothing else is touched."""
    locks = ("scan_global_lock", "manual_scan_lock", "emergency_lock", "transfer_lock")
    prefixes = ("ratelimit:/:", "ratelimit:/status:", "ratelimit:/scan:", "ratelimit:/restart:")
    others = ["transfer_lock2", "ratelimit:/other:1", "wallet_lock", "data"]
    limits = [f"{prefix}10.0.0.{client}" for prefix in prefixes for client in (1, 2)]
    redis.fill([*locks[:3], "wallet_lock:e16", *limits, *others])

    steps = await reset(redis, locks=locks, wallet_locks="wallet_lock:*", ratelimit_prefixes=prefixes)

    assert failures(steps) == []
    assert [(step.action, step.key or step.wallet) for step in steps] == [
        *(("release_lock", name) for name in locks),
        ("release_wallet_lock", "e16"),
        *(("clear_ratelimit", prefix) for prefix in prefixes),
    ]
    assert redis.keys() == sorted([*others, "ratelimit:/restart:10.0.0.1", "ratelimit:/restart:10.0.0.2"])
    assert steps[0].details == {"released": True, "old_value": "x"}
    assert steps[3].details == {"released": False}
    assert [step.details["deleted"] for step in steps[5:]] == [2, 2, 2, 0]


async def test_a_limiter_of_restarts_is_kept_also_under_a_wider_prefix(redis: RedisServer) -> None:  # noqa: F811
    """Else a restart would let whoever restarts too often go on; an empty list of what is kept says otherwise."""
    redis.fill(["ratelimit:/restart:a", "ratelimit:/scan:a"])

    wider = await reset(redis, ratelimit_prefixes=("ratelimit:",))
    assert wider[0].details == {"deleted": 1}
    assert redis.keys() == ["ratelimit:/restart:a"]

    itself = await reset(redis, ratelimit_prefixes=("ratelimit:/restart:",))
    assert itself[0].success
    assert itself[0].details == {"deleted": 0, "kept": True}

    await reset(redis, ratelimit_prefixes=("ratelimit:/restart:",), keep_prefixes=())
    assert redis.keys() == []


async def test_it_may_be_done_again_and_again(redis: RedisServer) -> None:  # noqa: F811
    """What is not there was cleared."""
    redis.fill(["a_lock", "wallet_lock:e16", "limit:1"])
    options = {"locks": ("a_lock",), "wallet_locks": "wallet_lock:*", "ratelimit_prefixes": ("limit:",)}

    first, second = await reset(redis, **options), await reset(redis, **options)

    assert failures([*first, *second]) == []
    assert [step.key for step in second] == ["a_lock", "wallet_lock:*", "limit:"]
    assert redis.keys() == []


async def test_names_are_no_patterns(redis: RedisServer) -> None:  # noqa: F811
    """A name with signs in it means itself alone."""
    hostile = ["lim*t:", "lim?t:", "[a-z]:", "back\\slash:", "^a:"]
    redis.fill([*(f"{prefix}1" for prefix in hostile), "limit:1", "a:1", "backslash:1", "wallet[1]:e1", "wallet1:e1"])

    steps = await reset(redis, ratelimit_prefixes=tuple(hostile), wallet_locks="wallet[1]:*")

    assert failures(steps) == []
    assert redis.keys() == sorted(["limit:1", "a:1", "backslash:1", "wallet1:e1"])


@pytest.mark.parametrize("killed", [False, True])
async def test_a_lock_of_an_owner_dead_or_alive_is_released_by_what_it_holds(
    redis: RedisServer,  # noqa: F811
    *,
    killed: bool,
) -> None:
    """The owner is known by the value, which is told; its process is left alone."""
    with subprocess.Popen(["sleep", "1000"]) as process:
        try:
            if killed:
                process.kill()
                process.wait()
            holder = f"ingest-1:{process.pid}"
            redis.client.set("a_lock", holder)

            steps = await reset(redis, locks=("a_lock",), owner="{instance}:*")

            assert steps[0].details == {"released": True, "old_value": holder}
            assert redis.keys() == []
            assert (process.poll() is not None) == killed
        finally:
            process.kill()


@pytest.mark.parametrize("occasion", [RUNS, STOPPED])
async def test_a_lock_of_somebody_else_stays(redis: RedisServer, occasion: Occasion) -> None:  # noqa: F811
    """Another worker that lives must not lose its lock; with force it does."""
    redis.client.mset({"a_lock": "transfer-0:1", "wallet_lock:e1": "ingest-1:5", "wallet_lock:e2": "ingest-10:5"})
    options = {"locks": ("a_lock",), "wallet_locks": "wallet_lock:*", "owner": "{instance}:*"}

    steps = await reset(redis, occasion, **options)

    assert sorted(redis.keys()) == ["a_lock", "wallet_lock:e2"]
    assert failures(steps)[0] == (
        "cannot release a_lock: its holder is 'transfer-0:1', none of this worker's; force releases it all the same"
    )
    forced = await reset(redis, occasion, force=True, **options)
    assert failures(forced) == []
    assert forced[0].details["old_value"] == "transfer-0:1"
    assert redis.keys() == []


async def test_a_lock_that_changes_hands_while_it_is_looked_at_is_left_to_its_new_holder(
    redis: RedisServer,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Compare-and-delete: between reading and deleting another took it."""
    redis.client.set("a_lock", "ingest-0:1")
    read = redis_locks.Locks._value

    async def taken_meanwhile(self: redis_locks.Locks, key: bytes) -> bytes | None:
        value = await read(self, key)
        redis.client.set("a_lock", "transfer-0:7")
        return value

    monkeypatch.setattr(redis_locks.Locks, "_value", taken_meanwhile)

    steps = await reset(redis, locks=("a_lock",), owner="{instance}:*")

    assert "its holder is 'transfer-0:7'" in steps[0].error
    assert redis.client.get("a_lock") == "transfer-0:7"


async def test_an_unknown_owner_that_is_alive_keeps_what_it_takes_anew(
    redis: RedisServer,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without owner, and with the worker running, a lock is deleted only with the value that was read and told."""
    redis.client.set("a_lock", "0")
    read = redis_locks.Locks._value
    turns = iter(range(1, 10))

    async def taken_anew(self: redis_locks.Locks, key: bytes) -> bytes | None:
        value = await read(self, key)
        redis.client.set("a_lock", str(next(turns)))
        return value

    monkeypatch.setattr(redis_locks.Locks, "_value", taken_anew)

    running = await reset(redis, locks=("a_lock",))
    assert running[0].error == "cannot release a_lock: it changes hands all the time: its holders are alive"
    assert redis.client.get("a_lock") == "3"

    stopped = await reset(redis, STOPPED, locks=("a_lock",))
    assert stopped[0].details == {"released": True, "old_value": "3"}


async def test_what_is_no_text_is_no_lock(redis: RedisServer) -> None:  # noqa: F811
    """Its holder cannot be known: it stays, unless forced."""
    redis.client.hset("a_lock", "holder", "x")

    steps = await reset(redis, locks=("a_lock",))
    assert steps[0].error == (
        "cannot release a_lock: it holds no text, so its holder is not known; force releases it all the same"
    )
    forced = await reset(redis, locks=("a_lock",), force=True)
    assert forced[0].details == {"released": True, "old_value": "(hash)"}
    assert redis.keys() == []


async def test_over_the_unix_socket_and_in_another_database(redis: RedisServer) -> None:  # noqa: F811
    """Database 3 is cleared, database 0 is not."""
    redis.client.set("a_lock", "zero")
    redis.database(3).set("a_lock", "three")
    url = f"unix://{redis.unix}?db=3"

    steps = await cleared(ResetAction("redis", RedisOptions(url=url, locks=("a_lock",))), RUNS)

    assert steps[0].details == {"released": True, "old_value": "three"}
    assert redis.keys() == ["a_lock"]
    assert not redis.database(3).dbsize()


async def test_a_hundred_thousand_keys_go_while_others_are_served(redis: RedisServer) -> None:  # noqa: F811
    """In bounded time; another client waits for milliseconds at most, for SCAN and UNLINK come in small batches."""
    redis.fill(f"limit:{number}" for number in range(100_000))
    redis.fill(f"other:{number}" for number in range(1000))
    latencies, done = _measured(redis)

    begun = time.monotonic()
    steps = await reset(redis, ratelimit_prefixes=("limit:",), deadline_sec=60.0)
    took = time.monotonic() - begun
    longest = sorted(done())[int(len(latencies) * 0.95)]  # the machine itself may stand still now and then

    assert steps[0].details == {"deleted": 100_000}
    assert len(redis.keys()) == 1000
    assert took < 50.0
    assert len(latencies) > 20
    assert longest < 0.25, f"one ping in twenty took {longest:.3f} s while {took:.1f} s of clearing went on"
    print(f"100,000 keys in {took:.2f} s, slow ping {longest * 1000:.1f} ms of {len(latencies)}")


def _measured(server: RedisServer) -> tuple[list[float], Any]:
    """Ping from another thread; return the latencies, and what ends it."""
    latencies: list[float] = []
    ending = threading.Event()
    client = server.client

    def ping() -> None:
        while not ending.is_set():
            begun = time.monotonic()
            client.ping()
            latencies.append(time.monotonic() - begun)
            time.sleep(0.001)

    thread = threading.Thread(target=ping)
    thread.start()

    def end() -> list[float]:
        ending.set()
        thread.join()
        return latencies

    return latencies, end


async def test_too_many_wallets_are_said(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """Those that are listed are released; the rest is an action that failed."""
    monkeypatch.setattr("crewd_plugins.resets.redis.WALLETS_MOST", 50)
    redis.fill(f"wallet_lock:{number}" for number in range(60))

    steps = await reset(redis, wallet_locks="wallet_lock:*")

    assert len(steps) == 51
    assert failures(steps) == [
        "cannot release wallet_lock:*: more than 50 are held; those that are left go at the next restart"
    ]
    assert len(redis.keys()) == 10


async def test_a_server_that_is_not_there_fails_every_action(redis: RedisServer) -> None:  # noqa: F811
    """Each says why."""
    redis.kill()

    steps = await reset(redis, locks=("a_lock", "b_lock"), ratelimit_prefixes=("limit:",))

    assert [step.success for step in steps] == [False] * 3
    assert all("Connect call failed" in why or "refused" in why.lower() for why in failures(steps)), failures(steps)


async def test_a_wrong_password_is_told_and_not_repeated() -> None:
    """Neither the one that was tried nor its URL."""
    with RedisServer("right%20one") as server:
        wrong = server.url.replace("right%20one", "s3cret-wr0ng")

        steps = await cleared(ResetAction("redis", RedisOptions(url=wrong, locks=("a_lock",))), RUNS)

    assert "password" in steps[0].error
    assert "s3cret" not in repr(steps)


async def test_a_server_that_hangs_is_left_at_its_timeout(redis: RedisServer) -> None:  # noqa: F811
    """What is left is not tried: each would wait again."""
    redis.hang()
    begun = time.monotonic()

    steps = await reset(redis, locks=("a", "b", "c", "d"), timeout_sec=0.5, deadline_sec=60.0)

    assert time.monotonic() - begun < 30.0
    assert [step.key for step in steps] == ["a", "b", "c", "d"]
    assert set(failures(steps)) == {"cannot release a: Redis did not answer within 0.5 s"}


async def test_the_deadline_ends_it_in_any_case(redis: RedisServer) -> None:  # noqa: F811
    """Also where one answer may take longer than all may."""
    redis.hang()
    begun = time.monotonic()

    steps = await reset(redis, locks=("a", "b"), timeout_sec=30.0, deadline_sec=0.5)

    assert time.monotonic() - begun < 20.0
    assert failures(steps) == ["not done within 0.5 s"] * 2


async def test_a_server_that_dies_in_between_leaves_what_was_done(redis: RedisServer) -> None:  # noqa: F811
    """The locks were released; the rest failed, and says why; the next restart does the rest."""

    def kill_when_begun() -> None:
        client = redis.client
        while client.exists("a_lock") or client.dbsize() > 49_000:
            pass
        redis.kill()

    steps: list[Step] = []
    while not steps or all(step.success for step in steps[:2]):  # it may be through before it is killed
        redis.start()
        redis.fill(["a_lock", *(f"limit:{number}" for number in range(50_000))])
        killing = asyncio.create_task(asyncio.to_thread(kill_when_begun))
        steps = await reset(redis, locks=("a_lock",), ratelimit_prefixes=("limit:", "more:"))
        await killing

    assert [step.success for step in steps] == [True, False, False]
    assert all(why.startswith(("cannot clear limit:: ", "cannot clear more:: ")) for why in failures(steps))


class Lossy:
    """Between the client and the server: the answer to the first script is lost, and the connection with it."""

    def __init__(self, server: RedisServer, then: Callable[[], object]) -> None:
        self._server = server
        self._then = then
        self.scripts = 0
        self._lost = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on."""
        answers, asking = await asyncio.open_unix_connection(self._server.unix)
        back = asyncio.create_task(self._back(answers, writer))
        while piece := await reader.read(65536):
            self.scripts += piece.count(b"\r\nEVAL\r\n")
            asking.write(piece)
        asking.close()
        await back

    async def _back(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await answers.read(65536):
            if self.scripts and not self._lost:
                self._lost = True
                self._then()
                break
            writer.write(piece)
        writer.close()


@pytest.mark.parametrize("options", [{"force": True}, {}], ids=["forced", "compared"])
async def test_an_answer_that_is_lost_is_not_asked_for_again(
    redis: RedisServer,  # noqa: F811
    options: dict[str, Any],
) -> None:
    """The lock was released; whoever took it since keeps it, though it holds the same as before."""
    redis.fill(["a_lock"])
    lossy = Lossy(redis, lambda: redis.fill(["a_lock"]))
    async with await asyncio.start_server(lossy.serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        [step] = await reset(redis, url=f"redis://127.0.0.1:{port}/0", locks=("a_lock",), **options)

        assert step.error.startswith("cannot release a_lock: ")
        assert lossy.scripts == 1
        assert redis.keys() == ["a_lock"]


def test_a_secret_is_in_no_text_of_the_options() -> None:
    """Whoever prints them sees none."""
    options = RedisOptions(url="redis://:s3cret%2F@127.0.0.1/0", locks=("a",))

    assert "s3cret" not in repr(options)
    assert set(RedisReset(options).secrets) == {options.url, "s3cret%2F", "s3cret/"}
