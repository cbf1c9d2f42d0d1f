"""``type: redis``: locks by name, wallet locks by pattern, rate limits by prefix.

Rules:

1. Nothing is touched that is not named: a name means itself, whatever signs stand in it.
2. A limiter of restarts is never among what a restart clears: keys under ``keep_prefixes`` stay.
3. The server is never held up: SCAN and UNLINK, some hundred keys at a time.
4. Nothing is sent twice: where the answer was lost it may have been done, and what is there by then is somebody else's.
"""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from crewd.plugin import Act, NoAnswer, Occasion, OptionError, Reset, Step, option
from crewd_plugins.resets.owners import check_owner
from crewd_plugins.resets.redis_locks import LeftAlone, Locks, Release, Server, escaped, scanned

RELEASE_LOCK = "release_lock"
RELEASE_WALLET_LOCK = "release_wallet_lock"
CLEAR_RATELIMIT = "clear_ratelimit"
BATCH = 500
WALLETS_MOST = 10_000
"""So many wallets are listed; what is left is an action that failed, for another restart to go on with."""
RESTART_LIMITER = "ratelimit:/restart:"
_KEY = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisOptions:
    """What is cleared in Redis."""

    url: str = option(
        "The server: redis://user:password@host:port/db, rediss:// with TLS, or unix://path?db=0.",
        pattern=r"^(?:rediss?|unix)://\S+$",
        what="a URL such as redis://127.0.0.1:6379/0",
        secret=True,
    )
    locks: tuple[str, ...] = option("Locks to let go of, by the names of their keys.", default=(), what=_KEY)
    wallet_locks: str | None = option(
        "The locks of wallets: a key with one * where the wallet's name stands.",
        default=None,
        pattern=r"^[^*]*\*[^*]*$",
        what="a key with one * in it such as wallet_lock:*",
    )
    ratelimit_prefixes: tuple[str, ...] = option(
        "All keys that begin with one of these are removed.", default=(), what=_KEY
    )
    keep_prefixes: tuple[str, ...] = option(
        "Keys that begin with one of these stay, whatever ratelimit_prefixes say: limiters of restarts.",
        default=(RESTART_LIMITER,),
        what=_KEY,
    )
    owner: str | None = option(
        "What the locks of this worker hold, with {instance}, {worker_id} and * in it. A lock that holds anything else "
        "is left alone. Unset: a lock is this worker's, whatever it holds.",
        default=None,
    )
    force: bool = option("Whether locks are deleted whatever they hold.", default=False)
    timeout_sec: float = option("How long the server may take for one answer.", default=2.0, most=60.0)
    deadline_sec: float = option("How long all of it may take.", default=10.0, most=600.0)

    def __post_init__(self) -> None:
        """Look at what needs more than one value."""
        _check_url(self.url)
        check_owner(self.owner, star=True)
        if self.wallet_locks == "*":
            raise OptionError("wallet_locks", "would match every key: write what stands before or behind the *")
        if not (self.locks or self.wallet_locks or self.ratelimit_prefixes):
            raise OptionError("url", "names a server of which nothing is cleared: write locks, or another of them")


def _check_url(url: str) -> None:
    """Raise OptionError, and repeat nothing: it may hold a password."""
    wrong = OptionError("url", "cannot be read: write redis://user:password@host:port/db, or unix://path?db=0")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise wrong from None
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    unix = parts.scheme == "unix"
    database = query.pop("db", "0") if unix else parts.path.strip("/") or "0"
    named = parts.path.strip("/") if unix else parts.hostname
    if query or parts.fragment or port == 0 or not named or not (database.isascii() and database.isdecimal()):
        raise wrong


class RedisReset(Reset[RedisOptions]):
    """Clears it."""

    options_type = RedisOptions

    def __init__(self, options: RedisOptions) -> None:
        super().__init__(options)
        self._client: Server | None = None

    @property
    def deadline_sec(self) -> float:
        """As configured."""
        return self.options.deadline_sec

    def acts(self) -> tuple[Act, ...]:
        """In the document's order."""
        options = self.options
        wallets = (Act(RELEASE_WALLET_LOCK, options.wallet_locks),) if options.wallet_locks else ()
        return (
            *(Act(RELEASE_LOCK, name) for name in options.locks),
            *wallets,
            *(Act(CLEAR_RATELIMIT, prefix) for prefix in options.ratelimit_prefixes),
        )

    async def open(self) -> None:
        """Make the client; the first act connects."""
        options = self.options
        connect = cast("Callable[..., Server]", Redis.from_url)  # pyright: ignore[reportUnknownMemberType]
        self._client = connect(
            options.url,
            socket_timeout=options.timeout_sec,
            socket_connect_timeout=options.timeout_sec,
            retry=Retry(NoBackoff(), 0),
            max_connections=1,
            protocol=2,
            client_name="crewd-reset",
        )

    async def perform(self, act: Act, occasion: Occasion) -> AsyncGenerator[Step, None]:
        """Do one act."""
        client = self._client
        if client is None:
            raise OSError("cannot reach Redis: it is not open")
        try:
            if act.action == CLEAR_RATELIMIT:
                yield await self._clear(client, act.key)
                return
            locks = Locks(client, self.options.owner, force=self.options.force)
            if act.action == RELEASE_LOCK:
                yield await _released(locks, act.key, occasion)
                return
            async for step in self._wallets(client, locks, act.key, occasion):
                yield step
        except RedisTimeoutError:
            raise NoAnswer(f"cannot {_verb(act)}: Redis did not answer within {self.options.timeout_sec:g} s") from None
        except (RedisError, OSError) as error:
            raise OSError(f"cannot {_verb(act)}: {error}") from None

    async def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            await self._client.aclose()

    async def _clear(self, client: Server, prefix: str) -> Step:
        kept = tuple(one.encode() for one in self.options.keep_prefixes)
        if prefix.encode().startswith(kept):
            return Step(CLEAR_RATELIMIT, prefix, details={"deleted": 0, "kept": True})
        deleted = 0
        async for keys in scanned(client, escaped(prefix) + b"*", BATCH):
            doomed = [key for key in keys if not key.startswith(kept)]
            if doomed:
                deleted += int(await client.unlink(*doomed))
        return Step(CLEAR_RATELIMIT, prefix, details={"deleted": deleted})

    async def _wallets(
        self, client: Server, locks: Locks, pattern: str, occasion: Occasion
    ) -> AsyncGenerator[Step, None]:
        before, _, behind = pattern.partition("*")
        seen: set[bytes] = set()
        async for keys in scanned(client, escaped(before) + b"*" + escaped(behind), BATCH):
            for key in keys:
                if key in seen:
                    continue
                if len(seen) >= WALLETS_MOST:
                    raise OSError(f"more than {WALLETS_MOST} are held; those that are left go at the next restart")
                seen.add(key)
                yield await _released_wallet(locks, key, len(before.encode()), len(behind.encode()), occasion)
        if not seen:
            yield Step(RELEASE_WALLET_LOCK, pattern, details={"released": False})


async def _released(locks: Locks, name: str, occasion: Occasion) -> Step:
    try:
        return Step(RELEASE_LOCK, name, details=_details(await locks.release(name.encode(), occasion)))
    except LeftAlone as why:
        return Step(RELEASE_LOCK, name, success=False, error=f"cannot release {name}: {why}")


async def _released_wallet(locks: Locks, key: bytes, before: int, behind: int, occasion: Occasion) -> Step:
    wallet = key[before : len(key) - behind].decode(errors="replace")
    try:
        release = await locks.release(key, occasion)
    except LeftAlone as why:
        error = f"cannot release the lock of wallet {wallet}: {why}"
        return Step(RELEASE_WALLET_LOCK, wallet=wallet, success=False, error=error)
    return Step(RELEASE_WALLET_LOCK, wallet=wallet, details=_details(release))


def _details(release: Release) -> dict[str, Any]:
    return {"released": False} if release.old is None else {"released": True, "old_value": release.old}


def _verb(act: Act) -> str:
    return f"clear {act.key}" if act.action == CLEAR_RATELIMIT else f"release {act.key}"
