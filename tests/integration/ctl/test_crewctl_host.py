"""crewctl and another machine's daemon: TLS, certificates, tokens. The servers are real ones of this machine."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from harness.canned_api import Reply, TcpApi, data, no, parts
from harness.certificates import Authority, Pair
from harness.crewctl import COMMAND, crewctl, environ
from harness.crewctl_answers import crew, instance, result, results, worker

HERE = ("IP:127.0.0.1", "DNS:localhost")
CREW = data(crew(worker(instance("web-0"))))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Somebody whom the system does not know."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Pair:
    """For this machine."""
    return authority.sign("server", *HERE)


def context(shown: Pair, clients_of: str | None = None) -> ssl.SSLContext:
    """Return what a server is given; ``clients_of``: whoever comes needs a certificate of this authority."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(shown.certificate, shown.key)
    if clients_of is not None:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(clients_of)
    return made


@contextmanager
def serving(context: ssl.SSLContext | None) -> Iterator[TcpApi]:
    """A daemon behind TLS."""
    with TcpApi(context) as api:
        api.serve("GET /workers", CREW)
        yield api


@pytest.fixture
def api(certificate: Pair) -> Iterator[TcpApi]:
    """A daemon behind TLS, whose certificate is good."""
    with serving(context(certificate)) as api:
        yield api


def asked(
    root: Path, api: TcpApi, authority: Authority | None, *arguments: str, host: str = "localhost"
) -> "subprocess.CompletedProcess[str]":
    """Run crewctl against this server."""
    trusted = () if authority is None else ("--ca", authority.certificate)
    return crewctl(root, "--host", f"https://{host}:{api.port}", *trusted, *arguments)


def test_another_machine_s_crew_is_shown(root: Path, api: TcpApi, authority: Authority) -> None:
    """Over TLS, by name or by address."""
    for host in ("localhost", "127.0.0.1"):
        ran = asked(root, api, authority, "status", host=host)

        assert (ran.returncode, ran.stderr) == (0, "")
        assert "web-0" in ran.stdout
        assert api.last().headers["host"] == f"{host}:{api.port}"
        assert "authorization" not in api.last().headers


def test_it_is_steered_too(root: Path, api: TcpApi, authority: Authority) -> None:
    """And streams come as they do over the socket."""
    api.serve("POST /workers/batch", data(results("stop", result("web-0", "stopping"))))
    api.serve("GET /workers/web-0/logs", parts("text/plain", b"one\n", b"two\n"))

    assert asked(root, api, authority, "stop", "web-0").stdout == "✓ web-0  stopped\n"
    assert asked(root, api, authority, "logs", "web-0").stdout == "one\ntwo\n"


def test_a_token_comes_from_a_file_of_one_s_own(root: Path, api: TcpApi, authority: Authority) -> None:
    """Or from the environment, above which the file stands; never from the command line."""
    token = root / "token"
    token.write_text("crw_7f3a_secret\n")
    token.chmod(0o600)
    ran = asked(root, api, authority, "--token-file", str(token), "status")

    assert ran.returncode == 0
    assert api.last().headers["authorization"] == "Bearer crw_7f3a_secret"

    variables = environ(root) | {
        "CREWD_HOST": f"https://localhost:{api.port}",
        "CREWD_TOKEN": "crw_other_one",
    }
    command = [*COMMAND, "--ca", authority.certificate, "status"]
    ran = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert api.last().headers["authorization"] == "Bearer crw_other_one"
    assert "--token " not in crewctl(root, "--help").stdout


def test_a_token_that_others_can_read_is_not_used(root: Path, api: TcpApi, authority: Authority) -> None:
    """Nothing is asked; what to do is said, the token is not."""
    token = root / "token"
    token.write_text("crw_7f3a_secret")
    token.chmod(0o640)
    ran = asked(root, api, authority, "--token-file", str(token), "status")

    assert ran.returncode == 2
    assert f"others than you can read {token}: chmod 600 {token}" in ran.stderr
    assert "secret" not in ran.stderr
    assert not api.asked


def test_the_token_is_in_no_list_of_processes(root: Path, authority: Authority, certificate: Pair) -> None:
    """While crewctl waits for an answer, nobody sees it there."""
    token = root / "token"
    token.write_text("crw_7f3a_secret")
    token.chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(60)
        host = f"https://localhost:{listening.getsockname()[1]}"
        command = [*COMMAND, "--host", host, "--ca", authority.certificate, "--token-file", str(token), "status"]
        with subprocess.Popen(command, env=environ(root), stderr=subprocess.DEVNULL) as running:
            near, _ = listening.accept()
            shown = Path(f"/proc/{running.pid}/cmdline").read_bytes()
            running.kill()
            near.close()

        assert b"token-file" in shown
        assert b"secret" not in shown


@pytest.mark.parametrize(
    ("names", "days", "why"),
    [
        (HERE, "-1", "its certificate has expired"),
        (
            ("DNS:elsewhere.example",),
            "2",
            "its certificate is for another name; say --host with the name that it is for",
        ),
    ],
)
def test_a_certificate_that_is_wrong_is_told(
    root: Path, authority: Authority, names: tuple[str, ...], days: str, why: str
) -> None:
    """In a sentence; nothing was asked of whoever showed it."""
    with serving(context(authority.sign("wrong", *names, days=days))) as api:
        ran = asked(root, api, authority, "status")

        assert ran.stderr == f"cannot trust https://localhost:{api.port}: {why}\n"
        assert ran.returncode == 4
        assert not api.asked


def test_a_signer_that_nobody_knows_is_told(root: Path, api: TcpApi, tmp_path: Path) -> None:
    """With the option that may mend it; neither without --ca nor with another authority anything is asked."""
    for trusted in (None, Authority(tmp_path, "another")):
        ran = asked(root, api, trusted, "start", "web")

        assert ran.returncode == 7
        assert f"cannot trust https://localhost:{api.port}: nobody who is trusted here signed" in ran.stderr
        assert "--ca FILE names who did" in ran.stderr
    assert not api.asked


def test_a_certificate_of_one_s_own_is_shown(root: Path, authority: Authority, certificate: Pair) -> None:
    """Where it is wanted; and without it is told which options."""
    mine = authority.sign("ops", "DNS:ops")
    with serving(context(certificate, authority.certificate)) as api:
        shown = asked(root, api, authority, "--cert", mine.certificate, "--key", mine.key, "status")
        bare = asked(root, api, authority, "status")

        assert (shown.returncode, shown.stderr) == (0, "")
        assert bare.returncode == 4
        assert bare.stderr == (
            f"cannot speak TLS with https://localhost:{api.port}: "
            "it wants a certificate of yours: say --cert and --key\n"
        )


def test_a_certificate_that_is_not_taken_is_told(
    root: Path, authority: Authority, certificate: Pair, tmp_path: Path
) -> None:
    """One that another authority signed."""
    mine = Authority(tmp_path, "another").sign("ops", "DNS:ops")
    with serving(context(certificate, authority.certificate)) as api:
        ran = asked(root, api, authority, "--cert", mine.certificate, "--key", mine.key, "status")

        assert "it does not take the certificate that you show" in ran.stderr
        assert ran.returncode == 4


TOO_OFTEN = no(429, "RATE_001", "cannot restart: 10 a minute are the limit")


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        (
            no(401, "AUTH_001", "cannot let you in: say who you are"),
            4,
            "cannot let you in: say who you are; no token was shown: say --token-file, or set CREWD_TOKEN\n",
        ),
        (no(403, "AUTH_002", "cannot let token 7f3a stop web: it may only look"), 4, "it may only look\n"),
        (replace(TOO_OFTEN, headers={"Retry-After": "42"}), 1, "are the limit; try again in 42 s\n"),
        (TOO_OFTEN, 1, "are the limit\n"),
        (no(502, "", ""), 1, "cannot be done: the daemon answered with status 502\n"),
    ],
)
def test_a_no_is_told_with_what_to_do(
    root: Path, api: TcpApi, authority: Authority, *, reply: Reply, code: int, said: str
) -> None:
    """Not let in, not allowed, too often: each is another exit status or another sentence."""
    api.serve("POST /workers/batch", reply)
    ran = asked(root, api, authority, "stop", "web")

    assert (ran.returncode, ran.stdout) == (code, "")
    assert ran.stderr.endswith(said)


def test_what_speaks_no_tls_is_told(root: Path, authority: Authority) -> None:
    """Also nobody at all."""
    with serving(None) as api:
        ran = asked(root, api, authority, "status")
        assert ran.stderr == f"cannot speak TLS with https://localhost:{api.port}: what listens there speaks no TLS\n"
    ran = asked(root, api, authority, "status")

    assert ran.returncode == 4
    assert ran.stderr == (
        f"cannot reach crewd at https://localhost:{api.port}: "
        "nobody listens there; is crewd running, and is that its `listen`?\n"
    )
    assert "no machine of that name" in asked(root, api, authority, "status", host="nowhere.invalid").stderr


def test_without_tls_only_this_machine_is_spoken_to(root: Path) -> None:
    """Where nobody can listen in."""
    with serving(None) as api:
        assert crewctl(root, "--host", f"http://127.0.0.1:{api.port}", "status").returncode == 0
        assert crewctl(root, "--host", f"http://localhost:{api.port}/", "status").returncode == 0
    for elsewhere in ("http://192.0.2.1:3000", "http://crew.example:3000", "http://0.0.0.0:3000"):
        ran = crewctl(root, "--host", elsewhere, "status")
        assert ran.returncode == 2
        assert "is another machine, and it would be without TLS: write https://HOST:PORT" in ran.stderr


@pytest.mark.parametrize(
    "url",
    ["box:3000", "https://box", "https://", "ftp://box:1", "https://box:0", "https://box:99999", "https://[::1:3"],
)
def test_what_is_no_address_is_refused(root: Path, url: str) -> None:
    """With what to write."""
    ran = crewctl(root, "--host", url, "status")

    assert ran.returncode == 2
    assert "is no address: write https://HOST:PORT" in ran.stderr


def test_a_password_in_an_address_is_refused_and_not_repeated(root: Path) -> None:
    """Nor is a path, which would be passed over."""
    ran = crewctl(root, "--host", "https://me:hunter2@box:3000", "status")

    assert ran.returncode == 2
    assert "no password belongs there" in ran.stderr
    assert "hunter2" not in ran.stderr
    more = crewctl(root, "--host", "https://box:1/api?token=hunter2", "status").stderr
    assert "says more than an address" in more
    assert "hunter2" not in more


def test_options_that_contradict_each_other_are_refused(root: Path, authority: Authority) -> None:
    """And those that would mean nothing."""
    nowhere = str(root / "nowhere")
    for arguments, said in (
        (("--socket", "/x", "--host", "https://box:1"), "not both"),
        (("--ca", authority.certificate), "--ca goes with --host"),
        (("--token-file", nowhere), "--token-file goes with --host"),
        (("--host", "https://box:1", "--key", nowhere), "--key goes with --cert"),
        (("--host", "https://box:1", "--ca", nowhere), f"cannot read {nowhere}: No such file"),
        (("--host", "https://box:1", "--token-file", nowhere), f"cannot read {nowhere}: No such file"),
        (("--host", "https://box:1", "--cert", authority.certificate), "there is no certificate or key in it"),
    ):
        ran = crewctl(root, *arguments, "status")
        assert ran.returncode == 2, arguments
        assert said in ran.stderr


def test_a_key_with_a_password_does_not_hang(root: Path, authority: Authority) -> None:
    """Nothing is asked for where there may be no terminal."""
    mine = authority.sign("locked", "DNS:ops")
    locked = str(root / "locked.key")
    subprocess.run(
        ["openssl", "ec", "-in", mine.key, "-out", locked, "-aes256", "-passout", "pass:x"],
        check=True,
        capture_output=True,
    )
    ran = crewctl(root, "--host", "https://box:1", "--cert", mine.certificate, "--key", locked, "status")

    assert ran.returncode == 2
    assert "the key has a password" in ran.stderr


def test_the_socket_stands_above_the_environment(root: Path) -> None:
    """As every option does: a token of the environment goes nowhere then."""
    variables = environ(root) | {"CREWD_HOST": "https://nowhere.invalid:1", "CREWD_TOKEN": "x"}
    command = [*COMMAND, "--socket", str(root / "none.sock"), "status"]
    ran = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)

    assert f"cannot reach crewd at {root}/none.sock" in ran.stderr
