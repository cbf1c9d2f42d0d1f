"""What the configuration says of who is let in: read, and what is wrong with it told at its place."""

import os
import subprocess
from pathlib import Path

import pytest

from crewd.config.secrets import fault_of, read_secret, secret_of
from crewd.model.access import HmacKey, Role, Roles, Tls

SECRET = "0123456789abcdef" * 2


@pytest.fixture(scope="session")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate and its key."""
    folder = tmp_path_factory.mktemp("pem")
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=crewd -days 1"
    subprocess.run(
        [*make.split(), "-keyout", f"{folder}/key", "-out", f"{folder}/cert"], check=True, capture_output=True
    )
    return folder


def secret(folder: Path, content: str = SECRET, mode: int = 0o600) -> Path:
    """Write a secret."""
    path = folder / "secret"
    path.write_text(content)
    path.chmod(mode)
    return path


def test_all_of_it_is_read(crew, pem: Path, tmp_path: Path) -> None:
    """Value for value, without a warning."""
    text = f"""
crewd:
  listen: 0.0.0.0:3000
  tls: {{certificate: {pem}/cert, key: {pem}/key, client_ca: {pem}/cert}}
  allowed_hosts: [Crewd.Example.org, "[2001:db8::1]"]
  roles: {{groups: {{root: admin, nogroup: viewer}}, certificates: {{ops: operator, "spiffe://x/y": viewer}}}}
  hmac_keys: {{deploy: {{secret_file: {secret(tmp_path)}, role: operator, workers: [web-*]}}}}
  trusted_proxies: [10.0.0.0/8, "2001:db8::1"]
workers: {{w: {{command: "true"}}}}
"""
    loaded = crew(text)
    own = loaded.spec.daemon

    assert not loaded.warnings
    assert own.tls == Tls(f"{pem}/cert", f"{pem}/key", f"{pem}/cert")
    assert own.allowed_hosts == ("crewd.example.org", "[2001:db8::1]")
    assert own.roles == Roles(
        {"root": Role.ADMIN, "nogroup": Role.VIEWER}, {"ops": Role.OPERATOR, "spiffe://x/y": Role.VIEWER}
    )
    assert own.hmac_keys == {"deploy": HmacKey(f"{tmp_path}/secret", Role.OPERATOR, ("web-*",))}
    assert own.trusted_proxies == ("10.0.0.0/8", "2001:db8::1/128")


GROUP = 'there is no group "no-such-group" on this machine: create it, or name another'
HOST = "write a name or an address as it stands in a URL, without port, such as crewd.example.org"
NETWORK = "write an address, or a network such as 10.0.0.0/8 without bits of a host"
ROLE = "expects viewer, operator or admin"
WRONG = [
    ("{rolls: x}", ["1:9: crewd.rolls: unknown key: did you mean roles?"]),
    ("{roles: x}", ["1:16: crewd.roles: expects a mapping with groups and certificates, found x"]),
    ("{roles: {users: {}}}", ["1:17: crewd.roles.users: unknown key: there are groups, certificates"]),
    ("{roles: {groups: {no-such-group: admin}}}", [f"1:26: crewd.roles.groups.no-such-group: {GROUP}"]),
    ("{roles: {groups: {root: worker}}}", [f"1:32: crewd.roles.groups.root: {ROLE}, found worker"]),
    (
        "{roles: {certificates: {a: root, b: admin, c: [x]}}}",
        [
            f"1:35: crewd.roles.certificates.a: {ROLE}, found root",
            f"1:54: crewd.roles.certificates.c: {ROLE}, found a list",
        ],
    ),
    (
        "{tls: {certificate: /c.pem}}",
        ["1:14: crewd.tls: key is missing: Its private key, PEM, without a passphrase; root:crewd 0640 under systemd."],
    ),
    (
        "{hmac_keys: {k: {secret_file: k, role: node}}}",
        [
            "1:38: crewd.hmac_keys.k.secret_file: expects an absolute path, found k",
            f"1:47: crewd.hmac_keys.k.role: {ROLE}, found node",
        ],
    ),
    (
        "{hmac_keys: {'a b': {secret_file: /k, role: viewer}}}",
        ['1:21: crewd.hmac_keys."a b": expects a key\'s name: letters, digits, _ . -, found "a b"'],
    ),
    (
        "{hmac_keys: {k: {secret_file: /no/such, role: admin, workers: [web]}}}",
        ["1:20: crewd.hmac_keys: k: an admin is not limited to some workers: remove workers, or make it an operator"],
    ),
    (
        "{allowed_hosts: ['a.org:3000', '*.org']}",
        [
            f'1:25: crewd.allowed_hosts[0]: expects a host name, found "a.org:3000": {HOST}',
            f'1:39: crewd.allowed_hosts[1]: expects a host name, found "*.org": {HOST}',
        ],
    ),
    (
        "{trusted_proxies: [10.0.0.1/8]}",
        [f'1:27: crewd.trusted_proxies[0]: expects an address or a network, found "10.0.0.1/8": {NETWORK}'],
    ),
]


@pytest.mark.parametrize(("text", "problems"), WRONG, ids=[row[0] for row in WRONG])
def test_what_is_wrong_is_told_at_its_place(text: str, problems: list[str], refused) -> None:
    """All of it at once."""
    assert refused(f"crewd: {text}\n") == [f"crewd.yaml:{one}" for one in problems]


@pytest.mark.parametrize("listen", ["0.0.0.0:3000", "192.0.2.1:80", '"[::]:3000"', '"[2001:db8::1]:443"'])
def test_beyond_the_machine_there_is_nothing_without_tls(listen: str, refused) -> None:
    """Whatever else is configured."""
    [problem] = refused(f"crewd:\n  allowed_hosts: [a.org]\n  listen: {listen}\n")

    assert problem.startswith("crewd.yaml:3:11: crewd.listen: ")
    assert "can be reached from elsewhere, so TLS is needed" in problem


def test_files_that_can_never_do_are_mistakes(pem: Path, tmp_path: Path, refused) -> None:
    """A key that others may read, what is no certificate, a certificate with another's key, no authorities."""

    def told(certificate: Path, key: Path, ca: Path | None = None) -> str:
        more = "" if ca is None else f", client_ca: {ca}"
        [problem] = refused(f"crewd: {{tls: {{certificate: {certificate}, key: {key}{more}}}}}\n")
        return problem

    (tmp_path / "text").write_text("no certificate\n")
    (tmp_path / "open").write_bytes((pem / "key").read_bytes())
    (tmp_path / "open").chmod(0o644)

    assert "others may read the key" in told(pem / "cert", tmp_path / "open")
    assert "are no certificate and its key without a passphrase" in told(pem / "key", pem / "key")
    assert "holds no certificates of authorities" in told(pem / "cert", pem / "key", tmp_path / "text")
    assert "is not a regular file" in told(pem / "cert", pem)


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(pem: Path, tmp_path: Path, refused) -> None:
    """OpenSSL would ask on the terminal, and the daemon would wait there."""
    locked = tmp_path / "locked"
    change = ["openssl", "pkey", "-in", f"{pem}/key", "-aes256", "-passout", "pass:secret", "-out", str(locked)]
    subprocess.run(change, check=True, capture_output=True)
    locked.chmod(0o600)
    [problem] = refused(f"crewd: {{tls: {{certificate: {pem}/cert, key: {locked}}}}}\n")

    assert "without a passphrase" in problem


def test_what_may_come_later_is_a_warning(warned, tmp_path: Path) -> None:
    """A certificate that is not there yet, a secret that is not, roles of certificates that nobody is asked for."""
    text = f"""crewd:
  listen: 0.0.0.0:3000
  tls: {{certificate: {tmp_path}/c, key: {tmp_path}/k}}
  roles: {{certificates: {{a: viewer}}}}
  hmac_keys: {{k: {{secret_file: {tmp_path}/s, role: viewer}}}}
workers: {{w: {{command: "true"}}}}
"""
    told = warned(text)

    assert [line.split(": ", 2)[1] for line in told] == [
        "crewd.listen",
        "crewd.tls",
        "crewd.roles",
        "crewd.hmac_keys",
    ]
    assert "no name is answered to but localhost and 0.0.0.0" in told[0]
    assert "TCP is not listened on until it can" in told[1]
    assert "the key lets nobody in" in told[3]


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (SECRET, 0o640, "others may read it"),
        (SECRET, 0o604, "others may read it"),
        ("short", 0o600, "less than 32 bytes"),
        ("x" * 5000, 0o600, "more than 4096 bytes"),
    ],
)
def test_a_file_that_holds_no_secret(content: str, mode: int, why: str, tmp_path: Path, refused) -> None:
    """Is told, and never what stands in it."""
    path = secret(tmp_path, content, mode)
    [problem] = refused(f"crewd: {{hmac_keys: {{k: {{secret_file: {path}, role: viewer}}}}}}\n")

    assert why in problem
    assert content not in problem


def test_a_secret_is_read_without_the_end_of_its_line(tmp_path: Path) -> None:
    """An editor adds one."""
    assert read_secret(str(secret(tmp_path, f"{SECRET}\n"))) == SECRET.encode()


def test_a_secret_that_is_none(tmp_path: Path) -> None:
    """A pipe would hang the daemon; what is missing is said."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ValueError, match="not a regular file"):
        secret_of(str(tmp_path / "pipe"))
    with pytest.raises(ValueError, match="No such file"):
        secret_of(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("mode", "owner", "fine"),
    [
        (0o100640, (0, 900), True),
        (0o100600, (900, 900), True),
        (0o100640, (0, 901), False),
        (0o100660, (0, 900), False),
        (0o100644, (0, 900), False),
        (0o100600, (901, 900), False),
    ],
)
def test_root_lends_a_secret_to_the_group_that_crewd_runs_as(mode: int, owner: tuple[int, int], fine: bool) -> None:
    """And to nobody else; where crewd is root there is nothing to lend."""
    found = os.stat_result((mode, 1, 1, 1, *owner, 32, 0, 0, 0))

    assert (fault_of(found, 900, 900) is None) == fine
    assert fault_of(os.stat_result((0o100640, 1, 1, 1, 0, 0, 32, 0, 0, 0)), 0, 0) is not None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to a group")
@pytest.mark.parametrize(("mode", "fine"), [(0o640, True), (0o644, False), (0o600, False)])
def test_root_lends_what_it_lends_the_configuration_for(tmp_path: Path, mode: int, fine: bool) -> None:
    """Where crewd is not root, root puts the file in force for it: whoever may read that is who it is lent to."""
    config, secret = tmp_path / "crewd.yaml", tmp_path / "secret"
    secret.write_text("0" * 64)
    config.touch()
    for file, bits in ((secret, 0o640), (config, mode)):
        file.chmod(bits)
        os.chown(file, 0, 900)

    if fine:
        assert read_secret(str(secret), str(config)) == b"0" * 64
    else:
        with pytest.raises(ValueError, match="others may read it"):
            read_secret(str(secret), str(config))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_somebody_else_s_file_holds_no_secret(tmp_path: Path) -> None:
    """They could change it."""
    path = secret(tmp_path)
    os.chown(path, 65534, 65534)
    with pytest.raises(ValueError, match="belongs to somebody else"):
        secret_of(str(path))
