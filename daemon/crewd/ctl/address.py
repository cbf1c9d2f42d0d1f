"""``--host``, ``--token-file``, ``--ca``, ``--cert``, ``--key`` and their variables: to which daemon, and as whom.

Rules:

1. A secret stands in a file of one's own or in the environment, never on the command line, which all can read.
2. An address that is wrong is not repeated: there may be a password in it.
3. What is said on the command line stands above the environment, whole: ``--socket`` above ``CREWD_HOST``.
"""

import ipaddress
import os
import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import SplitResult, urlsplit

import click

from crewd.ctl.ways import TcpWay, UnixWay, Way
from crewd.model.home import Home

HOST, TOKEN = "CREWD_HOST", "CREWD_TOKEN"
WRITE = "write https://HOST:PORT"
TOKEN_MOST = 4096


@dataclass(frozen=True, slots=True)
class Address:
    """What the command line says."""

    socket: str | None = None
    host: str | None = None
    token_file: str | None = None
    ca: str | None = None
    cert: str | None = None
    key: str | None = None


def way(said: Address, environ: Mapping[str, str]) -> Way:
    """Return the way to the daemon that is meant; raises click.UsageError."""
    if said.socket and said.host:
        raise click.UsageError("Say --socket or --host: not both.")
    host = said.host or (environ.get(HOST, "") if said.socket is None else "")
    if host:
        return _tcp(host, said, environ)
    for name in ("token_file", "ca", "cert", "key"):
        if getattr(said, name) is not None:
            raise click.UsageError(f"--{name.replace('_', '-')} goes with --host.")
    return UnixWay(said.socket or socket_of(environ))


def socket_of(environ: Mapping[str, str]) -> str:
    """Return where the daemon's socket lies; a relative ``CREWD_HOME`` begins at the working directory."""
    root = environ.get("CREWD_HOME", "")
    home = Home.under(os.path.abspath(root)) if root else Home()  # noqa: PTH100 - as config.home has it
    return f"{home.run}/crewd.sock"


def _tcp(url: str, said: Address, environ: Mapping[str, str]) -> TcpWay:
    parts, host, port = _read(url)
    context = _context(said) if parts.scheme == "https" else None
    token = _token_in(said.token_file) if said.token_file is not None else environ.get(TOKEN, "").strip()
    _check_token(token, said.token_file or TOKEN)
    return TcpWay(host, port, context, token)


def _read(url: str) -> tuple[SplitResult, str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = SplitResult("", "", "", "", ""), None, None
    if "@" in url:
        _refuse("no password belongs there: others can read it")
    if parts.scheme not in {"https", "http"} or not host or not port or not (host.isascii() and host.isprintable()):
        _refuse(f"it is no address: {WRITE}")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        _refuse(f"it says more than an address: {WRITE}")
    if parts.scheme == "http" and not _is_this_machine(host):
        _refuse(f"{host} is another machine, and it would be without TLS: {WRITE}")
    return parts, host, port


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse(why: str, what: str = f"--host or {HOST}") -> NoReturn:
    raise click.BadParameter(why, param_hint=what)


def _context(said: Address) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=said.ca)
    except (OSError, ValueError) as cause:
        _refuse(f"cannot read {said.ca}: {_why(cause)}", "--ca")
    if said.key is not None and said.cert is None:
        raise click.UsageError("--key goes with --cert.")
    if said.cert is not None:
        try:
            context.load_cert_chain(said.cert, said.key, password=_no_password)
        except (OSError, ValueError) as cause:
            where = said.cert if said.key is None else f"{said.cert} and {said.key}"
            _refuse(f"cannot use {where}: {_why(cause)}", "--cert, --key")
    return context


def _no_password() -> str:
    raise ValueError("the key has a password, which cannot be asked for")


def _why(cause: Exception) -> str:
    """Return why a file could not be used."""
    if isinstance(cause, ssl.SSLError):
        wrong_key = cause.reason == "KEY_VALUES_MISMATCH"
        return "the key is another one's" if wrong_key else "there is no certificate or key in it, as PEM"
    return (cause.strerror if isinstance(cause, OSError) else None) or str(cause)


def _token_in(file: str) -> str:
    try:
        with Path(file).open(encoding="ascii") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            if stat.S_ISREG(mode) and mode & (stat.S_IRWXG | stat.S_IRWXO):
                _refuse(f"others than you can read {file}: chmod 600 {file}", "--token-file")
            return opened.read(TOKEN_MOST).strip()
    except OSError as cause:
        _refuse(f"cannot read {file}: {cause.strerror}", "--token-file")
    except ValueError:
        _refuse(f"cannot read {file}: there is no token in it", "--token-file")


def _check_token(token: str, where: str) -> None:
    """A token is one word: what is none would break the request. It is not repeated."""
    named = where != TOKEN
    if not (token.isascii() and token.isprintable()) or " " in token or (named and not token):
        _refuse(f"there is no token in {where}", "--token-file" if named else TOKEN)
