"""What the settings of access mean together, and on this machine: see ``checks`` for the rules."""

import os
import ssl
import stat

from crewd.config.quantities import loopback
from crewd.config.reading import Setting, Settings
from crewd.config.secrets import read_secret
from crewd.model.access import HmacKey, Role, Tls
from crewd.model.spec import DaemonSpec

ANY_ADDRESS = ("0.0.0.0", "[::]")  # noqa: S104 - to be warned of


def check_access(spec: DaemonSpec, settings: Settings) -> None:
    """Report what is wrong or doubtful about who is let in. ``settings``: of the section ``crewd``."""
    if "listen" in settings:
        _check_listen(spec, settings["listen"])
    if spec.tls is not None:
        _check_tls(spec.tls, settings["tls"])
    for name, key in spec.hmac_keys.items():
        _check_key(name, key, settings["hmac_keys"])
    if spec.roles.certificates and (spec.tls is None or spec.tls.client_ca is None):
        settings["roles"].spot.warn("certificates change nothing: no client is asked for one without tls.client_ca")


def _check_listen(spec: DaemonSpec, setting: Setting) -> None:
    host = spec.listen.rpartition(":")[0]
    if not spec.listen or loopback(host):
        return
    if spec.tls is None:
        setting.spot.refuse(
            f"{spec.listen} can be reached from elsewhere, so TLS is needed: "
            "write `tls: {certificate: …, key: …}` beside it, or listen on 127.0.0.1"
        )
    if host in ANY_ADDRESS and not spec.allowed_hosts:
        setting.spot.warn(
            f"no name is answered to but localhost and {host}: write the names that clients use to allowed_hosts"
        )


def _check_tls(tls: Tls, setting: Setting) -> None:
    """Report files that can never do; those that are missing may come."""
    files = [path for path in (tls.certificate, tls.key, tls.client_ca) if path is not None]
    for path in files:
        try:
            found = os.stat(path)  # noqa: PTH116 - plain strings throughout
        except OSError as cause:
            setting.spot.warn(f"{path} cannot be read now: {cause.strerror}; TCP is not listened on until it can")
            return
        if not stat.S_ISREG(found.st_mode):
            setting.spot.refuse(f"{path} is not a regular file")
            return
        if not os.access(path, os.R_OK):
            setting.spot.warn(f"{path} cannot be read by this user: only crewd itself has to")
            return
        if path == tls.key and found.st_mode & stat.S_IRWXO:
            setting.spot.refuse(f"others may read the key {path}: chmod o-rwx")
            return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(tls.certificate, tls.key, password=lambda: "")
    except (OSError, ValueError) as cause:
        setting.spot.refuse(
            f"{tls.certificate} and {tls.key} are no certificate and its key without a passphrase: {cause}"
        )
        return
    if tls.client_ca is None:
        return
    try:
        context.load_verify_locations(tls.client_ca)
    except (OSError, ValueError) as cause:
        setting.spot.refuse(f"{tls.client_ca} holds no certificates of authorities: {cause}")


def _check_key(name: str, key: HmacKey, setting: Setting) -> None:
    if key.role is Role.ADMIN and key.workers:
        setting.spot.refuse(f"{name}: an admin is not limited to some workers: remove workers, or make it an operator")
    try:
        read_secret(key.secret_file, setting.spot.node.place.file)
    except OSError as cause:
        setting.spot.warn(f"{name}: {key.secret_file} cannot be read now: {cause.strerror}; the key lets nobody in")
    except ValueError as why:
        setting.spot.refuse(f"{name}: {key.secret_file} cannot be used: {why}")
