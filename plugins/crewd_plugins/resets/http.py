"""``type: http``: a worker that is deployed elsewhere is restarted there, by its own ``/restart``.

Rules:

1. No redirect is followed, no proxy and no password of the environment is used: the request goes where it says.
2. It is shown who asks by an API key, or by a signature over method, target, time, nonce and body; both are files.
3. The answer is read so far, and no further: ANSWER_BYTES. One that says ``success: false`` has failed.
"""

import json
import os
import secrets
import ssl
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlsplit

import httpx2

from crewd.plugin import Act, Form, NoAnswer, Occasion, OptionError, Question, Reset, Step, option, sign

CALL_RESTART = "call_restart"
ANSWER_BYTES = 64 * 1024
SECRET_BYTES = 4096
SAID_MOST = 300
_BODY = b"{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """What is asked over HTTP."""

    url: str = option(
        "What is asked by POST, such as https://worker.example/restart.",
        pattern=r"^https?://[!-~]+$",
        what="a URL such as https://worker.example/restart",
        secret=True,
    )
    api_key_file: str | None = option("A file with the key that goes as X-API-Key.", default=None, form=Form.PATH)
    hmac_key: str | None = option(
        "The id of the secret that signs the request.",
        default=None,
        pattern=r"^[A-Za-z0-9_.-]{1,100}$",
        what="an id of letters, digits, _ . -",
    )
    hmac_secret_file: str | None = option("A file with that secret.", default=None, form=Form.PATH)
    ca_file: str | None = option(
        "Certificates that are believed instead of the system's, in PEM.", default=None, form=Form.PATH
    )
    deadline_sec: float = option("How long the answer may take.", default=30.0, most=600.0)

    def __post_init__(self) -> None:
        """Look at what needs more than one value."""
        _check_url(self.url)
        if (self.hmac_key is None) != (self.hmac_secret_file is None):
            missing = "hmac_key" if self.hmac_key is None else "hmac_secret_file"
            raise OptionError("hmac_key", f"goes with hmac_secret_file: write {missing} too")
        if self.api_key_file is not None and self.hmac_key is not None:
            raise OptionError("api_key_file", "says who asks, and so does hmac_key: write one of them")


def _check_url(url: str) -> None:
    """Raise OptionError, and repeat nothing: it may hold a password."""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0 and not parts.fragment
    except ValueError:
        usable = False
        parts = urlsplit("")
    if not usable:
        raise OptionError("url", "cannot be read: write https://worker.example/restart")
    if parts.username is not None:
        raise OptionError("url", "holds a user or a password: use api_key_file or hmac_key")


class HttpReset(Reset[HttpOptions]):
    """Asks."""

    options_type = HttpOptions

    def __init__(self, options: HttpOptions) -> None:
        super().__init__(options)
        self._client: httpx2.AsyncClient | None = None
        self._secret = ""

    @property
    def deadline_sec(self) -> float:
        """As configured."""
        return self.options.deadline_sec

    @property
    def secrets(self) -> tuple[str, ...]:
        """The key, once it was read. The URL itself is named in the answer, but for its query."""
        query = urlsplit(self.options.url).query
        return tuple(filter(None, (self._secret, query)))

    def acts(self) -> tuple[Act, ...]:
        """The one request."""
        parts = urlsplit(self.options.url)
        return (Act(CALL_RESTART, f"{parts.scheme}://{parts.netloc}{parts.path or '/'}"),)

    async def open(self) -> None:
        """Read the files, and make the client."""
        options = self.options
        file = options.api_key_file or options.hmac_secret_file
        if file is not None:
            self._secret = _secret(file)
        try:
            verify = ssl.create_default_context(cafile=options.ca_file)
        except OSError as error:
            raise OSError(f"cannot read certificates from {options.ca_file}: {error.strerror or error}") from None
        self._client = httpx2.AsyncClient(
            verify=verify, follow_redirects=False, trust_env=False, timeout=options.deadline_sec
        )

    async def perform(self, act: Act, occasion: Occasion) -> AsyncGenerator[Step, None]:  # noqa: ARG002 - the API's
        """Ask, and say what came of it."""
        if self._client is None:
            raise OSError(f"cannot call {act.key}: it is not open")
        try:
            async with self._client.stream(
                "POST", self.options.url, content=_BODY, headers=self._headers()
            ) as response:
                said = await _read(response)
        except httpx2.TimeoutException:
            raise NoAnswer(f"cannot call {act.key}: no answer within {self.options.deadline_sec:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise OSError(f"cannot call {act.key}: {error or type(error).__name__}") from None
        yield _step(act, response.status_code, response.headers.get("location", ""), said)

    async def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            await self._client.aclose()

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "crewd"}
        headers["Accept-Encoding"] = "identity"  # what is sent small must not become large here
        if self.options.api_key_file is not None:
            headers["X-API-Key"] = self._secret
        if self.options.hmac_key is not None:
            headers |= self._signed(self.options.hmac_key)
        return headers

    def _signed(self, key: str) -> dict[str, str]:
        parts = urlsplit(self.options.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        question = Question("POST", target, _BODY)
        return {"Authorization": sign(self._secret.encode(), key, question, int(time.time()), secrets.token_hex(16))}


def _secret(path: str) -> str:
    """Return the only line of a file that holds a secret; raises OSError with a sentence."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(fd, "rb") as file:
            content = file.read(SECRET_BYTES + 1)
    except OSError as error:
        raise OSError(f"cannot read a secret from {path}: {error.strerror}") from None
    text = content.decode(errors="replace").strip()
    if not text or len(content) > SECRET_BYTES or not text.isascii() or not text.isprintable():
        raise OSError(f"cannot read a secret from {path}: it should hold one line of ASCII")
    return text


async def _read(response: httpx2.Response) -> bytes:
    content = b""
    async for piece in response.aiter_raw():
        content += piece
        if len(content) > ANSWER_BYTES:
            break
    return content[:ANSWER_BYTES]


def _step(act: Act, status: int, location: str, said: bytes) -> Step:
    details: dict[str, Any] = {"status": status}
    members = _members(said)
    if isinstance(members.get("summary"), dict):
        details["summary"] = members["summary"]
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return _failed(act, f"it answers with {status}, to {location[:SAID_MOST]}: no redirect is followed", details)
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return _failed(act, f"it answers with {status}{_words(members)}", details)
    if members.get("success") is False:
        return _failed(act, f"it answers that it failed{_words(members)}", details)
    return Step(CALL_RESTART, act.key, details=details)


def _failed(act: Act, why: str, details: dict[str, Any]) -> Step:
    return Step(CALL_RESTART, act.key, success=False, error=f"cannot restart {act.key}: {why}", details=details)


def _words(members: dict[str, Any]) -> str:
    message = members.get("message")
    return f": {message[:SAID_MOST]}" if isinstance(message, str) and message else ""


def _members(said: bytes) -> dict[str, Any]:
    try:
        value = json.loads(said)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
